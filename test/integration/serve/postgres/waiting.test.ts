import { mkdtemp, rm } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { CommitLog } from '../../../../src/log/log.js'
import { QueryService } from '../../../../src/query/service/service.js'
import { PostgresServer } from '../../../../src/serve/postgres/server.js'
import { Principals } from '../../../../src/serve/principals.js'
import { LocalStorage } from '../../../../src/storage/local.js'
import { Project } from '../../../support/project.js'

/* What a session holds between two statements: rows that wait, settings, what it has prepared. */

const lake = (
  columns: string,
) => `import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const sales = silver('sales', {
  from: bronze('sales', { from: files('sales.csv') }),
  schema: z.object({ id: t.int(), day: t.date(), amount: t.int() }), key: 'id' })
export default defineLake({ name: 'shop', datasets: [sales,
  gold('daily', { query: sql\`select ${columns} from \${sales} group by day\` })] })
`
const password = 'password-of-the-sessions'
let project: Project
let service: QueryService

beforeAll(async () => {
  project = Project.at(await mkdtemp(join(tmpdir(), 'moraine-waiting-')))
  await project.write({
    'sales.csv': 'id,day,amount\n1,2026-01-01,10\n2,2026-01-01,20\n3,2026-01-02,30\n',
    'lake.ts': lake('day, sum(amount)::int as revenue'),
  })
  await project.run()
  const storage = new LocalStorage(join(project.folder, 'lake'))
  service = new QueryService({ storage, log: new CommitLog(storage) })
})
afterAll(async () => {
  await service?.close()
  if (project) await rm(project.folder, { recursive: true, force: true, maxRetries: 5 })
})

/** A client of a server whose queries wait so long for it, in milliseconds. */
async function connect(waiting?: number): Promise<pg.Client> {
  const principals = new Principals(password)
  const wait = waiting === undefined ? {} : { waiting }
  const server = new PostgresServer({ service, principals, database: 'shop', ...wait })
  const listening = createServer((socket) => server.accept(socket))
  await new Promise<void>((done) => listening.listen(0, '127.0.0.1', done))
  onTestFinished(() => {
    server.close()
    listening.close()
  })
  const { port } = listening.address() as AddressInfo
  const who = { user: 'token', password, database: 'shop' }
  const client = new pg.Client({ host: '127.0.0.1', port, ...who })
  await client.connect()
  return client
}

const codeOf = (asked: Promise<unknown>) =>
  asked.then(
    () => undefined,
    ({ code }: pg.DatabaseError) => code,
  )

const pause = (ms: number) => new Promise((done) => setTimeout(done, ms))

describe('a session', () => {
  it('says that the rest of a cursor is lost, rather than that there are no more rows', async () => {
    const client = await connect(200)
    await client.query('BEGIN; DECLARE c CURSOR FOR SELECT range FROM range(100000)')
    expect((await client.query('FETCH 10 FROM c')).rowCount).toBe(10)
    await pause(600)
    expect(await codeOf(client.query('FETCH 10 FROM c'))).toBe('57014')
    expect((await client.query('COMMIT')).command).toBe('ROLLBACK')
    await client.end()
  })

  it('counts the time of each FETCH by itself', async () => {
    const client = await connect()
    await client.query("SET statement_timeout = '5s'")
    await client.query('BEGIN; DECLARE c CURSOR FOR SELECT range FROM range(100000)')
    expect((await client.query('FETCH 10 FROM c')).rowCount).toBe(10)
    await pause(5500)
    expect((await client.query('FETCH 10 FROM c')).rowCount).toBe(10)
    await client.query('ROLLBACK')
    expect(await codeOf(client.query("SET statement_timeout = '600h'"))).toBe('22023')
    await client.end()
  })

  it('is as it began once all is discarded, and after the transaction that a setting was for', async () => {
    const client = await connect()
    const path = async () => (await client.query('SHOW search_path')).rows[0].search_path
    const first = await path()
    await client.query('SET search_path = silver')
    expect(await path()).toBe('silver')
    expect((await client.query('DISCARD ALL')).command).toBe('DISCARD')
    expect(await path()).toBe(first)
    await client.query('BEGIN; SET LOCAL search_path = silver')
    expect(await path()).toBe('silver')
    expect(await codeOf(client.query('DISCARD ALL'))).toBe('25001')
    await client.query('ROLLBACK')
    await client.query('BEGIN; SET LOCAL search_path = silver; SET application_name = x; COMMIT')
    expect(await path()).toBe(first)
    expect((await client.query('SHOW application_name')).rows[0].application_name).toBe('x')
    await client.query('BEGIN; SET search_path = silver; ROLLBACK')
    expect(await path()).toBe(first)
    await client.query('SET LOCAL search_path = silver')
    expect(await path()).toBe(first)
    await client.end()
  })

  it('closes all cursors at once', async () => {
    const client = await connect()
    await client.query('BEGIN; DECLARE c CURSOR FOR SELECT 1; CLOSE ALL')
    await client.query('DECLARE c CURSOR FOR SELECT 2 AS x')
    expect((await client.query('FETCH c')).rows).toEqual([{ x: 2 }])
    await client.end()
  })

  it('has a statement prepared again where a table has other columns than its rows had', async () => {
    const client = await connect()
    const { connection } = client as never as { connection: pg.Connection }
    // What it hears is heard here, and not as the answer to a query of its own.
    for (const message of [
      'parseComplete',
      'rowDescription',
      'dataRow',
      'commandComplete',
      'errorMessage',
      'readyForQuery',
    ])
      connection.removeAllListeners(message)
    const columns: string[][] = []
    const rows: (string | undefined)[][] = []
    connection.on('rowDescription', ({ fields }: { fields: { name: string }[] }) =>
      columns.push(fields.map(({ name }) => name)),
    )
    connection.on('dataRow', ({ fields }: { fields: (Buffer | null)[] }) =>
      rows.push(fields.map((field) => field?.toString())),
    )
    // As pgjdbc does from the fifth time on: it has the columns, and does not ask for them again.
    const execute = async () => {
      connection.bind({ statement: 'daily' } as never, true)
      connection.execute({} as never, true)
      const failed = new Promise((done) => connection.once('errorMessage', done))
      const ended = new Promise((done) => connection.once('readyForQuery', () => done('ready')))
      connection.sync()
      const found = await Promise.race([failed, ended])
      await ended
      return found
    }
    connection.parse(
      { name: 'daily', text: 'SELECT * FROM gold.daily ORDER BY day' } as never,
      true,
    )
    connection.describe({ type: 'S', name: 'daily' } as never, true)
    expect(await execute()).toBe('ready')
    expect(columns).toEqual([['day', 'revenue']])
    expect(rows.splice(0)).toEqual([
      ['2026-01-01', '30'],
      ['2026-01-02', '30'],
    ])
    await project.write({
      'lake.ts': lake('day, count(*)::int as sales, sum(amount)::int as revenue'),
    })
    await project.run()
    const refused = { code: '0A000', routine: 'RevalidateCachedQuery' }
    expect(await execute()).toMatchObject(refused)
    expect(rows).toEqual([])
    await client.end()
  })
})
