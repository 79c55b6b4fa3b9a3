import { z } from 'zod'
import { type ErrorKind, MoraineError, messageOf } from '../../errors.js'
import type { Shape } from '../../iceberg/change.js'
import type { ScanTask } from '../../iceberg/deletes.js'
import type { ColumnStatistics, DataFile } from '../../iceberg/spec/manifest.js'
import type { TableMetadata } from '../../iceberg/spec/metadata.js'
import type { Value } from '../../iceberg/spec/values.js'
import type { FileChange, TableData } from '../../iceberg/version.js'
import type { Definition, ViewState } from '../../log/commit.js'
import type { BuildDecision, View } from '../../plan/decision.js'
import { wasWaitedFor } from '../../storage/retry.js'
import type { BatchManifest } from '../batches.js'
import type { StepResult } from '../events.js'
import type { FailedRows, StepCounts, StepOutput, TableOutput } from './output.js'
import type { GroupRows, Replay, StepPart, StepTask } from './task.js'

/*
 * Tasks and what they give as JSON. What JSON has no values for is written so that it comes back
 * exactly: whole numbers of any size, doubles that are no numbers, bytes, times. All else must be
 * plain already: what is not is refused, rather than changed in silence.
 */

/** Values that JSON has anyway; properties that are `undefined` are left out. */
const plain = <T>() =>
  z.codec(z.json(), z.custom<T>(), {
    decode: (value) => value as T,
    encode: (value) => asJson(value) as z.core.util.JSONType,
  })

function asJson(value: unknown): unknown {
  if (value === null || ['string', 'boolean'].includes(typeof value)) return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (Array.isArray(value)) return value.map(asJson)
  const isPlain = typeof value === 'object' && Object.getPrototypeOf(value) === Object.prototype
  if (!isPlain) throw new TypeError(`${typeof value} can't be part of a step's task`)
  const entries = Object.entries(value as object).filter(([, one]) => one !== undefined)
  return Object.fromEntries(entries.map(([name, one]) => [name, asJson(one)]))
}

const time = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (date) => date.toISOString(),
})

const bytes = z.codec(z.base64(), z.instanceof(Uint8Array), {
  decode: (text) => new Uint8Array(Buffer.from(text, 'base64')),
  encode: (value) => Buffer.from(value).toString('base64'),
})

const set = z.codec(z.array(z.string()), z.instanceof(Set<string>), {
  decode: (items) => new Set(items),
  encode: (items) => [...items],
})

/** A value of a partition: texts as they are, whole numbers and doubles by their digits. */
const value = z.codec(
  z.union([z.null(), z.string(), z.object({ int: z.string() }), z.object({ double: z.string() })]),
  z.custom<Value | null>(),
  {
    decode: (given) => {
      if (given === null || typeof given === 'string') return given
      return 'int' in given ? BigInt(given.int) : Number(given.double)
    },
    encode: (given) => {
      if (given === null || typeof given === 'string') return given
      if (typeof given === 'bigint') return { int: String(given) }
      return { double: Object.is(given, -0) ? '-0' : String(given) }
    },
  },
)

const count = z.number().int().nonnegative()
const statistics: z.ZodType<ColumnStatistics> = z.strictObject({
  size: count.optional(),
  values: count.optional(),
  nulls: count.optional(),
  nans: count.optional(),
  lower: bytes.optional(),
  upper: bytes.optional(),
}) as never

const columns = z.codec(
  z.array(z.tuple([z.number().int(), statistics])),
  z.instanceof(Map<number, ColumnStatistics>),
  { decode: (entries) => new Map(entries), encode: (map) => [...map] },
)

const dataFile: z.ZodType<DataFile> = z.strictObject({
  content: z.enum(['data', 'position deletes', 'equality deletes']).optional(),
  equalityIds: z.array(z.number().int()).optional(),
  referenced: z.string().optional(),
  path: z.string(),
  rows: count,
  bytes: count,
  partition: z.array(value),
  columns,
  splitOffsets: z.array(z.number()).optional(),
  sha256: z.string().optional(),
}) as never

const scanTask: z.ZodType<ScanTask> = z.strictObject({
  file: dataFile,
  spec: z.number().int(),
  deletes: z.array(dataFile),
}) as never

/** Deletes may be about many files: each is told once, and so is each list of them. */
const tableData: z.ZodType<TableData> = z.codec(
  z.strictObject({
    metadata: plain<TableMetadata>(),
    folder: z.string(),
    file: z.string().optional(),
    files: z.array(z.strictObject({ file: dataFile, spec: z.number().int(), list: count })),
    lists: z.array(z.array(count)),
    deletes: z.array(dataFile),
    foreign: z.literal(true).optional(),
  }),
  z.custom<TableData>(),
  {
    decode: ({ files, lists, deletes, ...rest }) => {
      const found = lists.map((list) => list.map((i) => deletes[i] as DataFile))
      const taskOf = ({ list, ...task }: (typeof files)[number]) => {
        return { ...task, deletes: found[list] ?? [] }
      }
      return { ...rest, files: files.map(taskOf) }
    },
    encode: ({ files, ...rest }) => {
      const lists = [...new Set(files.map(({ deletes }) => deletes))]
      const deletes = [...new Set(lists.flat())]
      const [listAt, deleteAt] = [placesOf(lists), placesOf(deletes)]
      const told = ({ file, spec, deletes: list }: ScanTask) => {
        return { file, spec, list: listAt.get(list) as number }
      }
      return {
        ...rest,
        files: files.map(told),
        lists: lists.map((list) => list.map((one) => deleteAt.get(one) as number)),
        deletes,
      }
    },
  },
) as never

const placesOf = <T>(all: readonly T[]) => new Map(all.map((one, i) => [one, i]))

const group: z.ZodType<GroupRows> = z.strictObject({
  index: count,
  data: z.array(dataFile),
  others: z.array(dataFile),
  versions: z.array(dataFile),
}) as never

const part: z.ZodType<StepPart> = z.union([
  z.strictObject({ by: z.literal('files'), index: count, of: count, rangeRows: count }),
  z.strictObject({ by: z.literal('keys'), index: count, of: count, groups: z.array(group) }),
  z.strictObject({ by: z.literal('values'), column: z.string(), index: count, of: count }),
  z.strictObject({
    by: z.literal('places'),
    tables: z.record(
      z.string(),
      z.strictObject({
        shape: plain<Shape>(),
        places: z.array(dataFile),
        rewritten: z.array(scanTask),
        listed: z.array(scanTask),
      }),
    ),
  }),
]) as never

/** What is said of a step beside {@link Leads}. */
const task: z.ZodType<Omit<StepTask, 'view'>> = z.strictObject({
  version: z.literal(1),
  dataset: z.string(),
  definition: plain<Definition>(),
  decision: plain<BuildDecision>(),
  replay: plain<Replay>().optional(),
  split: z.union([
    z.strictObject({ by: z.enum(['keys', 'files']), rows: count, bytes: count }),
    z.strictObject({ by: z.literal('values'), column: z.string(), rows: count, bytes: count }),
    z.strictObject({ by: z.literal('nothing'), why: z.string() }),
  ]),
  part: part.optional(),
  settings: z.strictObject({
    run: z.string(),
    started: time,
    allowBreaking: z.boolean(),
    sample: count.optional(),
    rewriteUpTo: z.number(),
    folders: z.record(z.string(), z.string()),
    rowsBefore: z.array(count),
  }),
}) as never

/** What a step that is carried out elsewhere is told: its task, and all that this leads to. */
export interface SentStep {
  task: StepTask
  /** Manifests of batches, by their paths. */
  batches: Readonly<Record<string, BatchManifest>>
  /** Versions of tables, by the paths of their metadata. */
  tables: Readonly<Record<string, TableData>>
}

/** What a task reads and leads to, which is the same for all parts of a step. */
export type Leads = Pick<SentStep, 'batches' | 'tables'> & Pick<StepTask, 'view'>

/** An object of the lake's storage with what is too large to be sent. */
export interface Laid {
  path: string
  sha256: string
}

const own = {
  view: plain<View>(),
  batches: z.record(z.string(), plain<BatchManifest>()),
  tables: z.record(z.string(), tableData),
}
const leads: z.ZodType<Leads> = z.strictObject(own) as never
const laid: z.ZodType<Laid> = z.strictObject({ path: z.string(), sha256: z.string() })
type SentTask = Omit<StepTask, 'view'>
const sentStep: z.ZodType<{ task: SentTask; laid: Laid } | ({ task: SentTask } & Leads)> = z.union([
  z.strictObject({ task, ...own }),
  z.strictObject({ task, laid }),
]) as never
const sent = z.union([z.strictObject({ laid }), sentStep])

const fileChange: z.ZodType<FileChange> = z.strictObject({
  removed: z.union([z.literal('all'), set]),
  added: z.array(dataFile),
  deletes: z.array(z.strictObject({ file: dataFile, spec: z.number().int() })),
}) as never

const tableOutput: z.ZodType<TableOutput> = z.strictObject({
  shape: plain<Shape>().optional(),
  changes: z.array(fileChange),
  state: plain<TableOutput['state']>(),
  continues: z.boolean().optional(),
}) as never

/** An error with what people are told of it; what caused it stays where it happened. */
const failure = z.codec(
  z.strictObject({
    kind: z.string(),
    message: z.string(),
    hint: z.string().optional(),
    retryable: z.boolean().optional(),
    path: z.string().optional(),
    place: z.json().optional(),
  }),
  z.instanceof(Error),
  {
    decode: ({ kind, message, place, ...details }) =>
      new MoraineError(kind as ErrorKind, message, { ...details, place } as never),
    encode: (error) => {
      if (!(error instanceof MoraineError)) return { kind: 'engine', message: messageOf(error) }
      const { kind, message, hint, path, place } = error
      // What was waited for there is not waited for once more here.
      const retryable = error.retryable && !wasWaitedFor(error)
      return asJson({ kind, message, hint, retryable, path, place }) as never
    },
  },
)

const output: z.ZodType<StepOutput> = z.strictObject({
  tables: z.record(z.string(), tableOutput),
  views: plain<Record<string, ViewState>>().optional(),
  counts: plain<StepCounts>().optional(),
  result: plain<Partial<StepResult>>(),
  failure: failure.optional(),
  left: z
    .strictObject({
      group: group.optional(),
      unsettled: count.optional(),
      lost: z
        .record(
          z.string(),
          z.strictObject({ places: z.array(dataFile), rows: z.record(z.string(), count) }),
        )
        .optional(),
      failed: plain<FailedRows>().optional(),
    })
    .optional(),
}) as never

/**
 * What comes back: what the step gives (nothing, where a replay would change nothing), or how it
 * failed.
 */
export type StepReply = { output: StepOutput | undefined } | { error: Error }

const reply: z.ZodType<StepReply> = z.union([
  z.strictObject({ error: failure }),
  z.strictObject({ output: output.optional() }),
]) as never

/** What tasks lead to, as JSON. */
export const encodeLeads = (given: Leads): string => JSON.stringify(z.encode(leads, given))

/**
 * A step as JSON whose leads were encoded before: they are part of it, or lie in storage.
 */
export function encodeTask({ view: _, ...given }: StepTask, of: string | Laid): string {
  const own = JSON.stringify({ task: z.encode(task, given) })
  const rest = typeof of === 'string' ? of : JSON.stringify({ laid: of })
  return `${own.slice(0, -1)},${rest.slice(1)}`
}

/** The same where all of it lies in storage. */
export const encodeLaid = (given: Laid): string => JSON.stringify({ laid: given })

/** A step and all that its task leads to, as JSON. */
export const encodeStep = ({ task, ...leads }: SentStep): string =>
  encodeTask(task, encodeLeads({ view: task.view, ...leads }))

/**
 * @param read gives the text of what lies in storage.
 * @throws MoraineError of kind `version` for what is no task that this version knows.
 */
export async function decodeStep(
  text: string,
  read: (laid: Laid) => Promise<string>,
): Promise<SentStep> {
  const whole = decoded(sent, text, 'task')
  const found = 'task' in whole ? whole : decoded(sentStep, await read(whole.laid), 'task')
  const { task, ...of } = found
  const { view, ...rest } = 'laid' in of ? decoded(leads, await read(of.laid), 'task') : of
  return { task: { ...task, view }, ...rest }
}

export const encodeReply = (given: StepReply): string => JSON.stringify(z.encode(reply, given))

/** @throws MoraineError of kind `version` for what is no reply that this version knows. */
export const decodeReply = (text: string): StepReply => decoded(reply, text, 'result')

function decoded<T>(schema: z.ZodType<T>, text: string, what: string): T {
  const found = z.safeDecode(schema, JSON.parse(text) as never)
  if (found.success) return found.data
  throw new MoraineError('version', `this is not the ${what} of a step as this version writes it`, {
    cause: found.error,
    hint: 'Use the same version of Moraine on all machines.',
  })
}
