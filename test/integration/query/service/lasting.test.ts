import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ServerState } from '../../../../src/query/service/kept/server-state.js'
import type { Caller } from '../../../../src/query/service/request.js'
import { QueryService } from '../../../../src/query/service/service.js'
import { Principals } from '../../../../src/serve/principals.js'
import { queryApp } from '../../../../src/serve/query/query-app.js'
import { temporaryFolder } from '../../../support/project.js'
import { type ServiceLake, serviceLake } from './lake.js'

let made: ServiceLake
let [boss, clerk]: Caller[] = []
beforeAll(async () => {
  made = await serviceLake()
  boss = await made.as('boss-token-0001')
  clerk = await made.as('clerk-token-0001')
})
afterAll(() => made.close())

/** A service as `moraine serve --query` starts it, on a folder of its state. */
async function started(folder: string) {
  const state = (await ServerState.open(folder)) as ServerState
  const service = new QueryService({ ...made, state })
  await service.resume()
  const app = queryApp(service, { principals: new Principals(undefined, made.lake.access) })
  const close = async () => {
    await service.close()
    await state.close()
  }
  return { state, service, app, close }
}

type Started = Awaited<ReturnType<typeof started>>

const call = async (
  { app }: Started,
  method: string,
  path: string,
  body?: object,
  token = 'boss-token-0001',
) => {
  const answer = await app.request(`http://localhost${path}`, {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body ? { body: JSON.stringify(body) } : {}),
  })
  return { status: answer.status, body: (await answer.json()) as any }
}

describe('what a server remembers from one start to the next', () => {
  it('is what was asked of it, what became of that, and all pages of the results', async () => {
    const folder = await temporaryFolder()
    const first = await started(folder)
    const request = {
      principal: boss as Caller,
      sql: 'select id, note, day from silver.orders order by id',
    }
    const token = { clientToken: 'a-token-of-thirty-two-characters' }
    const { id } = first.service.start(request, token)
    const before = await first.service.finished(id, boss as Caller)
    const page = await first.service.results(id, boss as Caller, { from: 100, most: 50 })
    const wrong = first.service.start({ principal: boss as Caller, sql: 'select nothing' })
    await first.service.finished(wrong.id, boss as Caller)
    const none = first.service.start({ principal: boss as Caller, sql: 'select 1 where false' })
    await first.service.finished(none.id, boss as Caller)
    await first.close()

    const second = await started(folder)
    expect(second.service.execution(id, boss as Caller)).toEqual(before)
    expect(await second.service.results(id, boss as Caller, { from: 100, most: 50 })).toEqual(page)
    expect((await second.service.results(none.id, boss as Caller)).rows).toEqual([])
    expect(second.service.start(request, token).id).toBe(id)
    for (const other of [{ maxRows: 1 }, { schema: 'gold' }, { parameters: [1] }])
      expect(() => second.service.start({ ...request, ...other }, token)).toThrow('already used')
    expect(second.service.execution(wrong.id, boss as Caller)).toMatchObject({
      state: 'failed',
      error: { kind: 'query' },
    })
    expect(second.service.allExecutions(boss as Caller).map((one) => one.id)).toEqual([
      ...[none.id, wrong.id, id],
    ])
    expect(() => second.service.execution(id, clerk as Caller)).toThrow('There is no query')
    await second.close()
  })

  it('says of a query that did not end why it has failed, and leaves nothing of it', async () => {
    const folder = await temporaryFolder()
    const first = await started(folder)
    const sql = 'select count(*) from range(1000000000000) a(i) where hash(i) = 0'
    const { id } = first.service.start({ principal: boss as Caller, sql })
    await first.close()
    const second = await started(folder)
    const stopped = {
      state: 'failed',
      error: { message: 'The server was stopped while the query ran' },
    }
    expect(second.service.execution(id, boss as Caller)).toMatchObject(stopped)
    // As a process that is killed leaves it: a record of what runs, and a part of its rows.
    const killed = second.service.start({ principal: boss as Caller, sql: 'select 2' })
    await second.service.finished(killed.id, boss as Caller)
    const record = {
      ...killed,
      state: 'running',
      ended: undefined,
      clientToken: undefined,
      pieces: [],
    }
    second.state.records('executions').note(killed.id, record)
    await second.close()
    await writeFile(join(folder, 'results', 'half.rows'), 'x')
    await writeFile(join(folder, 'executions', 'half.json.part'), '{"id')
    const third = await started(folder)
    expect(third.service.execution(killed.id, boss as Caller)).toMatchObject(stopped)
    expect(third.service.execution(killed.id, boss as Caller).ended).toBeInstanceOf(Date)
    expect(await readdir(join(folder, 'results'))).toEqual([])
    expect(await readdir(join(folder, 'executions'))).not.toContain('half.json.part')
    await third.close()
  })

  it('are queries that have names, proved when they get them, for whoever named them', async () => {
    const folder = await temporaryFolder()
    const first = await started(folder)
    const query = { sql: 'select count(*) as n from orders where id < :most', schema: 'silver' }
    expect(await call(first, 'PUT', '/named/small', query)).toMatchObject({
      status: 200,
      body: { name: 'small', columns: [{ name: 'n' }], parameters: [{ name: 'most' }] },
    })
    expect((await call(first, 'PUT', '/named/wrong', { sql: 'select no_such' })).status).toBe(400)
    expect((await call(first, 'PUT', '/named/a%2Fb', { sql: 'select 1' })).status).toBe(400)
    await first.close()

    const second = await started(folder)
    const { body } = await call(second, 'GET', '/named')
    expect(body.queries).toMatchObject([{ name: 'small', ...query }])
    const asked = { named: 'small', parameters: { most: 7 } }
    expect((await call(second, 'POST', '/query', asked)).body.rows).toEqual([[7]])
    const { status, body: told } = await call(second, 'POST', '/query', {
      ...asked,
      sql: 'select 1',
    })
    expect([status, told.error.message]).toEqual([400, "The body has both 'sql' and 'named'"])
    expect((await call(second, 'POST', '/query', asked, 'clerk-token-0001')).status).toBe(400)
    expect((await call(second, 'GET', '/named', undefined, 'clerk-token-0001')).body).toEqual({
      queries: [],
    })
    expect((await call(second, 'DELETE', '/named/small')).status).toBe(200)
    expect((await call(second, 'GET', '/named/small')).status).toBe(400)
    await second.close()
    const third = await started(folder)
    expect((await call(third, 'GET', '/named')).body).toEqual({ queries: [] })
    await third.close()
  })

  it('is for one server at a time, and for no other user of the machine', async () => {
    const folder = join(await temporaryFolder(), 'state')
    const first = await started(folder)
    expect(await ServerState.open(folder)).toBeUndefined()
    await first.service.named.put(boss as Caller, { name: 'one', sql: 'select 1' })
    for (const path of [folder, join(folder, 'named')])
      expect((await stat(path)).mode & 0o77).toBe(0)
    await first.close()
    // One of another machine, or of a container that is gone, gives no sign of life.
    const other = { host: 'elsewhere', machine: 'another', pid: 1 }
    await writeFile(join(folder, 'server.json'), JSON.stringify(other))
    const found = await ServerState.open(folder, 1)
    expect(found).toBeDefined()
    // What another server has taken over meanwhile stays with that one.
    const taken = JSON.stringify(other)
    await writeFile(join(folder, 'server.json'), taken)
    await found?.close()
    expect(await readFile(join(folder, 'server.json'), 'utf8')).toBe(taken)
    const several = await Promise.all([1, 2, 3, 4].map(() => ServerState.open(folder, 1)))
    const owners = several.filter((one) => one !== undefined)
    expect(owners).toHaveLength(1)
    await owners[0]?.close()
    expect(await readdir(folder)).not.toContain('server.json')
  })
})

describe('rows of a result that is kept', () => {
  const sql = 'select id, email from silver.customers order by id limit 3'
  const ran = async (one: Started, principal: Caller) => {
    const { id } = one.service.start({ principal, sql })
    await one.service.finished(id, principal)
    return id
  }
  const all = async (one: Started, id: string, principal: Caller) => {
    const rows = []
    for await (const batch of one.service.resultRows(id, principal)) rows.push(...batch)
    return rows
  }

  it('are not given once more is hidden from whoever asked, or nothing is granted any more', async () => {
    const folder = await temporaryFolder()
    const first = await started(folder)
    const id = await ran(first, boss as Caller)
    const { rows } = await first.service.results(id, boss as Caller)
    expect(rows[0]).toEqual([0, 'secret0@example.com'])
    await first.close()

    const second = await started(folder)
    expect((await second.service.results(id, boss as Caller)).rows).toEqual(rows)
    expect(await all(second, id, boss as Caller)).toEqual(rows)
    const { rights } = (await made.as('analyst-token-01')) as Caller
    const masked = { name: 'boss', rights }
    const without = { name: 'boss', rights: (clerk as Caller).rights }
    for (const now of [masked, without]) {
      await expect(second.service.results(id, now)).rejects.toThrow('has expired')
      await expect(all(second, id, now)).rejects.toThrow('has expired')
    }
    const again = await ran(second, masked)
    expect((await second.service.results(again, masked)).rows[0]).toEqual([0, 's…'])
    await second.close()
  })
})

describe('the history', () => {
  const asked = (service: QueryService) =>
    service
      .history(boss as Caller)
      .slice(0, 4)
      .map(({ sql, error }) => [sql, error?.kind, error?.message])

  it('has statements that were refused before they ran, each once', async () => {
    const { service, app, ...rest } = await started(await temporaryFolder())
    const sent = { service, app, ...rest }
    await call(sent, 'POST', '/query', { sql: 'select 1', workgroup: 'nothing' })
    await call(sent, 'POST', '/describe', { sql: 'select no_such from silver.orders' })
    const long = `select '${'x'.repeat(262_144)}'`
    await call(sent, 'POST', '/queries', { sql: long })
    await call(sent, 'POST', '/query', { sql: "alter user x password 'pw-of-x'" })
    expect(asked(service)).toEqual([
      [
        ...["alter user x password '*******'", 'query'],
        expect.stringContaining("LINE 1: alter user x password '*******'"),
      ],
      [long.slice(0, 10_000), 'usage', 'The statement is longer than 262144 bytes'],
      ['select no_such from silver.orders', 'query', expect.stringContaining('no_such')],
      ['select 1', 'usage', 'There is no workgroup nothing'],
    ])
    await rest.close()
  })
})
