import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Rights } from '../define/access/rights.js'
import type { Field } from '../define/types/column-type.js'
import type { ParameterValues, QueryParameter, ResultColumn } from '../engine/engine.js'
import type { LakeState } from '../log/commit.js'
import { refuseReading } from '../log/format/features.js'
import { Heartbeat } from '../log/live.js'
import { variable } from '../settings.js'
import { type TableRef, tiers } from '../sql/guard.js'
import { currentUser } from '../step/context.js'
import type { Readable } from '../storage/staging.js'
import { type Storage, stagingOf } from '../storage/storage.js'
import { askedOf, type Estimate, estimateOf } from './estimate.js'
import { excessError, type Limits } from './limits.js'
import type { Reply } from './protocol.js'
import type { Worker } from './query-process.js'
import { type Found, ruled, throughViews, withViewRules } from './reads.js'
import { type AskedColumns, atHand, isWorthIt, type LogEntries, type Scan, scan } from './scan.js'
import { findName, levelsOf, othersThan, withLayers } from './tables.js'

/** A query, and what it is asked of. */
export interface Asked {
  worker: Worker
  storage: Storage
  state: LakeState | Promise<LakeState>
  sql: string
  /** Parts of it, each of which must be one expression. */
  expressions?: readonly string[]
  limits: Limits
  declared: readonly Field[] | undefined
  rights: Rights | undefined
  parameters: ParameterValues | undefined
  /** The namespace of tables that are named without one. */
  schema: string | undefined
  /** A table of which each row has its file and its place there. */
  places?: TableRef | undefined
  /** Only says what the result would be like. */
  isDescribed?: boolean
  /** Only says how it would run. */
  isExplained?: boolean
  /** Judges what is about to be read, before anything is. */
  judge: ((estimate: Estimate) => void) | undefined
  /** The log of the branch that is asked, for tables that tell of it. */
  log: LogEntries
  signal: AbortSignal | undefined
  /** A folder for tables that are computed, which goes with the query. */
  scratch: () => Promise<string>
}

/** What is known of a query once it runs. */
export interface Begun {
  columns: ResultColumn[]
  parameters: QueryParameter[]
  files: { opened: number; total: number; bytes: number }
  estimate: Estimate
  /** Of one that is only explained. */
  plan?: Extract<Reply, { type: 'columns' }>['plan']
}

/**
 * Has a process prove and begin a query.
 *
 * @param begun is told what is read before anything is.
 */
export async function begin(
  asked: Asked,
  begun: (heartbeat: Heartbeat, tables: readonly string[]) => void,
): Promise<Begun> {
  const { worker, storage, state, sql, limits, parameters, isDescribed = false } = asked
  const staging = stagingOf(storage)
  const root = staging.readableRoots().find(({ url }) => url === storage.url)
  const parse = {
    type: 'parse',
    sql,
    limits,
    ...(parameters === undefined ? {} : { parameters }),
    isDescribed,
    ...(asked.expressions ? { expressions: asked.expressions } : {}),
    ...(asked.schema === undefined ? {} : { schema: asked.schema }),
    ...(root ? { extensions: extensionFolder() } : {}),
  } as const
  // Side by side: the process takes its time to start.
  const [parsed, read] = await Promise.all([
    worker.ask(parse, 'parsed').catch(async (error) => {
      throw withLayers(error, await state, asked.rights)
    }),
    state,
  ])
  const heartbeat = Heartbeat.ofReader(storage, currentUser(), read.number)
  begun(heartbeat, [])
  const looked = await look(asked, read, parsed, (names) => begun(heartbeat, names))
  const { scans, columns: wanted, estimate, views } = looked
  asked.judge?.(estimate)
  if (isDescribed) {
    const relations = [...scans.map(({ relation }) => relation), ...views]
    const { columns, parameters = [] } = await worker.ask(
      { type: 'describe', relations },
      'columns',
    )
    return { columns, parameters, files: { opened: 0, total: 0, bytes: 0 }, estimate }
  }
  const { relations, inPlace } = await brought(asked, { scans, wanted, root, parsed })
  const access = inPlace ? await root?.access() : undefined
  const { columns, plan } = await worker.ask(
    {
      type: 'run',
      relations: [...relations, ...views],
      ...(asked.isExplained ? { isExplained: true } : {}),
      ...(access ? { access } : {}),
      ...(parameters ? { parameters } : {}),
    },
    'columns',
  )
  const files = {
    opened: relations.reduce((sum, r) => sum + r.files.length, 0),
    total: scans.reduce((sum, s) => sum + s.total, 0),
    bytes: scans.reduce((sum, s) => sum + s.bytes, 0),
  }
  return { columns, parameters: [], files, estimate, plan }
}

/** What a query reads, by the log and the manifests alone. */
async function look(
  asked: Asked,
  read: LakeState,
  parsed: Extract<Reply, { type: 'parsed' }>,
  told: (names: readonly string[]) => void,
) {
  const { worker } = asked
  for (const { table } of parsed.tables) levelsOf(read, table, asked.rights)
  const proved = await throughViews(worker, read, parsed)
  const { tables, named, isRepeatable } = await ruled(worker, read, proved, asked.rights)
  const names = tables.map(({ table: { tier, name } }) => `${tier}.${name}`)
  told(names)
  for (const { table } of tables)
    if (tiers.includes(table.tier))
      refuseReading(read, findName(read, `${table.tier}.${table.name}`))
  const scans = await scansOf(asked, read, tables)
  const columns = scans.map(({ relation }, i) => askedOf(relation, tables[i] as Found, named))
  const estimate = {
    ...estimateOf(scans, tables, columns),
    state: read,
    isRepeatable,
    // Of a view, what it reads as well.
    refs: [...parsed.tables, ...tables].map(({ table }) => table),
  }
  const views = withViewRules(proved.views, read, asked.rights)
  return { scans, columns, estimate, views }
}

/** The files of each table that have to be opened. */
function scansOf(
  { storage, declared, log, signal, limits, places, rights }: Asked,
  state: LakeState,
  tables: readonly Found[],
): Promise<Scan[]> {
  const began = performance.now()
  // Records are read by this process, whose time the query's own does not see.
  const goesOn = () => {
    signal?.throwIfAborted()
    if (performance.now() - began > limits.time) throw excessError('time', limits)
  }
  return Promise.all(
    tables.map(async ({ table, predicates, rules, ofPartitions }) => {
      const isOther = othersThan(state, table, rights)
      const asked = { table, declared, ofPartitions, log, goesOn, isOther }
      const found = await scan(storage, state, asked, predicates)
      const own = {
        ...(rules ? { rules } : {}),
        ...(places && isSame(places, table) ? { places: true } : {}),
      }
      return { ...found, relation: { ...found.relation, ...own } }
    }),
  )
}

const isSame = (a: TableRef, b: TableRef) =>
  a.tier.toLowerCase() === b.tier.toLowerCase() && a.name.toLowerCase() === b.name.toLowerCase()

/** The tables with their files as the query's process can open them. */
async function brought(
  { storage, scratch }: Asked,
  {
    scans,
    wanted,
    root,
    parsed: { reaches },
  }: {
    scans: readonly Scan[]
    wanted: readonly AskedColumns[]
    root: Readable | undefined
    parsed: { reaches: boolean }
  },
) {
  const staging = stagingOf(storage)
  // None writes on in the folder of a query that has failed by another one.
  const all = await Promise.allSettled(
    scans.map((s, i) =>
      atHand(staging, s, (file) => reaches && isWorthIt(s, file, wanted[i], root?.always), scratch),
    ),
  )
  const found = all.map((one) => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
  return {
    relations: found.map(({ relation }) => relation),
    inPlace: found.some(({ inPlace }) => inPlace),
  }
}

/** Where DuckDB's extensions are, which the query's process does not know. */
function extensionFolder(): string {
  return variable('MORAINE_EXTENSIONS') ?? join(homedir(), '.duckdb', 'extensions')
}
