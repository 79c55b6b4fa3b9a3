import { randomUUID } from 'node:crypto'
import type { Field } from '../../src/define/types/column-type.js'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import type { Session } from '../../src/engine/engine.js'
import { toJsonText } from '../../src/iceberg/json.js'
import { type DataFile, isDeletes } from '../../src/iceberg/spec/manifest.js'
import { currentSpec, type TableMetadata } from '../../src/iceberg/spec/metadata.js'
import { Table } from '../../src/iceberg/table.js'
import { catalog } from '../../src/serve/rest/catalog.js'
import type { Storage } from '../../src/storage/storage.js'

const TOKEN = 'a token'

/** An engine that keeps a table in the lake through the REST catalog, as others do. */
export class OtherEngine {
  private readonly ask: (method: string, path: string, body: object) => Promise<Response>
  private table: Table

  constructor(
    private readonly storage: Storage,
    readonly name = 'scores',
    private readonly namespace: readonly string[] = ['ml'],
  ) {
    const app = catalog(storage, { token: TOKEN, isLocal: () => true })
    this.ask = async (method, path, body) =>
      app.request(`/v1/${path}`, {
        method,
        headers: { authorization: `Bearer ${TOKEN}` },
        body: JSON.stringify(body),
      })
    this.table = Table.create(storage, `external/${namespace.join('/')}/${name}-${randomUUID()}`)
  }

  private get address() {
    return `namespaces/${encodeURIComponent(this.namespace.join('\u001f'))}`
  }

  /** What is there already is no failure. */
  private async done(asked: Promise<Response>): Promise<void> {
    const answer = await asked
    if (!answer.ok && answer.status !== 409)
      throw new Error(`${answer.status} ${await answer.text()}`)
  }

  /** Creates the table, or gives it other columns. */
  async shape(columns: readonly Field[], renamed: Record<string, string> = {}): Promise<void> {
    for (let depth = 1; depth <= this.namespace.length; depth++)
      await this.done(this.ask('POST', 'namespaces', { namespace: this.namespace.slice(0, depth) }))
    this.table = this.table.reshape({ columns, partitions: [], renamed })
    await this.publish(await this.table.save())
  }

  /** Writes the rows of a query as a new file. */
  async append(sql: string): Promise<void> {
    const added = await this.written(sql)
    await this.publish(await this.table.write({ removed: new Set(), added }))
  }

  /** Writes the rows of a query in the place of all others; `same` where they are the same rows. */
  async overwrite(sql: string, same = false): Promise<void> {
    const added = await this.written(sql)
    const tasks = await this.table.plan()
    const removed = new Set(
      tasks.flatMap(({ file, deletes }) => [file.path, ...deletes.map(({ path }) => path)]),
    )
    await this.publish(await this.table.write({ removed, added, sameRows: same }))
  }

  /** Deletes rows by lists of their positions. */
  async remove(condition: string): Promise<void> {
    const deletes = await this.inSession(async (session) => {
      const found: { file: DataFile; spec: number }[] = []
      for (const task of await this.table.plan()) {
        const location = this.storage.locate(this.table.pathOf(task.file.path))
        const rows = session.tables.scanWithFiles(this.table.schema, [{ location }])
        const places = `SELECT _data_row AS pos FROM (${rows}) WHERE ${condition}`
        const list = await session.tables.writeDeletes(places, {
          location: `${this.table.location}/data/${randomUUID()}-deletes.parquet`,
          of: task.file,
          before: task.deletes.map(({ path }) => path),
        })
        found.push({ file: list, spec: task.spec })
      }
      return found
    })
    const old = (await this.table.plan()).flatMap((task) => task.deletes.map(({ path }) => path))
    await this.publish(await this.table.write({ removed: new Set(old), added: [], deletes }))
  }

  /** Deletes rows by the values of columns, which are named by their field ids. */
  async removeByValue(sql: string, ids: readonly number[]): Promise<void> {
    const { schema, metadata, dataFolder } = this.table
    const fields = schema.fields.filter(({ id }) => ids.includes(id))
    const written = await this.inSession((session) =>
      session.tables.write(sql, {
        schema: { ...schema, fields },
        spec: currentSpec(metadata),
        location: this.storage.locate(dataFolder),
        name: randomUUID(),
      }),
    )
    await this.add(
      written.map((file) => ({ ...file, content: 'equality deletes', equalityIds: ids })),
    )
  }

  /** Names files as a writer might that this program would never be. */
  async add(files: readonly DataFile[]): Promise<void> {
    const isOne = (file: DataFile) => !isDeletes(file)
    const deletes = files.filter(isDeletes).map((file) => ({ file, spec: 0 }))
    const added = files.filter(isOne)
    await this.publish(await this.table.write({ removed: new Set(), added, deletes }))
  }

  /** Says what columns are called in files without field ids. */
  async map(names: Readonly<Record<string, readonly string[]>>): Promise<void> {
    const mapping = this.table.schema.fields.map(({ id, name }) => {
      return { 'field-id': id, names: names[name] ?? [name] }
    })
    const property = { 'schema.name-mapping.default': JSON.stringify(mapping) }
    await this.change((before) => ({
      ...before,
      properties: { ...before.properties, ...property },
    }))
  }

  /** Adds a file that another program wrote, without field ids. */
  async addFile(sql: string): Promise<void> {
    const path = `${this.table.dataFolder}/${randomUUID()}.parquet`
    await this.storage.prepare(path)
    const location = this.storage.locate(path)
    const rows = await this.inSession(async (session) => {
      const file = location.replace('file://', '')
      await session.run(`COPY (${sql}) TO '${file}' (FORMAT parquet)`)
      const [row] = await session.rows(`SELECT count(*) AS n FROM (${sql})`)
      return Number(row?.n)
    })
    const { size = 0 } = (await this.storage.stat(path)) ?? {}
    await this.add([{ path: location, rows, bytes: size, partition: [], columns: new Map() }])
  }

  /** The current metadata, changed by hand. */
  async change(metadata: (before: TableMetadata) => TableMetadata): Promise<void> {
    const path = `${this.table.folder}/metadata/99999-${randomUUID()}.metadata.json`
    const text = toJsonText(metadata(this.table.metadata))
    await this.storage.write(path, new TextEncoder().encode(text))
    await this.register(path)
    // What this program can't read is only looked at from here on.
    this.table = await Table.load(this.storage, path).catch(() => this.table)
  }

  async rename(to: string): Promise<void> {
    const identifier = (name: string) => ({ namespace: this.namespace, name })
    await this.done(
      this.ask('POST', 'tables/rename', {
        source: identifier(this.name),
        destination: identifier(to),
      }),
    )
  }

  async drop(): Promise<void> {
    await this.done(this.ask('DELETE', `${this.address}/tables/${this.name}`, {}))
  }

  /** A data file with the rows of a query, of which nobody knows yet. */
  async written(sql: string): Promise<DataFile[]> {
    await this.storage.prepare(`${this.table.dataFolder}/x`)
    return this.inSession((session) =>
      session.tables.write(sql, {
        schema: this.table.schema,
        spec: currentSpec(this.table.metadata),
        location: this.storage.locate(this.table.dataFolder),
        name: randomUUID(),
      }),
    )
  }

  private async publish(table: Table): Promise<void> {
    this.table = table
    await this.register(table.file as string)
  }

  private async register(path: string): Promise<void> {
    await this.done(
      this.ask('POST', `${this.address}/register`, {
        name: this.name,
        'metadata-location': this.storage.locate(path),
        overwrite: true,
      }),
    )
  }

  private async inSession<T>(use: (session: Session) => Promise<T>): Promise<T> {
    const engine = await DuckDB.start({ threads: 1 })
    try {
      return await use(await engine.open())
    } finally {
      await engine.close()
    }
  }
}
