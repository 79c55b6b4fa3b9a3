import { fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import type { AnyInput, Gold, Silver, Sql } from '../define/model.js'
import { type Retention, retentionOf } from '../define/retention.js'
import { quoteName, renderSql } from '../define/sql/sql.js'
import { normalSql } from '../define/sql/sql-normal.js'
import type { Field } from '../define/types/column-type.js'
import type { Session } from '../engine/engine.js'
import { pathsOf, type ScanTask } from '../iceberg/deletes.js'
import { toColumnType } from '../iceberg/spec/types.js'
import type { TableVersion } from '../iceberg/version.js'
import type { TableName } from '../plan/incremental.js'
import { monotonicColumn } from '../plan/monotonic.js'
import { sinceFull } from '../plan/offsets.js'
import type { StepContext } from '../step/context.js'
import { type PartOfFile, tableFiles } from '../step/table-files.js'
import { Part, type PartProof } from './partition.js'
import { partSchema } from './prove.js'

/** What is computed of a gold table whose input changed in places; its query is that of a part. */
export interface TouchedParts {
  /** The computed rows of touched parts, with rows that only share a file with replaced ones. */
  rows(computed: string): string
  /** Files of the table that hold rows of touched parts. */
  removed: ReadonlySet<string>
  said: string
  /** Whether parts within ranges are among them, or may be. */
  touchAny: Part['touchesAny']
}

/** An input whose rows may go, and the parts that were made of them stay. */
export interface ExpiringInput {
  input: Silver | Gold
  retention: Retention
  proof: PartProof
}

/**
 * Inputs whose rows go by the column that the parts rise with: parts from before what is kept are
 * then final.
 */
export function expiringInputs(dataset: Gold, proofs: readonly PartProof[]): ExpiringInput[] {
  return proofs.flatMap((proof) => {
    const input = inputsOf(dataset).find((one) => isNamed(one, proof.driving))
    if (!input || input.tier === 'bronze' || input.tier === 'external') return []
    const retention = retentionOf(input)
    const by = monotonicColumn(proof.expression)
    return retention && by?.toLowerCase() === retention.by.toLowerCase()
      ? [{ input, retention, proof }]
      : []
  })
}

/** Closes the parts of which rows are gone. Returns whether there are any. */
async function closeParts(
  { relations }: StepContext,
  part: Part,
  expiring: readonly ExpiringInput[],
): Promise<boolean> {
  const gone: Parameters<Part['close']>[0][number][] = []
  for (const { input, retention, proof } of expiring) {
    const until = relations.view.tables[fullName(input)]?.retention?.expiredBefore
    const table = until && (await relations.table(fullName(input)))
    const field = table
      ? table.schema.fields.find((f) => f.name.toLowerCase() === retention.by.toLowerCase())
      : undefined
    if (until && field)
      gone.push({
        until: new Date(until),
        proof,
        column: field.name,
        type: toColumnType(field.type),
      })
  }
  await part.close(gone)
  return gone.length > 0
}

/** Finds the parts that rows of driving inputs touch which are new, gone or changed. */
export async function touchedParts(
  context: StepContext,
  session: Session,
  dataset: Gold,
  columns: readonly Field[],
  proofs: readonly PartProof[],
  all: boolean,
): Promise<TouchedParts | undefined> {
  const { by, affects } = dataset.incremental as NonNullable<Gold['incremental']>
  const column = columns.find((c) => c.name.toLowerCase() === by.toLowerCase()) as Field
  const part = new Part(session, column, affects)
  const gold = await context.relations.table(fullName(dataset))
  if (!gold) return undefined
  const closed = await closeParts(context, part, expiringInputs(dataset, proofs))
  const inputs: { dataset: AnyInput; proof: PartProof; input: DrivingInput }[] = []
  for (const proof of proofs) {
    const driving = inputsOf(dataset).find((input) => isNamed(input, proof.driving))
    const input = driving && (await drivingInput(context, session, dataset, driving, all))
    // Where nobody knows what changed, all parts are computed, but for those that can't be any
    // more.
    if (driving && !input && closed && !all)
      return touchedParts(context, session, dataset, columns, proofs, true)
    if (!input) return undefined
    inputs.push({ dataset: driving, proof, input })
  }
  const whole = async () =>
    session.tables.scan(gold.schema, tableFiles(context.storage, gold, await gold.plan()))
  const there = all ? `SELECT ${quoteName(column.name)} FROM (${await whole()})` : undefined
  await part.find(
    inputs.map(({ input, proof }) => ({ rows: input.changed, proof })),
    there,
  )
  for (const { dataset: driving, proof, input } of inputs) {
    const rows = await input.rows(part, proof)
    const read = `SELECT * FROM (${rows}) WHERE ${part.isRead(proof)}`
    await session.define(partSchema(dataset, driving), driving.name, read)
  }
  const tasks = await gold.plan(part.predicates())
  const rewritten = tasks.filter((task) => part.mayHold(task, gold, column.name))
  const removed = pathsOf(rewritten)
  const rewrittenRows = session.tables.scan(
    gold.schema,
    tableFiles(context.storage, gold, rewritten),
  )
  const names = columns.map((c) => quoteName(c.name)).join(', ')
  const here = quoteName(column.name)
  return {
    rows: (computed) =>
      session.dialect.rows.union([
        `SELECT ${names} FROM (${computed}) WHERE ${part.isTouched(here)}`,
        `SELECT ${names} FROM (${rewrittenRows}) WHERE NOT ${part.isTouched(here)}`,
      ]),
    removed,
    said: `${part.count} of '${by}' computed`,
    touchAny: (ranges) => part.touchesAny(ranges),
  }
}

/** Whether a proof is about a dataset. */
export function isNamed(dataset: AnyInput, { tier, name }: TableName): boolean {
  return fullName(dataset).toLowerCase() === `${tier}.${name}`.toLowerCase()
}

/** The inputs whose rows decided which parts there are, when the table was last built. */
export function drivingOf({ relations }: StepContext, dataset: Gold): AnyInput[] {
  const names = relations.view.tables[fullName(dataset)]?.drivingInputs ?? []
  return inputsOf(dataset).filter((input) => names.includes(fullName(input)))
}

/** The dataset's query over a part's rows of the inputs that decide. */
export function queryOfPart(
  dataset: Gold,
  driving: readonly AnyInput[],
  bucket?: string,
): Gold['query'] {
  const ofPart = (query: Sql): Sql => ({
    ...query,
    parts: query.parts.map((part) => {
      if (part.kind !== 'dataset') return part
      const { dataset: input } = part
      // A view stands for its query, in which there may be an input that decides.
      if (input.tier === 'gold' && input.view)
        return { kind: 'text', text: `(${normalSql(renderSql(ofPart(input.query)))})` }
      if (!driving.includes(input)) return part
      const text = `${quoteName(partSchema(dataset, input, bucket))}.${quoteName(input.name)}`
      return { kind: 'text', text }
    }),
  })
  return ofPart(dataset.query)
}

/** Makes the columns of an input that decides known, before it is known which of its rows count. */
export async function defineEmpty(
  { relations }: StepContext,
  session: Session,
  dataset: Gold,
  driving: AnyInput,
): Promise<void> {
  const empty =
    driving.tier === 'bronze'
      ? await relations.bronzeRelation(
          session,
          (relations.view.batches[fullName(driving)] ?? []).slice(-1),
          driving.from.columns ?? [],
        )
      : {
          sql: session.tables.scan((await relations.table(fullName(driving)))?.schema as never, []),
        }
  await session.define(
    partSchema(dataset, driving),
    driving.name,
    `SELECT * FROM (${empty.sql}) WHERE false`,
  )
}

/** An input that decides: what changed in it, and its rows, of which only some are read. */
interface DrivingInput {
  /** SQL for rows that are new, gone or changed. */
  changed: string
  rows(part: Part, proof: PartProof): Promise<string>
}

async function drivingInput(
  context: StepContext,
  session: Session,
  dataset: Gold,
  driving: AnyInput,
  all: boolean,
): Promise<DrivingInput | undefined> {
  const { relations, storage } = context
  const seen = relations.view.offsets[fullName(dataset)]?.[fullName(driving)]
  if (driving.tier === 'bronze') {
    const pointers = sinceFull(relations.view.batches[fullName(driving)] ?? [])
    const declared = driving.from.columns ?? []
    const relation = async (from: number) => {
      const found = pointers.filter(({ number }) => number > from)
      return (await relations.bronzeRelation(session, found, declared)).sql
    }
    return { changed: await relation(all ? 0 : Number(seen ?? 0)), rows: () => relation(0) }
  }
  const table = await relations.table(fullName(driving))
  if (!table) return undefined
  const after = await table.plan()
  const relation = (tasks: readonly PartOfFile[]) =>
    session.tables.scan(table.schema, tableFiles(storage, table, tasks))
  const rows = async (part: Part, proof: PartProof) =>
    relation(await part.filesToRead(proof, after, table))
  if (all) return { changed: relation(after), rows }
  // Without the version that was read last there is nothing to compare with.
  const last = typeof seen === 'string' ? await relations.earlier(seen) : undefined
  if (!last) return undefined
  const before = await last.plan()
  const { gone, added } = compareTasks(before, after)
  return {
    changed:
      gone.length === 0 ? relation(added) : differences(table, relation(added), relation(gone)),
    rows,
  }
}

/**
 * What only one of two versions of a table reads. Rows of a file that stayed come and go by lists
 * of positions.
 */
function compareTasks(before: readonly ScanTask[], after: readonly ScanTask[]) {
  const key = ({ deletes }: ScanTask) => deletes.map(({ path }) => path).join('\n')
  const left = new Map(before.map((task) => [task.file.path, task]))
  const [gone, added]: [PartOfFile[], PartOfFile[]] = [[], []]
  for (const task of after) {
    const old = left.get(task.file.path)
    left.delete(task.file.path)
    if (!old) added.push(task)
    else if (key(old) !== key(task)) {
      const listed = [...old.deletes, ...task.deletes].every(
        ({ content }) => content === 'position deletes',
      )
      gone.push(listed ? { ...old, only: task.deletes } : old)
      added.push(listed ? { ...task, only: old.deletes } : task)
    }
  }
  return { gone: [...gone, ...left.values()], added }
}

/** Rows that only one of two relations has: rewritten files hold most of their rows unchanged. */
function differences({ schema }: TableVersion, added: string, gone: string): string {
  const names = schema.fields.map((f) => quoteName(f.name)).join(', ')
  return `SELECT ${names} FROM (
    SELECT ${names}, 1 AS _sign FROM (${added}) UNION ALL SELECT ${names}, -1 FROM (${gone}))
    GROUP BY ${names} HAVING sum(_sign) <> 0`
}
