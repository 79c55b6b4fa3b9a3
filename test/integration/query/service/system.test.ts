import { readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { RowValue } from '../../../../src/engine/engine.js'
import { limitsOf } from '../../../../src/query/limits.js'
import { openLake } from '../../../../src/query/open.js'
import { queryLake } from '../../../../src/query/query.js'
import type { Caller, QueryRequest } from '../../../../src/query/service/request.js'
import { QueryService } from '../../../../src/query/service/service.js'
import { AuditTrail } from '../../../../src/serve/audit/trail.js'
import { abortController } from '../../../../src/signals.js'
import { type ServiceLake, serviceLake } from './lake.js'

let made: ServiceLake
let service: QueryService
let callers: Record<string, Caller>
beforeAll(async () => {
  made = await serviceLake()
  await made.run('900,1,7.00,2025-01-20,late\nno number,1,8.00,2025-01-20,bad\n')
  service = new QueryService(made)
  const as = async (token: string) => made.as(token)
  callers = {
    boss: await as('boss-token-0001'),
    analyst: await as('analyst-token-01'),
    auditor: await as('auditor-token-01'),
    guest: await as('guest-token-0001'),
  }
})
afterAll(async () => {
  await service.close()
  await made.close()
})

async function ask(
  who: string,
  sql: string,
  more: Partial<QueryRequest> = {},
): Promise<RowValue[][]> {
  await using answer = await service.query({ principal: callers[who] as Caller, sql, ...more })
  const rows: RowValue[][] = []
  for await (const batch of answer.rows) rows.push(...batch)
  return rows
}

/** Folders of queries of this process. */
const scratch = async () =>
  (await readdir(tmpdir())).filter(
    (name) => name.startsWith('moraine-system-') && name.includes(`-${process.pid}-`),
  )

describe('tables that tell of the lake', () => {
  it('show what was asked, whatever it was, once it is over', async () => {
    await ask('analyst', "select count(*) from silver.orders where note <> 'ä\u{1F600}'")
    await ask('boss', 'select nothing from silver.orders').catch(() => {})
    await ask('boss', `select '\0'`).catch(() => {})
    // The history cuts long texts, here within a letter.
    await ask('boss', `select '${'x'.repeat(9991)}\u{1F600}'`)
    const rows = await ask(
      'auditor',
      `select principal, left(sql, 40), rows, error_kind, bytes_read > 0, ended > timestamp '2020-01-01'
       from system.queries order by ended, sql`,
    )
    expect(rows.map(([principal, , found, error]) => [principal, found, error])).toEqual([
      ['analyst', 1n, null],
      ['boss', 0n, 'query'],
      ['boss', 0n, 'query'],
      ['boss', 1n, null],
    ])
    expect(rows[0]).toEqual([
      'analyst',
      'select count(*) from silver.orders where',
      1n,
      null,
      true,
      true,
    ])
  })

  it('show runs, their steps, what they discarded, and commits', async () => {
    const [runs] = await ask(
      'auditor',
      "select count(*), bool_and(outcome = 'done') from system.runs",
    )
    expect(runs).toEqual([2n, true])
    const steps = await ask(
      'auditor',
      `select dataset, sum(rows_in), sum(kept), sum(discarded), sum(superseded)
       from system.steps where dataset = 'silver.orders' group by 1`,
    )
    expect(steps).toEqual([['silver.orders', 242n, 241n, 1n, 0n]])
    const trend = await ask(
      'auditor',
      `select t.rows_in, t.discarded, r.reason, r.rows from system.discarded_trend t, unnest(t.reasons) as u(r)
       where dataset = 'silver.orders'`,
    )
    expect(trend).toEqual([[2n, 1n, expect.stringContaining('id'), 1n]])
    const { number } = await made.log.head()
    const commits = await ask(
      'auditor',
      "select max(number), count(*), count(*) filter (list_contains(tables, 'silver.orders')) from system.commits",
    )
    expect(commits).toEqual([[BigInt(number), BigInt(number), 2n]])
    expect(
      await ask('auditor', 'select number from system.commits where 2 >= number and number > 1'),
    ).toEqual([[2n]])
  })

  it('show calls of the catalog', async () => {
    const trail = new AuditTrail(made.storage)
    const call = { route: 'GET /v1/config', status: 200, milliseconds: 3, principal: 'boss' }
    trail.add({ ...call, time: '2026-01-31T12:00:00.000Z', names: ['silver.orders'] })
    trail.add({ ...call, time: '2026-01-31T13:00:00.000Z', names: [], status: 403 })
    await trail.flush()
    expect(
      await ask(
        'auditor',
        "select time, names[1], status from system.access where time >= '2026-01-31' order by time",
      ),
    ).toEqual([
      ['2026-01-31T12:00:00.000000', 'silver.orders', 200],
      ['2026-01-31T13:00:00.000000', null, 403],
    ])
    expect(
      await ask('auditor', "select count(*) from system.access where time > '2030-01-01'"),
    ).toEqual([[0n]])
  })

  it('are read by times of any year', async () => {
    await ask('boss', 'select 1')
    const [[all]] = (await ask('auditor', 'select count(*) from system.queries')) as [[bigint]]
    expect(all).toBeGreaterThan(0n)
    for (const condition of [
      "ended <= '9999-12-31'",
      "ended < timestamp '9999-12-31 23:59:59'",
      "ended between '0001-01-01' and '9999-12-31'",
      "ended < '290000-01-01' and ended > '2026-01-01 (BC)'",
      "ended <> 'infinity' and ended < 'infinity'",
    ]) {
      const sql = `select count(*) >= ${all} from system.queries where ${condition}`
      expect([sql, await ask('auditor', sql)]).toEqual([sql, [[true]]])
    }
  })

  it('are read some objects at a time, and no longer than somebody waits for them', async () => {
    const { storage, log } = made
    const day = '_moraine/audit/2025-03-01/'
    const line = '{"time":"2025-03-01T12:00:00.000Z","route":"x","names":[],"status":200}\n'
    for (let i = 0; i < 200; i++)
      await storage.createIfAbsent(`${day}server${i}-00000001.jsonl`, Buffer.from(line))
    const sql = "select count(*) from system.access where time < '2025-03-02'"
    let [reads, now, most] = [0, 0, 0]
    let onRead = () => {}
    const read = storage.readIfPresent.bind(storage)
    storage.readIfPresent = async (path: string) => {
      if (!path.startsWith(day)) return read(path)
      most = Math.max(most, ++now)
      reads++
      onRead()
      await setTimeout(2)
      return read(path).finally(() => now--)
    }
    try {
      expect(await ask('auditor', sql)).toEqual([[200n]])
      expect(reads).toBe(200)
      expect(most).toBeLessThan(50)
      reads = 0
      const stop = abortController()
      onRead = () => stop.abort(new Error('nobody waits'))
      await expect(ask('auditor', sql, { signal: stop.signal })).rejects.toThrow('nobody waits')
      expect(reads).toBeLessThan(50)
      reads = 0
      onRead = () => {}
      const limits = { ...limitsOf(), time: 1 }
      await expect(queryLake(storage, await log.head(), sql, { limits })).rejects.toThrow(
        'longer than its limit',
      )
      expect(reads).toBeLessThan(50)
    } finally {
      Object.assign(storage, { readIfPresent: read })
    }
    expect(await scratch()).toEqual([])
  })

  it('are read however long a record is', async () => {
    const record = { time: '2025-02-01T12:00:00.000Z', id: 'x', sql: 'ä'.repeat(2e6) }
    const path = '_moraine/queries/2025-02-01/long.jsonl'
    await made.storage.createIfAbsent(path, Buffer.from(`${JSON.stringify(record)}\n`))
    const sql = "select length(sql) from system.queries where ended < '2025-02-03'"
    expect(await ask('auditor', sql)).toEqual([[2_000_000n]])
  })

  it('are named in every way that a table is', async () => {
    const one = [[2n]]
    for (const sql of [
      'select count(*) from system.runs',
      'select count(*) from SYSTEM . "runs"',
      'select count(*) from /* é */ "system".RUNS as r where r.run = r.run',
      'select count(system.runs.run) from system.runs',
      'with system as (select 1 as x) select count(*) from system, system.runs',
      'with runs as (select * from system.runs) select count(*) from runs',
      'select (select count(*) from system.runs a join system.runs b using (run))',
      "select count(*) from system.runs where run <> 'system.runs'",
      'from system.runs select count(*)',
      'select\u00a0count(*) from\u3000system.runs\u2003as r',
      "select count(*) from system.runs where case system.runs.outcome when 'done' then 1 when 'x' then 2 end = 1",
    ])
      expect([sql, await ask('auditor', sql)]).toEqual([sql, one])
    const pasted =
      "select\u00a0'\u00a0' as\u00a0a, max(r.run) = r.run from system.runs\u00a0r group by r.run"
    expect(await ask('auditor', pasted)).toEqual([
      ['\u00a0', true],
      ['\u00a0', true],
    ])
    expect(await ask('auditor', 'select count(*) from runs', { schema: 'system' })).toEqual(one)
    expect(
      await ask('auditor', 'select count(*) from runs where started > $1', {
        schema: 'system',
        parameters: ['2020-01-01'],
      }),
    ).toEqual(one)
  })

  it('are for those to whom they were granted, by their rules, and for nobody else', async () => {
    for (const who of ['boss', 'analyst'])
      for (const name of ['queries', 'runs', 'commits'])
        await expect(ask(who, `select * from system.${name}`)).rejects.toThrow(
          `There is no table system.${name} in this lake`,
        )
    await expect(ask('guest', 'select * from system.commits')).rejects.toThrow('There is no table')
    await ask('analyst', 'select 4711')
    await ask('boss', 'select 4712')
    const seen = await ask('guest', 'select distinct principal, sql from system.queries')
    expect(seen).toEqual([['analyst', 'select']])
    expect(
      await ask('guest', "select count(*) from system.queries where sql like '%4711%'"),
    ).toEqual([[0n]])
    for (const sql of [
      'select * from _mrsys.queries',
      'select * from system.duckdb_settings',
      'select * from system.main.duckdb_tables',
      'select * from system.information_schema.tables',
    ])
      await expect(ask('auditor', sql), sql).rejects.toMatchObject({ kind: 'query' })
    const tables = (await service.tables(callers.guest as Caller)).map(
      (t) => `${t.schema}.${t.name}`,
    )
    expect(tables).toEqual(['system.queries', 'system.runs'])
    expect(
      (await service.tables(callers.boss as Caller)).map(({ schema }) => schema),
    ).not.toContain('system')
  })

  it('run as they were proved, whatever spaces a text has that the parser takes for others', async () => {
    const secret = join(made.folder, 'secret.csv')
    await writeFile(secret, 'hunter2\nhunter3\n')
    // The parser writes one byte for a space of several, so that what it says of places is moved.
    const hostile = (call: string, space: string, moved: number) => {
      const text = (spaces: string) =>
        `SELECT ${spaces} $system$a$system$ AS a, $_mrsys$ AS b, (${call}) AS c --$_mrsys$ AS d FROM system.runs`
      const plain = text('')
      const bytes = plain.indexOf('system.runs') - plain.indexOf('system')
      return text(space.repeat(bytes / moved))
    }
    const principal = callers.auditor as Caller
    for (const [space, moved] of [
      ['\u00a0', 1],
      ['\u3000', 2],
      ['\ufeff', 2],
    ] as const) {
      const first = hostile(`SELECT hunter2 FROM read_csv('${secret}', header=true)`, space, moved)
      const { columns } = await service.describe({ principal, sql: first })
      expect(columns.map(({ name }) => name)).toEqual(['a', 'd'])
      const settings = hostile('SELECT value FROM duckdb_settings() LIMIT 1', space, moved)
      const rows = await ask('auditor', settings)
      expect(rows.map((row) => row.length)).toEqual([2, 2])
    }
  })

  it('say what is wrong in the words of whoever asks, and leave nothing behind', async () => {
    const wrong = ask('auditor', 'select nothing from system.runs')
    await expect(wrong).rejects.toThrow('LINE 1: select nothing from system.runs')
    await expect(ask('auditor', 'select * from system.run')).rejects.toMatchObject({
      hint: 'Did you mean system.runs?',
    })
    expect(await scratch()).toEqual([])
  })

  it('are described without a record being read', async () => {
    const { columns } = await service.describe({
      principal: callers.auditor as Caller,
      sql: 'select run, commits, started from system.runs',
    })
    expect(columns.map(({ type }) => type)).toEqual(['VARCHAR', 'BIGINT[]', 'TIMESTAMP'])
  })

  it('are there for programs and the command line, which own the lake', async () => {
    const lake = openLake(made.lake, { root: `${made.folder}/lake` })
    expect(await lake.query('select count(*) as n from system.runs')).toEqual([{ n: 2n }])
    expect(await lake.query('select max(number) as n from system.commits', { at: 2 })).toEqual([
      { n: 2n },
    ])
  })
})
