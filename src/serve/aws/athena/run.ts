import { MoraineError } from '../../../errors.js'
import type { QueryRequest } from '../../../query/service/request.js'
import type { QueryService } from '../../../query/service/service.js'
import type { Query } from '../../../sql/trino/parse/tree.js'
import {
  type ParsedStatement,
  parseStatement,
  type Statement,
} from '../../../sql/trino/statement.js'
import {
  translateChange,
  translateInsert,
  translateQuery,
  translateShown,
} from '../../../sql/trino/translate.js'
import type { Context } from '../../../sql/trino/write/scope.js'
import type { ObjectStores } from '../s3/store.js'
import type { AthenaExecution } from './execution.js'
import type { Prepared } from './named.js'
import type { LakeViews } from './relations/lake-views.js'
import type { Done, Site } from './relations/site.js'
import { csvLine, textLine } from './results/result-files.js'
import { StoredFiles } from './results/stored-files.js'
import { type Shown, showOf } from './show.js'
import { columnInfo } from './types.js'
import { writerOf } from './values.js'
import type { Writes } from './writes.js'

/** What executions are run with. */
export interface RunParts {
  service: QueryService
  stores: ObjectStores
  writes: Writes
  views: LakeViews
  prepared: Prepared
  /** Hears of what failed inside, of which clients are told nothing more. */
  onError?: (error: unknown) => void
}

const kinds: Readonly<Record<string, Pick<AthenaExecution, 'type' | 'subtype'>>> = {
  query: { type: 'DML', subtype: 'SELECT' },
  explain: { type: 'UTILITY', subtype: 'EXPLAIN' },
  insert: { type: 'DML', subtype: 'INSERT' },
  unload: { type: 'DML', subtype: 'UNLOAD' },
  update: { type: 'DML', subtype: 'UPDATE' },
  delete: { type: 'DML', subtype: 'DELETE' },
  merge: { type: 'DML', subtype: 'MERGE' },
  optimize: { type: 'DDL', subtype: 'OPTIMIZE' },
  vacuum: { type: 'DDL', subtype: 'VACUUM' },
  execute: { type: 'DML', subtype: 'SELECT' },
  'create table as': { type: 'DDL', subtype: 'CREATE_TABLE_AS_SELECT' },
}

/** A table is made of a query, unless columns follow its name. */
const isCreateAs = (text: string) =>
  /^\s*CREATE\s+TABLE\b.*\bAS\b/is.test(text) &&
  !/^\s*CREATE\s+TABLE\s+(IF\s+NOT\s+EXISTS\s+)?[\w."`]+\s*\(/i.test(text)

/** Clients tell who they are in comments before their statements. */
const withoutComments = (text: string) =>
  text.replace(/^(?:\s+|--[^\n]*(?:\n|$)|\/\*(?:[^*]|\*(?!\/))*\*\/)+/, '')

/** What is known of a statement before it is run. */
export function kindOf(sent: string): Pick<AthenaExecution, 'type' | 'subtype'> {
  const text = withoutComments(sent)
  const word = /^[\s(]*(\w+)/.exec(text)?.[1]?.toUpperCase() ?? ''
  if (['SELECT', 'WITH', 'VALUES', 'TABLE', 'EXECUTE'].includes(word)) return kinds.query as never
  if (Object.hasOwn(kinds, word.toLowerCase())) return kinds[word.toLowerCase()] as never
  if (/^CREATE\s+(OR\s+REPLACE\s+)?VIEW\b/i.test(text))
    return { type: 'DDL', subtype: 'CREATE_VIEW' }
  if (/^CREATE\s+EXTERNAL\b/i.test(text)) return { type: 'DDL', subtype: 'CREATE_TABLE' }
  if (isCreateAs(text)) return kinds['create table as'] as never
  if (word === 'SHOW' || word === 'DESCRIBE' || word === 'DESC')
    return {
      type: 'UTILITY',
      subtype: text.trim().split(/\s+/).slice(0, 2).join('_').toUpperCase(),
    }
  return { type: 'DDL', subtype: text.trim().split(/\s+/).slice(0, 2).join('_').toUpperCase() }
}

/** The result of what gives no rows. */
const NOTHING: Shown = { columns: [], rows: [] }

/** Runs a statement to its end; what it throws is why it failed. */
export async function run(one: AthenaExecution, parts: RunParts): Promise<void> {
  const { service } = parts
  one.state = 'RUNNING'
  const { statement, text } = parsed(one, parts)
  const tables = await parts.views.tables(one.caller, one.database)
  const shown = showOf(statement, tables)
  const show = (rows: Shown, change: () => Promise<unknown> = async () => {}) =>
    storing(one, parts, async (stored) => {
      await keepShown(one, rows, stored)
      await change()
    })
  if (shown) return show(shown)
  const context: Context = { statement: text, table: (p, at) => tables.table(text, p, at) }
  const asking = (sql: string): QueryRequest => ({
    principal: one.caller,
    sql,
    written: one.query,
    fresh: one.reuse === false,
    workgroup: one.group,
    signal: one.stop.signal,
  })
  const ask = (query: Query) => asking(translateQuery(query, context).sql)
  const askInsert: Site['askInsert'] = (statement) => {
    const { sql, columns } = translateInsert(statement, context)
    return { request: asking(sql), columns }
  }
  const askChange: Site['askChange'] = (statement, places) => {
    const change = translateChange(statement, context)
    return { change, request: { ...asking(change.sql), places } }
  }
  switch (statement.kind) {
    case 'query': {
      const { sql, fields } = translateShown(statement.query, context)
      return keepRows(one, { request: asking(sql), fields }, parts)
    }
    case 'explain':
      return show(await explained(ask(statement.query), service))
    case 'prepare': {
      const { name, text: prepared } = statement
      return show(NOTHING, () =>
        parts.prepared.put(one.caller, { name, workgroup: one.workgroup, text: prepared }),
      )
    }
    case 'deallocate':
      return show(NOTHING, () => parts.prepared.delete(one.caller, one.workgroup, statement.name))
    case 'execute':
      throw new MoraineError('query', 'A prepared statement cannot execute another')
    default:
      return write(statement, one, { tables, ask, askInsert, askChange, text }, parts)
  }
}

/** What the engine is asked, and what it would give. */
async function explained(request: QueryRequest, service: QueryService): Promise<Shown> {
  const { columns } = await service.describe(request)
  const lines = [
    `Output: ${columns.map(({ name, type }) => `${name} ${type}`).join(', ')}`,
    ...request.sql.split('\n'),
  ]
  const rows = lines.map((line) => [line])
  return { columns: [columnInfo('Query Plan', 'VARCHAR')], rows, hasHeader: true }
}

/**
 * Runs a statement that writes. Its result, which is empty, is stored before anything is changed:
 * a statement that has failed has changed nothing, and one that has succeeded has its result.
 */
async function write(
  statement: Statement,
  one: AthenaExecution,
  site: Omit<Site, 'stored' | 'done'>,
  parts: RunParts,
): Promise<void> {
  const done: Done = { rows: undefined, isCommitted: false }
  try {
    await storing(one, parts, async (stored) => {
      await keepShown(one, NOTHING, stored)
      await parts.writes.run(statement, one, { ...site, stored, done }).catch((error) => {
        if (!done.isCommitted) throw error
        // What was left to be done after the commit is nothing that its client sees.
        parts.onError?.(error)
      })
    })
  } catch (error) {
    one.result = undefined
    one.statistics = { ...one.statistics, bytesOut: 0 }
    delete one.statistics.manifest
    throw error
  }
  if (one.result && done.rows !== undefined) one.result.updateCount = done.rows
}

/** Stores files of a statement, which are removed again where it fails. */
async function storing(
  one: AthenaExecution,
  { stores, onError }: RunParts,
  store: (stored: StoredFiles) => Promise<void>,
): Promise<void> {
  const stored = new StoredFiles(stores.of(one.caller))
  try {
    await store(stored)
  } catch (error) {
    await stored.remove().catch((problem) => onError?.(problem))
    throw error
  }
}

/** The statement, with the one that it names in its place where it is EXECUTE. */
function parsed(one: AthenaExecution, { prepared }: RunParts): ParsedStatement {
  const isExecute = /^EXECUTE\b/i.test(withoutComments(one.query))
  const first = parseStatement(one.query, isExecute ? [] : one.parameters)
  if (first.statement.kind !== 'execute') return first
  const { name, values } = first.statement
  const { text } = prepared.get(one.caller, one.workgroup, name)
  return parseStatement(text, values.length > 0 ? values : one.parameters)
}

/** Runs a query, writes its result's files, and remembers where its rows are. */
async function keepRows(
  one: AthenaExecution,
  {
    request,
    fields,
  }: { request: QueryRequest; fields: ReturnType<typeof translateShown>['fields'] },
  parts: RunParts,
): Promise<void> {
  const { service } = parts
  const { id } = service.start(request)
  const ended = await service.finished(id, one.caller)
  const { statistics, state, error, columns = [] } = ended
  Object.assign(one.statistics, {
    scanned: statistics.bytesRead || statistics.bytesEstimated,
    runMs: statistics.runMs,
    queuedMs: statistics.queuedMs,
    rows: statistics.rows,
    reused: statistics.reused,
  })
  if (state !== 'succeeded')
    throw service.known(
      new MoraineError(
        (error?.kind ?? 'query') as 'query',
        error?.message ?? 'The query was stopped',
        error?.hint === undefined ? {} : { hint: error.hint },
      ),
    )
  const infos = columns.map(({ name, type }, i) => columnInfo(name, type, fields[i]?.type))
  const writers = columns.map(({ type }, i) => writerOf(type, fields[i]?.type))
  const texts = (row: readonly unknown[]) => writers.map((write, i) => write(row[i] as never))
  const stated = fields.map(({ type }) => type ?? null)
  one.result = { columns: infos, hasHeader: true, rows: { execution: id }, types: stated }
  if (one.output === undefined) return
  const lines = async function* () {
    yield Buffer.from(csvLine(infos.map(({ Name }) => Name)))
    for await (const batch of service.resultRows(id, one.caller))
      yield Buffer.from(batch.map((row) => csvLine(texts(row))).join(''))
  }
  await storing(one, parts, (stored) => stored.putResult(one, lines(), infos))
}

/** Keeps rows of texts, which are few. */
async function keepShown(
  one: AthenaExecution,
  { columns, rows, hasHeader = false }: Shown,
  stored: StoredFiles,
): Promise<void> {
  one.result = { columns, hasHeader, rows }
  one.statistics.rows = rows.length
  const lines = (async function* () {
    yield Buffer.from(rows.map(textLine).join(''))
  })()
  await stored.putResult(one, lines, columns)
}
