import { type AddressInfo, createServer } from 'node:net'
import pg from 'pg'
import { expect, it } from 'vitest'
import { CommitLog } from '../../../../src/log/log.js'
import { QueryService } from '../../../../src/query/service/service.js'
import { PostgresServer } from '../../../../src/serve/postgres/server.js'
import { Principals } from '../../../../src/serve/principals.js'
import { LocalStorage } from '../../../../src/storage/local.js'
import { temporaryFolder } from '../../../support/project.js'

it('sessions keep so much together, and what one gives back others may have', async () => {
  const storage = new LocalStorage(await temporaryFolder())
  const service = new QueryService({ storage, log: new CommitLog(storage) })
  const password = 'password-of-the-sessions'
  const principals = new Principals(password)
  const server = new PostgresServer({ service, principals, database: 'service', held: 2 ** 20 })
  const listening = createServer((socket) => server.accept(socket))
  await new Promise<void>((done) => listening.listen(0, '127.0.0.1', done))
  const { port } = listening.address() as AddressInfo
  const connect = async () => {
    const who = { user: 'token', password, database: 'service' }
    const client = new pg.Client({ host: '127.0.0.1', port, ...who })
    await client.connect()
    return client
  }
  const prepare = (client: pg.Client, name: string) =>
    client.query({ name, text: `SELECT 1 AS x -- ${'x'.repeat(200_000)}` })
  const [one, other] = [await connect(), await connect()]
  for (const name of ['a', 'b', 'c', 'd']) await prepare(one, name)
  await prepare(other, 'e')
  const refused = { code: '53400', message: expect.stringContaining('sessions of the server') }
  await expect(prepare(other, 'f')).rejects.toMatchObject(refused)
  expect((await other.query('SELECT 2 AS x')).rows).toEqual([{ x: 2 }])
  await one.end()
  await expect.poll(() => prepare(other, 'g').then(({ rows }) => rows)).toEqual([{ x: 1 }])
  await other.end()
  server.close()
  listening.close()
  await service.close()
})
