/*
 * The process in which queries run, one after the other. It is given the SQL and the files of the
 * tables, proves the SQL on its parsed tree, and then shuts every door but those files before it
 * runs it. Doors stay shut: a query of other files has another engine, which may open what the
 * queries before it had as well.
 */

import { isDeepStrictEqual } from 'node:util'
import { badRules } from '../define/access/rights.js'
import { quoteName } from '../define/sql/sql.js'
import type { Engine, ResultRow, Session } from '../engine/engine.js'
import { type EngineOptions, openEngine } from '../engine/open.js'
import { isEngineLost, SqlError, shortOf } from '../engine/sql-error.js'
import { DiskFull } from '../engine/stopped.js'
import { MoraineError, messageOf } from '../errors.js'
import { areRepeatable } from '../plan/repeatable.js'
import { watchParent } from '../process/watchdog.js'
import { folded } from '../sql/relations.js'
import { engineSchema, inUsersWords, withEngineSchemas } from '../sql/system-schema.js'
import type { ObjectAccess } from '../storage/staging.js'
import { defaultMemory, type Excess, engineShare, type Limits, limitsOf } from './limits.js'
import { bindValues, checkValues, refuseUnnamed } from './parameters/values.js'
import { locationsOf, type RelationFiles, type Reply, type Request } from './protocol.js'
import { type Proven, proved } from './proved.js'
import { aliasesOf, columnsNamed, predicatesFor, timesNamed } from './pushdown.js'
import { sizer } from './result-size.js'

/** Files of queries before that an engine may open. */
const REMEMBERED = 10_000
/** Bytes of rows that are given at once: whoever reads them holds all of them. */
const TOGETHER = 16 * 2 ** 20

/** What an engine is started with. */
interface Needs extends Pick<Limits, 'memory' | 'spill' | 'threads'> {
  extensions: string | undefined
}

function engineOptions({ memory, spill, threads }: Partial<Needs>): EngineOptions {
  return { ...engineShare(memory ?? defaultMemory(), threads), spill }
}

/** An engine for queries, which can open what they name and nothing else once the first has run. */
class Sandbox {
  /** What can be opened, once the doors are shut. */
  private allowed: ReadonlySet<string> | undefined
  private views: RelationFiles[] = []
  private here: string[] = []
  /** Whether nothing stays of the last query. */
  private isClean = true
  /** Whether the engine has ended by a mistake of its own. */
  isLost = false

  private constructor(
    private readonly engine: Engine,
    readonly session: Session,
    readonly needs: Needs,
    /** Whether objects of buckets can be read where they lie. */
    readonly reaches: boolean,
  ) {}

  static async around(engine: Engine, needs: Needs): Promise<Sandbox> {
    const session = await engine.open()
    const { extensions } = needs
    if (extensions === undefined) return new Sandbox(engine, session, needs, false)
    await engine.extensionsFrom(extensions)
    return new Sandbox(engine, session, needs, await session.files.loads('httpfs'))
  }

  /** Makes it ready for another query; `false` when that needs another engine. */
  async clear(needs: Needs): Promise<boolean> {
    if (this.isLost || !this.isClean || !isDeepStrictEqual(this.needs, needs)) return false
    for (const name of this.here) await this.session.undefineHere(name)
    for (const { tier, name } of this.views) await this.session.undefine(engineSchema(tier), name)
    this.views = []
    this.here = []
    return true
  }

  /** Whether a query can be run that reads these files. */
  allows(paths: readonly string[], access: ObjectAccess | undefined): boolean {
    const { allowed } = this
    return !allowed || (!access && paths.every((path) => allowed.has(path)))
  }

  /** Another one in its place, with its doors open. */
  async renewed(needs: Needs): Promise<Sandbox> {
    await this.close()
    return Sandbox.around(await openEngine(engineOptions(needs)), needs)
  }

  async define(
    relations: readonly RelationFiles[],
    bare: readonly { name: string; schema: string }[],
  ): Promise<void> {
    for (const relation of relations) {
      const { tier, name, schema, files } = relation
      if (!schema && relation.query === undefined && !relation.lines) {
        this.isClean = false
        await this.session.files.hold(files)
      }
      const defined = this.session.define(
        engineSchema(tier),
        name,
        relationSql(this.session, relation),
      )
      await (relation.rules ? defined.catch(inOwnWords(relation)) : defined)
      this.views.push(relation)
    }
    for (const { name, schema } of bare) {
      const from = `${quoteName(engineSchema(schema))}.${quoteName(name)}`
      await this.session.defineHere(name, `SELECT * FROM ${from}`)
      this.here.push(name)
    }
  }

  async reach(access: ObjectAccess): Promise<void> {
    this.isClean = false
    await this.session.files.reach(access)
  }

  /** Shuts the doors to all but these files, and those of queries before. */
  async shut(paths: Iterable<string>): Promise<void> {
    if (this.allowed) return
    this.allowed = new Set(paths)
    await this.engine.confineToFiles([...this.allowed])
  }

  async close(): Promise<void> {
    this.session.close()
    await this.engine.close()
  }
}

class QueryProcess {
  /** Started before it is known what is asked: most queries have no limits of their own. */
  private readonly first = openEngine(engineOptions({}))
  private limits = limitsOf()
  private rows = 0
  private bytes = 0
  private sizeOf = sizer([])
  /** Rows that were read, and not given yet. */
  private left: ResultRow[] = []
  private sandbox: Sandbox | undefined
  /** What was proved last. */
  private sql = ''
  /** Tables that it names without a namespace, and the one that is meant. */
  private bare: { name: string; schema: string }[] = []
  private batches: AsyncIterator<ResultRow[]> | undefined
  /** What queries have read so far: a next engine may open it too, so that there are few. */
  private known: string[] = []

  async answer(request: Request): Promise<Reply> {
    switch (request.type) {
      case 'parse':
        return this.parse(request)
      case 'tables':
        return this.tables(request)
      case 'describe':
        return this.describe(request.relations)
      case 'run':
        return this.run(request)
      case 'next':
        return this.next()
    }
  }

  /** Notes why a request has failed. */
  failed(error: unknown): void {
    if (this.sandbox && isEngineLost(error)) this.sandbox.isLost = true
  }

  private async parse(asked: Extract<Request, { type: 'parse' }>): Promise<Reply> {
    const { sql, limits, extensions, parameters, isDescribed = false, schema } = asked
    const { expressions = [] } = asked
    watchdog.limitMemory(limits.memory)
    this.limits = limits
    this.rows = this.bytes = 0
    this.left = []
    const { memory, spill, threads } = limits
    const needs = { memory, spill, threads, extensions }
    const isUsual = memory === defaultMemory() && spill === undefined && threads === undefined
    if (!this.sandbox) {
      const first = await this.first
      this.sandbox = await Sandbox.around(first, isUsual ? needs : { ...needs, memory: 0 })
    }
    if (!(await this.sandbox.clear(needs))) this.sandbox = await this.sandbox.renewed(needs)
    const { session, reaches } = this.sandbox
    const treeOf = (text: string) => session.parser.tree(text)
    const tree = await treeOf(sql)
    if (!isDescribed || parameters !== undefined)
      await refuseUnnamed(sql, parameters, { tree, treeOf })
    const proof = { takesParameters: true, schema, readsSystem: true }
    const found = await proved(session.parser, { sql, tree, expressions }, proof)
    const { nodes, parameters: taken, tables, bare } = found
    if (!isDescribed) checkValues(taken, parameters)
    this.sql = await withEngineSchemas(sql, { tree, nodes, tables, bare }, treeOf)
    this.bare = bare.map((name) => ({ name, schema: schema ?? '' }))
    const named = columnsNamed(nodes)
    bindValues(taken, parameters, nodes)
    return { type: 'parsed', reaches, named, ...readsOf(tables, nodes) }
  }

  private async tables(asked: Extract<Request, { type: 'tables' }>): Promise<Reply> {
    if (!this.sandbox) throw new Error('the query was not parsed')
    const { parser } = this.sandbox.session
    const tree = await parser.tree(asked.sql)
    const { nodes, tables } = await proved(parser, { ...asked, tree }, { readsSystem: true })
    return { type: 'tables', named: columnsNamed(nodes), ...readsOf(tables, nodes) }
  }

  private async describe(relations: readonly RelationFiles[]): Promise<Reply> {
    if (!this.sandbox) throw new Error('the query was not parsed')
    watchdog.begin()
    // A schema says all of a table; what files a bronze relation has is part of its types.
    const needed = relations.map((one) => (one.schema ? { ...one, files: [] } : one))
    if (!this.sandbox.allows(pathsOf(needed), undefined))
      this.sandbox = await this.sandbox.renewed(this.sandbox.needs)
    await this.sandbox.define(needed, this.bare)
    // Binding opens files as well. Those that a run would read stay within reach for one.
    this.know(pathsOf(relations))
    await this.sandbox.shut(this.known)
    const { columns, parameters } = await this.sandbox.session.prepared(this.sql)
    return { type: 'columns', columns, parameters }
  }

  private async run({
    relations,
    access,
    parameters,
    isExplained,
  }: Extract<Request, { type: 'run' }>): Promise<Reply> {
    if (!this.sandbox) throw new Error('the query was not parsed')
    watchdog.begin()
    const paths = pathsOf(relations)
    if (!this.sandbox.allows(paths, access))
      this.sandbox = await this.sandbox.renewed(this.sandbox.needs)
    this.know(paths)
    if (access) await this.sandbox.reach(access)
    await this.sandbox.define(relations, this.bare)
    await this.sandbox.shut(this.known)
    const { session } = this.sandbox
    if (isExplained)
      return { type: 'columns', columns: [], plan: await session.planOf(this.sql, parameters) }
    const result = await session.stream(this.sql, parameters)
    this.batches = result.batches[Symbol.asyncIterator]()
    this.sizeOf = sizer(result.columns)
    return { type: 'columns', columns: result.columns }
  }

  private know(paths: readonly string[]): void {
    if (this.known.length > REMEMBERED) this.known = []
    this.known = [...new Set([...this.known, ...paths])]
  }

  private async next(): Promise<Reply> {
    if (this.left.length > 0) return this.some()
    const next = await this.batches?.next()
    if (next?.done !== false) {
      const isLarge = process.memoryUsage.rss() > this.limits.memory / 2
      return { type: 'rows', rows: null, ...(isLarge ? { isLarge } : {}) }
    }
    this.rows += next.value.length
    if (this.rows > this.limits.rows) return failedBy('rows')
    const bytes = this.sizeOf(next.value)
    this.bytes += bytes
    if (this.bytes > this.limits.bytes) return failedBy('bytes')
    if (bytes <= TOGETHER) return { type: 'rows', rows: next.value }
    this.left = next.value
    return this.some()
  }

  /** As many of the rows that are left as are given at once. */
  private some(): Reply {
    let [count, bytes] = [0, 0]
    for (const row of this.left) {
      if (bytes > TOGETHER) break
      bytes += this.sizeOf([row])
      count++
    }
    return { type: 'rows', rows: this.left.splice(0, count) }
  }
}

/** A limit that was passed; whoever knows the limits says more. */
function failedBy(excess: Excess, message = ''): Reply {
  return { type: 'failed', message, excess }
}

/** What is read, how often, and which functions are called. */
function readsOf(tables: Proven['tables'], nodes: Proven['nodes']) {
  const named = nodes.flatMap(({ function_name: name }) =>
    typeof name === 'string' ? [folded(name)] : [],
  )
  const reads = tables.map((table) => ({
    table,
    predicates: predicatesFor(table, nodes),
    times: timesNamed(table, nodes),
    aliases: aliasesOf(table, nodes),
  }))
  return { tables: reads, functions: [...new Set(named)], isRepeatable: areRepeatable(nodes) }
}

function pathsOf(relations: readonly RelationFiles[]): string[] {
  return locationsOf(relations.flatMap((relation) => relation.files))
}

/** The engine's words for what is wrong with rules have the rules in them. */
const inOwnWords =
  ({ tier, name }: RelationFiles) =>
  (error: unknown): never => {
    const isWrong =
      error instanceof SqlError && /^(Binder|Parser|Catalog)/.test(messageOf(error.cause))
    throw isWrong ? badRules({ tier, name }) : error
  }

function relationSql(session: Session, relation: RelationFiles): string {
  const sql = plainRelation(session, relation)
  return relation.rules ? session.tables.withRules(sql, relation.rules) : sql
}

function plainRelation(session: Session, relation: RelationFiles): string {
  const { schema, columns, files, query, lines, longest } = relation
  if (query !== undefined) return query
  if (lines) return session.files.lines(files[0]?.location, lines, longest)
  if (schema && relation.places) return session.tables.scanWithFiles(schema, files)
  if (schema) return session.tables.scan(schema, files)
  if (files.length > 0)
    return `SELECT ${columns.map(quoteName).join(', ')} FROM (${session.files.batches(files)})`
  const nulls = columns.map((name) => `CAST(NULL AS VARCHAR) AS ${quoteName(name)}`)
  return `SELECT ${nulls.join(', ') || 'NULL AS "no rows yet"'} WHERE false`
}

const watchdog = watchParent('later')
const query = new QueryProcess()
process.on('message', (request: Request) => {
  query.answer(request).then(
    (reply) => {
      process.send?.(reply)
      // While the parent looks for the files that the query reads.
      setImmediate(() => watchdog.begin())
    },
    (error) => {
      query.failed(error)
      const hint = error instanceof MoraineError ? error.hint : undefined
      // The engine's own message points at the line.
      const message = inUsersWords(messageOf(error instanceof SqlError ? error.cause : error))
      const excess = error instanceof DiskFull ? 'disk' : shortOf(message)
      process.send?.(
        excess ? failedBy(excess, message) : { type: 'failed', message, ...(hint ? { hint } : {}) },
      )
    },
  )
})
