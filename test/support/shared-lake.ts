import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { principal } from '../../src/define/access/principal.js'
import { toJsonText } from '../../src/iceberg/json.js'
import type { DataFile } from '../../src/iceberg/spec/manifest.js'
import type { Snapshot } from '../../src/iceberg/spec/metadata.js'
import { Table } from '../../src/iceberg/table.js'
import { CommitLog } from '../../src/log/log.js'
import type { AuditedCall } from '../../src/query/audit/call.js'
import { catalog } from '../../src/serve/rest/catalog.js'
import { MemoryStorage } from '../../src/storage/memory.js'
import { s3Place } from '../../src/storage/s3/settings.js'
import { signerFor } from '../../src/storage/s3/signing.js'

export const schema = {
  type: 'struct',
  fields: [{ id: 1, name: 'id', required: false, type: 'long' }],
}
export const root = 'memory:///lake'
/** Where its files would be, if it were in a bucket. */
export const store = 'https://store.example'
const keys = {
  ...{ url: 's3://lakes/lake', keyId: 'k', secret: 's', token: undefined, region: 'r' },
  ...{ endpoint: undefined, pathStyle: true, expires: undefined },
}
const file = (path: string): DataFile => ({
  path: `${root}/${path}`,
  rows: 1,
  bytes: 1,
  partition: [],
  columns: new Map(),
})

/** Who asks here; each shows its name as its token. */
export const access = [
  principal('analyst', { token: 'analyst', read: ['*'] }),
  principal('ml', { token: 'ml', read: ['gold.daily'], write: ['ml.*'] }),
  principal('hr', { token: 'hr', write: ['hr.*'] }),
  principal('narrow', { token: 'narrow', write: ['ml.scores'] }),
  principal('auditor', { token: 'auditor', read: ['discarded.*'] }),
]
export type Name = 'analyst' | 'ml' | 'hr' | 'narrow' | 'auditor' | 'operator'

export const version = {
  'version-id': 1,
  'timestamp-ms': 1,
  'schema-id': 0,
  summary: {},
  representations: [{ type: 'sql', sql: 'select 1', dialect: 'spark' }],
  'default-namespace': ['ml'],
}

/** A lake with tables of its own, and with namespaces of two teams. */
export class SharedLake {
  readonly storage = Object.assign(new MemoryStorage(), {
    signer: signerFor(s3Place(`s3://lakes/lake?endpoint=${store}`), async () => keys),
  })
  readonly calls: AuditedCall[] = []
  private readonly app = catalog(this.storage, {
    token: 'operator',
    access,
    onCall: (call) => this.calls.push(call),
  })

  static async create(): Promise<SharedLake> {
    const lake = new SharedLake()
    const log = new CommitLog(lake.storage)
    const names = ['silver.orders', 'gold.daily', 'discarded.orders']
    const tables = names.map(async (name) => {
      const table = await lake.table(name.replace('.', '/'), 'a')
      return [name, { ...table.pointer, definition: {}, rows: 1, bytes: 1, files: 1 }] as const
    })
    const changes = { tables: Object.fromEntries(await Promise.all(tables)) }
    await log.commit(await log.head(), changes, { author: 'ada', run: null, message: 'run' })
    for (const team of ['ml', 'hr'] as const) {
      await lake.made('operator', 'namespaces', { namespace: [team], properties: { owner: team } })
      await lake.made(team, `namespaces/${team}/tables`, { name: 'scores', schema })
      const view = { name: 'v', schema, properties: {}, 'view-version': version }
      await lake.made(team, `namespaces/${team}/views`, view)
    }
    return lake
  }

  async ask(who: Name, method: string, path: string, body?: object) {
    const answer = await this.app.request(`/v1/${path}`, {
      method,
      headers: { authorization: `Bearer ${who}` },
      ...(body ? { body: toJsonText(body, 0) } : {}),
    })
    const text = await answer.text()
    return { status: answer.status, text, json: text ? JSON.parse(text) : undefined }
  }

  async made(who: Name, path: string, body: object) {
    const answer = await this.ask(who, 'POST', path, body)
    expect(answer).toMatchObject({ status: 200 })
    return answer.json
  }

  async metadata(who: Name, table: string) {
    const [namespace, name] = table.split('.')
    return (await this.ask(who, 'GET', `namespaces/${namespace}/tables/${name}`)).json
  }

  /** Files of a table that the catalog does not know. */
  async table(folder: string, ...names: string[]): Promise<Table> {
    let table = Table.create(this.storage, folder).reshape({
      columns: [{ name: 'id', type: { kind: 'int' } }],
      partitions: [],
    })
    for (const name of names) {
      const path = name.includes('/') ? name : `${folder}/data/${name}.parquet`
      if (!this.storage.objects.has(path)) await this.storage.write(path, randomBytes(1))
      table = await table.write({ removed: new Set(), added: [file(path)] })
    }
    return table
  }

  /** Asks to put a snapshot with this list on top of a table that has none. */
  async append(who: Name, table: string, snapshot: object) {
    const [namespace, name] = table.split('.')
    const updates = [
      { action: 'add-snapshot', snapshot },
      {
        action: 'set-snapshot-ref',
        'ref-name': 'main',
        type: 'branch',
        'snapshot-id': (snapshot as Snapshot)['snapshot-id'],
      },
    ]
    return this.ask(who, 'POST', `namespaces/${namespace}/tables/${name}`, { updates })
  }
}

export const lastSnapshot = (table: Table) => table.metadata.snapshots.at(-1) as Snapshot

/** A table or view as requests name it. */
export const at = (name: string, namespace: string) => ({ namespace: [namespace], name })
