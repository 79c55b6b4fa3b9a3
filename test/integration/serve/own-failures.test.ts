import { type AddressInfo, createServer } from 'node:net'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import pg from 'pg'
import { expect, it } from 'vitest'
import { MoraineError } from '../../../src/errors.js'
import { CommitLog } from '../../../src/log/log.js'
import { QueryService } from '../../../src/query/service/service.js'
import { agentServer } from '../../../src/serve/mcp/agent-server.js'
import { PostgresServer } from '../../../src/serve/postgres/server.js'
import { Principals } from '../../../src/serve/principals.js'
import { queryApp } from '../../../src/serve/query/query-app.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { temporaryFolder } from '../../support/project.js'

/* What goes wrong inside a server is for its log: whoever asked hears that it did, and no more. */

const password = 'password-of-the-sessions'
const secret = '/srv/lakes/payroll/data/1.parquet'
const failures = [
  new TypeError(`Cannot read properties of undefined, at ${secret}`),
  new MoraineError('corrupt', `${secret} is damaged`, { hint: `Look at ${secret}` }),
]

/** A service that fails with one thing after another, and what its server's log hears. */
async function failing() {
  const storage = new LocalStorage(await temporaryFolder())
  const service = new QueryService({ storage, log: new CommitLog(storage) })
  let times = 0
  const fail = async () => {
    throw failures[times++ % failures.length]
  }
  Object.assign(service, { query: fail, describe: fail })
  const heard: unknown[] = []
  const onError = (error: unknown) => heard.push(error)
  return { service, onError, heard, principals: new Principals(password) }
}

it('clients of PostgreSQL’s protocol hear of it, and the session goes on', async () => {
  const { service, onError, heard, principals } = await failing()
  const server = new PostgresServer({ service, principals, database: 'service', onError })
  const listening = createServer((socket) => server.accept(socket))
  await new Promise<void>((done) => listening.listen(0, '127.0.0.1', done))
  const { port } = listening.address() as AddressInfo
  const who = { user: 'token', password, database: 'service' }
  const client = new pg.Client({ host: '127.0.0.1', port, ...who })
  await client.connect()
  for (const code of ['XX000', 'XX001'])
    await expect(client.query('SELECT * FROM gold.daily')).rejects.toMatchObject({
      ...{ code, message: 'The server failed to answer', hint: undefined },
    })
  expect(heard).toEqual(failures)
  await client.end()
  server.close()
  listening.close()
  await service.close()
})

it('programs hear of it over HTTP', async () => {
  const { service, onError, heard, principals } = await failing()
  const app = queryApp(service, { principals, onError })
  for (const kind of ['internal', 'corrupt']) {
    const answer = await app.request('/query', {
      method: 'POST',
      headers: { authorization: `Bearer ${password}` },
      body: JSON.stringify({ sql: 'SELECT 1' }),
    })
    expect([answer.status, await answer.json()]).toEqual([
      500,
      { error: { kind, message: 'The server failed to answer' } },
    ])
  }
  expect(heard).toEqual(failures)
  await service.close()
})

it('agents hear of it', async () => {
  const { service, onError, heard } = await failing()
  const entries = async () => []
  const options = { service, lake: { datasets: [] }, entries, onError }
  const server = await agentServer(options, { name: 'ada' } as never)
  const [here, there] = InMemoryTransport.createLinkedPair()
  await server.connect(there)
  const client = new Client({ name: 'test', version: '1' })
  await client.connect(here)
  for (const _ of failures)
    expect(await client.callTool({ name: 'query', arguments: { sql: 'SELECT 1' } })).toMatchObject({
      isError: true,
      content: [{ type: 'text', text: 'The server failed to answer' }],
    })
  expect(heard).toEqual(failures)
  await client.close()
  await service.close()
})
