import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { allRights } from '../../../src/define/access/rights.js'
import { QueryService } from '../../../src/query/service/service.js'
import { partsOf } from '../../../src/serve/aws/parts.js'
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

it('what is committed has succeeded, also where there is no room for its empty result', async () => {
  const { storage, log } = made
  const service = new QueryService(made)
  // A file stands where results of this machine go.
  const folder = join(made.folder, 'no-folder')
  await writeFile(folder, '')
  const errors: unknown[] = []
  const onError = (error: unknown) => errors.push(error)
  const { executions } = partsOf({ service, storage, log, folder, onError }).athena
  const run = async (query: string) => {
    const asked = { query, parameters: [], catalog: 'AwsDataCatalog', database: 'kept' }
    const more = { workgroup: 'usual', group: 'bi', reuse: undefined, reuseMinutes: 0 }
    const output = { folder: 's3://results/', token: undefined }
    const one = executions.start(boss, { ...asked, ...more, ...output })
    await one.done
    return one
  }
  expect((await run('CREATE SCHEMA kept')).state).toBe('SUCCEEDED')
  expect((await run('CREATE TABLE rows_of (id int)')).state).toBe('SUCCEEDED')
  const one = await run('INSERT INTO rows_of VALUES (1), (2)')
  expect([one.state, one.reason, one.result?.updateCount]).toEqual(['SUCCEEDED', undefined, 2])
  expect((await run('DELETE FROM rows_of WHERE id = 1')).state).toBe('SUCCEEDED')
  expect((await run('SELECT id FROM rows_of')).state).toBe('FAILED')
  expect(errors.length).toBe(5)
  await executions.close()
  await service.close()
})
