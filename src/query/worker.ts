/*
 * The process in which queries run, one after the other. It is given the SQL and the files of the tables, proves the SQL
 * on its parsed tree, and then shuts every door but those files before it runs it. Doors stay shut: each query has an engine of its own.
 */
import { quoteName, quoteText } from '../define/sql.js'
import { DuckDB } from '../engine/duckdb/duckdb.js'
import type { ResultRow, Session } from '../engine/engine.js'
import { parseTree } from '../engine/parse.js'
import { SqlError } from '../engine/sql-error.js'
import { MoraineError, messageOf } from '../errors.js'
import { proveSelect } from './guard.js'
import type { RelationFiles, Reply, Request } from './protocol.js'
import { columnsNamed, predicatesFor } from './pushdown.js'

class QueryProcess {
  private engine = DuckDB.start()
  private session: Session | undefined
  private batches: AsyncIterator<ResultRow[]> | undefined

  async answer(request: Request): Promise<Reply> {
    switch (request.type) {
      case 'parse':
        return this.parse(request.sql, request.extensions)
      case 'run':
        return this.run(request)
      case 'next': {
        const next = await this.batches?.next()
        return { type: 'rows', rows: next?.done === false ? next.value : null }
      }
    }
  }

  private async parse(sql: string, extensions: string | undefined): Promise<Reply> {
    if (this.session) {
      await this.close()
      this.session = undefined
      this.engine = DuckDB.start()
    }
    const engine = await this.engine
    this.session = await engine.open()
    const serialized = await parseTree(this.session, sql)
    const tables = proveSelect(serialized, sql)
    const reaches = extensions !== undefined && (await this.loadHttpfs(this.session, extensions))
    return {
      type: 'parsed',
      reaches,
      named: columnsNamed(serialized),
      tables: tables.map((table) => ({ table, predicates: predicatesFor(table, serialized) })),
    }
  }

  private async loadHttpfs(session: Session, extensions: string): Promise<boolean> {
    await session.run(`SET extension_directory = ${quoteText(extensions)}`)
    return session.loads('httpfs')
  }

  private async run({ sql, relations, access }: Extract<Request, { type: 'run' }>): Promise<Reply> {
    const session = this.open()
    proveSelect(await parseTree(session, sql), sql)
    if (access) await session.reach(access)
    for (const relation of relations) {
      if (!relation.schema) await session.hold(relation.files)
      await session.define(relation.tier, relation.name, relationSql(session, relation))
    }
    const files = relations
      .flatMap((relation) => relation.files)
      .flatMap(({ location, deletes = [] }) => [location, ...deletes.map((d) => d.location)])
      .map((location) => session.fileName(location))
    if (files.length > 0)
      await session.run(`SET allowed_paths = [${files.map(quoteText).join(', ')}]`)
    await session.run('SET enable_external_access = false')
    await session.run('SET lock_configuration = true')
    const result = await session.stream(sql)
    this.batches = result.batches[Symbol.asyncIterator]()
    return { type: 'columns', columns: result.columns.map(({ name, type }) => ({ name, type })) }
  }

  private open(): Session {
    if (!this.session) throw new Error('the query was not parsed')
    return this.session
  }

  async close(): Promise<void> {
    this.session?.close()
    await (await this.engine).close()
  }
}

function relationSql(session: Session, { schema, columns, files }: RelationFiles): string {
  if (schema) return session.table(schema, files)
  if (files.length > 0)
    return `SELECT ${columns.map(quoteName).join(', ')} FROM (${session.batches(files)})`
  const nulls = columns.map((name) => `CAST(NULL AS VARCHAR) AS ${quoteName(name)}`)
  return `SELECT ${nulls.join(', ') || 'NULL AS "no rows yet"'} WHERE false`
}

const query = new QueryProcess()
process.on('message', (request: Request) => {
  query.answer(request).then(
    (reply) => process.send?.(reply),
    (error) => {
      const hint = error instanceof MoraineError ? error.hint : undefined
      // The engine's own message points at the line.
      const message = messageOf(error instanceof SqlError ? error.cause : error)
      process.send?.({ type: 'failed', message, ...(hint ? { hint } : {}) })
    },
  )
})
process.on('SIGINT', () => {})
const end = () => {
  query.close().finally(() => process.exit(0))
}
process.on('disconnect', end)
// Who started this process may be gone before it was loaded.
if (!process.connected) end()
