import { MoraineError } from '../../../errors.js'
import type { QueryRequest } from '../../../query/service/request.js'
import type { QueryService } from '../../../query/service/service.js'
import type { Query } from '../../../sql/trino/parse/tree.js'
import {
  type ParsedStatement,
  parseStatement,
  type Statement,
} from '../../../sql/trino/statement.js'
import { translateChange, translateInsert, translateQuery } from '../../../sql/trino/translate.js'
import type { Context } from '../../../sql/trino/write/scope.js'
import { invalidRequest } from '../protocol/failure.js'
import { addressIn, type ObjectStores } from '../s3/store.js'
import type { AthenaExecution, Result } from './execution.js'
import type { Prepared } from './named.js'
import { csvLine, metadataFile, textLine } from './result-files.js'
import { type Shown, showOf } from './show.js'
import { Tables } from './tables.js'
import { columnInfo } from './types.js'
import { writerOf } from './values.js'
import type { Site, Writes } from './writes.js'

/** What executions are run with. */
export interface RunParts {
  service: QueryService
  stores: ObjectStores
  writes: Writes
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

/** What is known of a statement before it is run. */
export function kindOf(text: string): Pick<AthenaExecution, 'type' | 'subtype'> {
  const word = /^[\s(]*(\w+)/.exec(text)?.[1]?.toUpperCase() ?? ''
  if (['SELECT', 'WITH', 'VALUES', 'TABLE', 'EXECUTE'].includes(word)) return kinds.query as never
  if (Object.hasOwn(kinds, word.toLowerCase())) return kinds[word.toLowerCase()] as never
  if (isCreateAs(text)) return kinds['create table as'] as never
  if (word === 'SHOW' || word === 'DESCRIBE' || word === 'DESC')
    return {
      type: 'UTILITY',
      subtype: text.trim().split(/\s+/).slice(0, 2).join('_').toUpperCase(),
    }
  return { type: 'DDL', subtype: text.trim().split(/\s+/).slice(0, 2).join('_').toUpperCase() }
}

/** Runs a statement to its end; what it throws is why it failed. */
export async function run(one: AthenaExecution, parts: RunParts): Promise<void> {
  const { service } = parts
  one.state = 'RUNNING'
  const { statement, text } = parsed(one, parts)
  const tables = new Tables(await service.tables(one.caller), one.caller, one.database)
  const shown = showOf(statement, tables)
  if (shown) return keepShown(one, shown, parts)
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
    case 'query':
      return keepRows(one, ask(statement.query), parts)
    case 'explain': {
      const request = ask(statement.query)
      const { columns } = await service.describe(request)
      const lines = [
        `Output: ${columns.map(({ name, type }) => `${name} ${type}`).join(', ')}`,
        ...request.sql.split('\n'),
      ]
      return keepShown(
        one,
        { columns: [columnInfo('Query Plan', 'VARCHAR')], rows: lines.map((line) => [line]) },
        parts,
      )
    }
    case 'prepare':
      await parts.prepared.put(one.caller, {
        name: statement.name,
        workgroup: one.workgroup,
        text: statement.text,
      })
      return keepShown(one, { columns: [], rows: [] }, parts)
    case 'deallocate':
      await parts.prepared.delete(one.caller, one.workgroup, statement.name)
      return keepShown(one, { columns: [], rows: [] }, parts)
    case 'execute':
      throw new MoraineError('query', 'A prepared statement cannot execute another')
    default:
      return write(statement, one, { tables, ask, askInsert, askChange, text }, parts)
  }
}

/** Runs a statement that writes. */
async function write(
  statement: Statement,
  one: AthenaExecution,
  site: Site,
  parts: RunParts,
): Promise<void> {
  const done = await parts.writes.run(statement, one, site)
  // It is done, whether its empty result can be kept or not: who is told that it failed does it
  // again.
  await keepShown(one, { columns: [], rows: [] }, parts).catch((error) => parts.onError?.(error))
  if (one.result && done.rows !== undefined) one.result.updateCount = done.rows
}

/** The statement, with the one that it names in its place where it is EXECUTE. */
function parsed(one: AthenaExecution, { prepared }: RunParts): ParsedStatement {
  const isExecute = /^\s*EXECUTE\b/i.test(one.query)
  const first = parseStatement(one.query, isExecute ? [] : one.parameters)
  if (first.statement.kind !== 'execute') return first
  const { name, values } = first.statement
  const { text } = prepared.get(one.caller, one.workgroup, name)
  return parseStatement(text, values.length > 0 ? values : one.parameters)
}

/** Runs a query, writes its result's files, and remembers where its rows are. */
async function keepRows(
  one: AthenaExecution,
  request: QueryRequest,
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
  const infos = columns.map(({ name, type }) => columnInfo(name, type))
  const writers = columns.map(({ type }) => writerOf(type))
  const texts = (row: readonly unknown[]) => writers.map((write, i) => write(row[i] as never))
  one.result = { columns: infos, hasHeader: true, rows: { execution: id } }
  if (one.output === undefined) return
  const lines = async function* () {
    yield Buffer.from(csvLine(infos.map(({ Name }) => Name)))
    for await (const batch of service.resultRows(id, one.caller))
      yield Buffer.from(batch.map((row) => csvLine(texts(row))).join(''))
  }
  await keepFiles(one, parts, lines(), infos)
}

/** Keeps rows of texts, which are few. */
async function keepShown(
  one: AthenaExecution,
  { columns, rows }: Shown,
  parts: RunParts,
): Promise<void> {
  one.result = { columns, hasHeader: false, rows }
  one.statistics.rows = rows.length
  if (one.output === undefined) return
  const lines = (async function* () {
    yield Buffer.from(rows.map(textLine).join(''))
  })()
  await keepFiles(one, parts, lines, columns)
}

async function keepFiles(
  one: AthenaExecution,
  { stores }: RunParts,
  lines: AsyncIterable<Buffer>,
  columns: Result['columns'],
): Promise<void> {
  const at = addressIn(one.output ?? '')
  if (!at) throw invalidRequest('The output location is not an address of S3')
  const store = stores.of(one.caller)
  const { size } = await store.put(at.bucket, at.key, lines, {
    contentType: 'application/octet-stream',
  })
  one.statistics.bytesOut = size
  const metadata = (async function* () {
    yield metadataFile(columns)
  })()
  await store.put(at.bucket, `${at.key}.metadata`, metadata, {})
}
