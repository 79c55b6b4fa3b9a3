import { createReadStream } from 'node:fs'
import { MoraineError } from '../../../errors.js'
import type { QueryAnswer } from '../../../query/service/request.js'
import type { QueryService } from '../../../query/service/service.js'
import { abortController } from '../../../signals.js'
import type { ChangeStatement } from '../../../sql/trino/parse/change.js'
import type { Property, Statement } from '../../../sql/trino/statement.js'
import { LAKE_BUCKET } from '../s3/lake-files.js'
import { addressIn, type ObjectStores } from '../s3/store.js'
import type { AthenaExecution } from './execution.js'
import type { TableName, ToWrite, WrittenRows } from './lake-access.js'
import type { LakeTables } from './lake-tables.js'
import type { DefinitionStatements } from './relations/definition-statements.js'
import type { Site } from './relations/site.js'
import type { StoredFiles } from './results/stored-files.js'
import type { TableChanges } from './table-changes.js'
import type { TableDefinitions } from './table-definitions.js'

type Of<K extends Statement['kind']> = Extract<Statement, { kind: K }>

/** What writes to the lake. */
interface LakeWrites {
  tables: LakeTables
  changes: TableChanges
  definitions: TableDefinitions
}

/** Statements that write: into namespaces that `lake.ts` does not define, or beside results. */
export class Writes {
  constructor(
    private readonly service: QueryService,
    private readonly lake: LakeWrites,
    private readonly stores: ObjectStores,
    private readonly definitions: Pick<DefinitionStatements, 'run'>,
  ) {}

  async run(statement: Statement, one: AthenaExecution, site: Site): Promise<void> {
    const named = (parts: readonly string[]) =>
      site.tables.split(
        parts,
        (why, hint) => new MoraineError('query', why, hint === undefined ? {} : { hint }),
      )
    one.stop.signal.throwIfAborted()
    switch (statement.kind) {
      case 'create table as':
        return this.createAs(statement, one, site, named(statement.table))
      case 'insert': {
        const table = named(statement.table)
        await this.lake.changes.refuseChanging(one.caller, 'insert rows', table)
        const { request, columns } = site.askInsert(statement)
        site.done.rows = 0
        await using answer = await this.service.query(request)
        const from = toWrite(one, site, answer)
        await this.lake.tables.insert(one.caller, { ...table, columns }, from)
        one.statistics.scanned = answer.statistics.bytesRead
        return
      }
      case 'unload':
        return this.unload(statement, one, site)
      default: {
        const making = { ...site, commit: committing(one, site) }
        const isDone = await this.definitions.run(statement, one, making, named)
        if (!isDone) await this.alter(statement, one, site, named)
      }
    }
  }

  /** Statements that change rows of tables, what tables are like, or how they lie. */
  private async alter(
    statement: Statement,
    one: AthenaExecution,
    site: Site,
    named: (parts: readonly string[]) => TableName,
  ): Promise<void> {
    const { changes, definitions } = this.lake
    switch (statement.kind) {
      case 'delete':
      case 'update':
      case 'merge':
        return this.change(statement, one, site, named(statement.target.parts))
      case 'optimize':
        return this.optimize(statement, one, site, named(statement.target.parts))
      case 'vacuum':
        return changes.vacuum(one.caller, named(statement.table))
      case 'create table':
        return definitions.create(one.caller, named(statement.table), statement)
      case 'alter table': {
        const { table, alteration } = statement
        const from = named(table)
        if (alteration.does !== 'rename') await definitions.alter(one.caller, from, alteration)
        else {
          const [name = '', ...above] = [...alteration.to].reverse()
          const to = above.length > 0 ? alteration.to : [from.schema, name]
          await definitions.rename(one.caller, from, named(to))
        }
        return
      }
      default:
        throw new MoraineError('query', `${statement.kind.toUpperCase()} is not served`, {
          hint: 'Views of the lake are defined in lake.ts.',
        })
    }
  }

  /** Changes rows of a table, which a query finds that is asked like all others. */
  private async change(
    statement: ChangeStatement,
    one: AthenaExecution,
    site: Site,
    named: TableName,
  ): Promise<void> {
    const { changes } = this.lake
    await changes.refuseChanging(one.caller, statement.kind, named)
    site.done.rows = 0
    if (statement.kind === 'delete' && !statement.where)
      return changes.deleteAll(one.caller, named, { commit: committing(one, site) })
    const places = { tier: named.schema, name: named.name }
    const { request, change } = site.askChange(statement, places)
    await using answer = await this.service.query(request)
    await changes.change(one.caller, named, change, toWrite(one, site, answer))
    one.statistics.scanned = answer.statistics.bytesRead
  }

  private async optimize(
    { target, where }: Of<'optimize'>,
    one: AthenaExecution,
    { askChange }: Site,
    named: TableName,
  ): Promise<void> {
    const { changes } = this.lake
    await changes.refuseOptimizing(one.caller, named)
    if (!where) return changes.optimize(one.caller, named, undefined, one.stop.signal)
    // Files are meant that have such rows.
    const table = { tier: named.schema, name: named.name }
    const { request } = askChange({ kind: 'delete', target, where }, table)
    const sql = `SELECT DISTINCT "m file" FROM (${request.sql}) AS "m found"`
    const files = new Set<string>()
    await using answer = await this.service.query({ ...request, sql })
    for await (const rows of answer.rows) for (const [file] of rows) files.add(String(file))
    one.statistics.scanned = answer.statistics.bytesRead
    await changes.optimize(one.caller, named, files, one.stop.signal)
  }

  private async createAs(
    { ifNotExists, properties, query, noData }: Of<'create table as'>,
    one: AthenaExecution,
    site: Site,
    { schema, name }: { schema: string; name: string },
  ): Promise<void> {
    const { partitions, compression } = storageOf(properties)
    const place = placeOf(properties)
    site.done.rows = 0
    if (ifNotExists && (await this.lake.tables.exists(one.caller, schema, name))) return
    await this.lake.tables.refuseCreating(one.caller, schema, name)
    await using answer = await this.service.query(site.ask(query))
    await this.lake.tables.create(
      one.caller,
      { schema, name, partitions, compression, noData },
      toWrite(one, site, answer, async ({ files }) => {
        const urls = await links(one, site.stored, files, { schema, name, place })
        await manifest(one, site.stored, urls, 'tables/')
      }),
    )
    one.statistics.scanned = answer.statistics.bytesRead
  }

  private async unload(
    { query, to, properties }: Of<'unload'>,
    one: AthenaExecution,
    { ask, stored, done }: Site,
  ): Promise<void> {
    const format = String(properties.get('format') ?? '').toUpperCase()
    if (format !== 'PARQUET')
      throw new MoraineError(
        'query',
        `UNLOAD writes PARQUET, and not ${format || 'a format that is not named'}`,
        {
          hint: "Write WITH (format = 'PARQUET').",
        },
      )
    if (properties.has('partitioned_by'))
      throw new MoraineError('query', 'UNLOAD with partitioned_by is not served', {
        hint: 'Create a table from the query.',
      })
    const at = addressIn(to)
    if (!at || at.bucket === LAKE_BUCKET)
      throw new MoraineError('query', `'${to}' is not an address to write to: s3://bucket/folder/`)
    const store = this.stores.of(one.caller)
    const folder = at.key === '' || at.key.endsWith('/') ? at.key : `${at.key}/`
    if ((await store.list(at.bucket, folder)).some((one) => !stored.has(one)))
      throw new MoraineError(
        'query',
        `HIVE_PATH_ALREADY_EXISTS: Target directory for table '${to}' already exists`,
        { hint: 'Unload into an empty folder.' },
      )
    await using answer = await this.service.query(ask(query))
    const { signal } = one.stop
    await this.lake.tables.parquet({ answer, signal }, async (paths, rows) => {
      const urls = paths.map((_, i) => `s3://${at.bucket}/${folder}${one.id}_${i}.parquet`)
      const contentType = 'application/octet-stream'
      for (const [i, path] of paths.entries()) {
        signal.throwIfAborted()
        await stored.put(urls[i] as string, createReadStream(path), { contentType })
      }
      await manifest(one, stored, urls, '')
      done.rows = rows
    })
    one.statistics.scanned = answer.statistics.bytesRead
  }
}

/** Rows for a table; what is to be stored with them is, before they are committed. */
function toWrite(
  one: AthenaExecution,
  site: Site,
  answer: QueryAnswer,
  store?: (written: WrittenRows) => Promise<void>,
): ToWrite {
  return { answer, signal: one.stop.signal, commit: committing(one, site, store) }
}

/** What is in the lake can't be stopped any more, and nobody is told that it was. */
function committing(
  one: AthenaExecution,
  { done }: Site,
  store: (written: WrittenRows) => Promise<void> = async () => {},
): ToWrite['commit'] {
  return async (written, make) => {
    await store(written)
    one.stop.signal.throwIfAborted()
    one.stop = abortController()
    await make()
    Object.assign(done, { rows: written.rows, isCommitted: true })
  }
}

/** Shows the files of a new table beside the statement's result, as clients expect them there. */
async function links(
  one: AthenaExecution,
  stored: StoredFiles,
  files: WrittenRows['files'],
  { place, schema, name }: { schema: string; name: string; place: ReturnType<typeof placeOf> },
): Promise<string[]> {
  const shown = place ?? addressIn(one.output ?? '')
  if (!shown) return []
  const folder = place?.folder ?? `${shown.key.replace(/[^/]*$/, '')}tables/${one.id}/`
  const levels = [...schema.split('.'), name.toLowerCase()]
  const urls: string[] = []
  for (const { path, bytes } of files) {
    const url = `s3://${shown.bucket}/${folder}${path.slice(path.lastIndexOf('/') + 1)}`
    await stored.link(url, { path, levels }, bytes)
    urls.push(url)
  }
  return urls
}

/** Lists the files that a statement wrote, as clients look for them. */
async function manifest(
  one: AthenaExecution,
  stored: StoredFiles,
  urls: readonly string[],
  folder: string,
): Promise<void> {
  if (one.output === undefined) return
  const url = `${one.output.replace(/[^/]*$/, '')}${folder}${one.id}-manifest.csv`
  const bytes = (async function* () {
    yield Buffer.from(urls.map((one) => `${one}\n`).join(''))
  })()
  await stored.put(url, bytes, { contentType: 'text/csv' })
  one.statistics.manifest = url
}

/**
 * Where the files of a new table are to be shown, if somewhere else than beside the result.
 *
 * @throws MoraineError of kind `query` for a place that files are not shown at.
 */
function placeOf(properties: ReadonlyMap<string, Property>) {
  const asked = properties.get('external_location') ?? properties.get('location')
  if (asked === undefined) return undefined
  const at = addressIn(String(asked))
  const folder = at?.key.replace(/\/*$/, '/') ?? '/'
  if (at && at.bucket !== LAKE_BUCKET && folder !== '/') return { ...at, folder }
  throw new MoraineError('query', `'${asked}' is not an address to write to: s3://bucket/folder/`, {
    hint: 'Leave it out, or name a folder of a bucket of yours: the files of the table are shown there.',
  })
}

/** Properties that mean the same, or nothing, for a table that is one of Iceberg. */
const IGNORED = [
  'external_location',
  'location',
  'is_external',
  'table_type',
  'write_target_data_file_size_bytes',
]

function storageOf(properties: ReadonlyMap<string, Property>): {
  partitions: string[]
  compression: 'zstd' | 'snappy'
} {
  const of = (name: string) => properties.get(name)
  const format = String(of('format') ?? 'PARQUET').toUpperCase()
  if (format !== 'PARQUET')
    throw new MoraineError('query', `Tables are written as PARQUET, and not as ${format}`, {
      hint: "Write WITH (format = 'PARQUET').",
    })
  const codec = String(of('parquet_compression') ?? of('write_compression') ?? 'ZSTD').toLowerCase()
  if (codec !== 'zstd' && codec !== 'snappy' && codec !== 'gzip')
    throw new MoraineError('query', `Parquet is not compressed by ${codec} here`, {
      hint: 'Choose ZSTD or SNAPPY.',
    })
  const known = [
    'format',
    'parquet_compression',
    'write_compression',
    'partitioned_by',
    'partitioning',
    ...IGNORED,
  ]
  const strange = [...properties.keys()].find((name) => !known.includes(name))
  if (strange !== undefined)
    throw new MoraineError('query', `The table property '${strange}' is not served`, {
      hint: `Known are ${known.join(', ')}.`,
    })
  const partitions = of('partitioned_by') ?? of('partitioning') ?? []
  if (!Array.isArray(partitions))
    throw new MoraineError('query', "Partitions are a list: ARRAY['day']")
  return { partitions: [...partitions], compression: codec === 'snappy' ? 'snappy' : 'zstd' }
}
