import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { allRights } from '../../../src/define/access/rights.js'
import { MoraineError } from '../../../src/errors.js'
import { QueryService } from '../../../src/query/service/service.js'
import { partsOf } from '../../../src/serve/aws/parts.js'
import type { diskOf } from '../../../src/storage/disk.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { type ServiceLake, serviceLake } from '../query/service/lake.js'

let made: ServiceLake
beforeAll(async () => {
  made = await serviceLake()
})
afterAll(() => made.close())

const boss = { name: 'boss', rights: allRights }

/** Does something once, when files are written, or when a commit is in the log. */
class Watched extends LocalStorage {
  onSealed = () => {}
  onCommitted = () => {}
  /** Whether nothing of the log can be read now. */
  isAway = false

  override async readIfPresent(path: string) {
    if (this.isAway && path.startsWith('_moraine/log/')) throw new MoraineError('storage', 'away')
    return super.readIfPresent(path)
  }

  override async seal(paths: readonly string[]) {
    const sums = await super.seal(paths)
    this.onSealed()
    return sums
  }

  override async createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    const isNew = await super.createIfAbsent(path, bytes)
    if (path.startsWith('_moraine/log/')) this.onCommitted()
    return isNew
  }
}

it('what is stopped before its commit writes nothing, and what is stopped after it has succeeded', async () => {
  const storage = new Watched(join(made.folder, 'lake'))
  const service = new QueryService(made)
  const folder = join(made.folder, 's3')
  const { executions } = partsOf({ service, storage, log: made.log, folder }).athena
  const run = async (query: string, stopWhen?: 'onSealed' | 'onCommitted') => {
    const asked = { query, parameters: [], catalog: 'AwsDataCatalog', database: 'scratch' }
    const more = { workgroup: 'usual', group: 'bi', reuse: undefined, reuseMinutes: 0 }
    const one = executions.start(boss, { ...asked, ...more, folder: undefined, token: undefined })
    if (stopWhen) storage[stopWhen] = () => executions.stop(boss, one.id)
    await one.done
    Object.assign(storage, { onSealed: () => {}, onCommitted: () => {} })
    return [one.state, one.reason]
  }
  const rows = async () => {
    await using answer = await service.query({
      principal: boss,
      sql: 'select count(*) from scratch.ids',
    })
    for await (const batch of answer.rows) return batch[0]?.[0]
    return undefined
  }
  expect(await run('CREATE SCHEMA scratch')).toEqual(['SUCCEEDED', undefined])
  const create = 'CREATE TABLE ids AS SELECT id FROM silver.orders WHERE id < 10'
  expect(await run(create)).toEqual(['SUCCEEDED', undefined])
  const insert = 'INSERT INTO ids SELECT id FROM silver.orders WHERE id < 5'
  expect(await run(insert, 'onSealed')).toEqual(['CANCELLED', 'Query cancelled by user'])
  expect(await rows()).toBe(10n)
  expect(await run(insert, 'onCommitted')).toEqual(['SUCCEEDED', undefined])
  expect(await rows()).toBe(15n)
  await executions.close()
  await service.close()
})

/** Statements of `boss` whose results go to a folder of this machine. */
function statements({ storage, log }: ServiceLake, more: { folder: string; disk?: typeof diskOf }) {
  const service = new QueryService(made)
  const errors: unknown[] = []
  const onError = (error: unknown) => errors.push(error)
  const { athena, s3 } = partsOf({ service, storage, log, ...more, onError })
  const run = async (query: string) => {
    const asked = { query, parameters: [], catalog: 'AwsDataCatalog', database: 'kept' }
    const group = { workgroup: 'usual', group: 'bi', reuse: undefined, reuseMinutes: 0 }
    const output = { folder: 's3://results/', token: undefined }
    const one = athena.executions.start(boss, { ...asked, ...group, ...output })
    await one.done
    return one
  }
  const keys = async () => (await s3.stores.of(boss).list('results', '')).map(({ key }) => key)
  const tables = async () =>
    (await service.tables(boss)).filter(({ schema }) => schema === 'kept').map(({ name }) => name)
  const close = async () => {
    await athena.executions.close()
    await service.close()
  }
  return { run, keys, tables, errors, close }
}

it('what a statement unloads may lie beside its result, as awswrangler has it, and beside nothing else', async () => {
  const { run, keys, close } = statements(made, { folder: join(made.folder, 'beside') })
  const unload =
    "UNLOAD (SELECT id FROM silver.orders) TO 's3://results/' WITH (format = 'PARQUET')"
  const own = await run(`CREATE EXTERNAL TABLE own (a string)
    ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' LOCATION 's3://results/'`)
  expect(own.reason).toContain('No file of yours lies in s3://results/')
  const first = await run(unload)
  expect([first.state, first.reason]).toEqual(['SUCCEEDED', undefined])
  expect((await keys()).filter((key) => key.endsWith('.parquet'))).toHaveLength(1)
  expect(await run(unload)).toMatchObject({
    state: 'FAILED',
    reason: expect.stringContaining('HIVE_PATH_ALREADY_EXISTS'),
  })
  await close()
})

it('a principal that runs very many statements has its own forgotten, and no others', async () => {
  const service = new QueryService(made)
  const { storage, log } = made
  const { executions } = partsOf({
    service,
    storage,
    log,
    folder: join(made.folder, 'many'),
  }).athena
  const asked = { query: 'NONSENSE', parameters: [], catalog: 'AwsDataCatalog', group: 'bi' }
  const more = { database: undefined, workgroup: 'usual', reuse: undefined, reuseMinutes: 0 }
  const start = (caller: typeof boss) =>
    executions.start(caller, { ...asked, ...more, folder: undefined, token: undefined })
  const ada = { name: 'ada', rights: allRights }
  const first = start(ada)
  await first.done
  for (let i = 0; i < 1010; i++) await start(boss).done
  expect(executions.get(ada, first.id).state).toBe('FAILED')
  expect(executions.list(boss, 'usual')).toHaveLength(999)
  await executions.close()
  await service.close()
})

it('what cannot store its result changes nothing, and says so', async () => {
  // A file stands where results of this machine go.
  const folder = join(made.folder, 'no-folder')
  await writeFile(folder, '')
  const { run, tables, errors, close } = statements(made, { folder })
  for (const sql of [
    'CREATE SCHEMA kept',
    'CREATE TABLE kept.a (id int)',
    'SELECT 1',
    'SHOW DATABASES',
  ])
    expect([sql, (await run(sql)).state]).toEqual([sql, 'FAILED'])
  const { reason, result } = await run('CREATE TABLE kept.ids AS SELECT id FROM silver.orders')
  expect([reason, result]).toEqual([
    expect.stringMatching(
      /^INTERNAL_ERROR: The result could not be stored as s3:\/\/results\/.*: the server cannot write there now\nNothing was changed/,
    ),
    undefined,
  ])
  expect(await tables()).toEqual([])
  expect(errors).toHaveLength(5)
  await close()
})

it('a statement whose files find no room on the disk has changed nothing and left none, and is done once there is some', async () => {
  // So often there is room.
  let left = Number.POSITIVE_INFINITY
  const disk = () => ({ free: left-- > 0 ? 2 ** 40 : 0, size: 2 ** 40 })
  const folder = join(made.folder, 'small-disk')
  const { run, keys, tables, errors, close } = statements(made, { folder, disk })
  expect((await run('CREATE SCHEMA kept')).state).toBe('SUCCEEDED')
  const before = await keys()
  const full = [
    // The manifest of the table's files.
    ['CREATE TABLE ids AS SELECT id FROM silver.orders', 0],
    // The manifest comes after the files.
    [
      "UNLOAD (SELECT id FROM silver.orders) TO 's3://results/unloaded/' WITH (format = 'PARQUET')",
      1,
    ],
    // What describes the columns comes after the rows.
    ['SELECT id FROM silver.orders', 1],
  ] as const
  for (const [sql, room] of full) {
    left = room
    const { state, reason, statistics } = await run(sql)
    expect([sql, state, reason]).toEqual([
      sql,
      'FAILED',
      expect.stringMatching(/^EXCEEDED_LIMIT: .* could not be stored .*nearly full.*\nNothing was/),
    ])
    expect(statistics.manifest).toBeUndefined()
    expect([sql, await keys(), await tables()]).toEqual([sql, before, []])
  }
  left = Number.POSITIVE_INFINITY
  for (const [sql] of full) expect([sql, (await run(sql)).state]).toEqual([sql, 'SUCCEEDED'])
  expect(await tables()).toEqual(['ids'])
  const written = (await keys()).filter((key) => !before.includes(key))
  expect(written.filter((key) => key.endsWith('-manifest.csv'))).toHaveLength(2)
  expect(written.filter((key) => key.endsWith('.parquet'))).toHaveLength(2)
  expect(errors).toEqual([])
  await close()
})

it('of a statement whose commit the storage did not confirm nobody is told that it failed or was cancelled', async () => {
  const storage = new Watched(join(made.folder, 'lake'))
  const { run, tables, close } = statements(
    { ...made, storage },
    { folder: join(made.folder, 'unsure') },
  )
  await run('CREATE SCHEMA IF NOT EXISTS kept')
  storage.onCommitted = () => {
    storage.isAway = true
  }
  const { state, reason } = await run('CREATE TABLE unsure AS SELECT id FROM silver.orders')
  expect([state, reason]).toEqual([
    'FAILED',
    expect.stringMatching(/^INTERNAL_ERROR: The storage did not say whether the commit was made/),
  ])
  expect(await tables()).toContain('unsure')
  await close()
})
