import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { sample } from '../../support/effort.js'
import { childrenOf, ended, isRunning, working } from '../../support/processes.js'
import { moraine, repository, temporaryFolder } from '../../support/project.js'

/*
 * Queries that would take all of a machine, through the command line and by programs, each in real
 * processes.
 */

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'moraine-runaway-'))
})
afterAll(() => rm(root, { recursive: true, force: true }))

const query = (...args: string[]) => moraine(['--root', root, 'query', ...args])

const ENDLESS =
  'select count(*) from range(100000000000) a, range(100000000000) b where a.range = b.range * 2 + 1'

describe('a query that needs more memory than it may use is ended', () => {
  it.each(
    sample<[string, string]>(
      [
        ['a list of a range', 'select len(range(200000000))'],
        ['a list of generate_series', 'select len(generate_series(1, 200000000))'],
        ['a text of many', "select string_agg(repeat('x', 1000), '') from range(2000000)"],
        ['a list of many', 'select list(i) from range(200000000) t(i)'],
        ['a list that is unnested', 'select count(*) from (select unnest(range(1000000000)))'],
        ['many lists that are unnested', 'select unnest(range(2000000000)) as n order by n desc'],
        ['a long text', "select repeat('x', 2000000000)"],
        ['a text that is filled up', "select lpad('x', 2000000000, 'y')"],
        ['a histogram of all', 'select histogram(i) from range(100000000) t(i)'],
        [
          'lists of lists',
          'select array_agg(r) from (select range(1000) as r from range(1000000))',
        ],
        ['an aggregate of a list', "select list_aggregate(range(300000000), 'sum')"],
        ['a lambda over a list', 'select len(list_transform(range(100000000), x -> x * 2))'],
        ['a list that is sorted', 'select len(list_sort(range(200000000)))'],
        ['a map', 'select map(range(50000000), range(50000000))'],
        ['JSON of many', 'select json_group_array(i) from range(100000000) t(i)'],
        ['a text that is split', "select len(string_split(repeat('a,', 200000000), ','))"],
        [
          'a recursive CTE whose text doubles',
          "with recursive t(s) as (select 'x' union all select s || s from t) select max(length(s)) from t",
        ],
        [
          'a recursive CTE whose list doubles',
          'with recursive t(l) as (select [1] union all select list_concat(l, l) from t) select count(*) from t',
        ],
        ['a median of many', 'select quantile_cont(i, 0.5), mode(i) from range(300000000) t(i)'],
        ['structs of lists', "select {'a': range(100000000), 'b': range(100000000)}"],
        ['a number that is padded', "select printf('%1000000000d', 1)"],
        [
          'lists of a growing window',
          'select list(range) over (order by range) from range(1000000)',
        ],
        [
          'the distance of two long texts',
          "select levenshtein(repeat('x', 3000000) || range, repeat('y', 3000000)) from range(2000)",
        ],
      ],
      4,
    ),
  )('%s', async (_, sql) => {
    const { code, stdout, stderr } = await query('--memory', '400MB', sql)
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain('The query needs more memory than its limit of 400 MB')
    expect(stderr).toContain('--memory 800MB')
  })
})

describe('a query that takes longer than it may is ended', () => {
  it.each(
    sample<[string, string]>(
      [
        ['a cross join', ENDLESS],
        ['a count of a huge range', 'select sum(hash(i)) from range(100000000000000) t(i)'],
        [
          'a recursive CTE that never ends',
          'with recursive t(n) as (select 1::bigint union all select (n * 7 + 1) % 1000000007 from t) select max(n) from t',
        ],
        [
          'a recursive CTE that comes back to where it was',
          'with recursive t(n) as (select 0 union all select 1 - n from t) select count(*) from t',
        ],
        [
          'a regular expression over long texts',
          "select count(*) from range(100000000000) t(i) where regexp_matches(repeat('a', 5000) || i, '(a+a+)+b|(.*a){20}c')",
        ],
        [
          'a distance of long texts',
          "select sum(levenshtein(repeat('ab', 3000), repeat('ba', 3000) || i)) from range(100000000) t(i)",
        ],
        [
          'sums of large numbers',
          'select max(factorial(20 + (i % 13)::int)) from range(100000000000) t(i)',
        ],
        [
          'a correlated subquery',
          'select sum((select count(*) from range(10000000000) b(j) where j % 7 = i % 7)) from range(100) a(i)',
        ],
        ['rows that nobody finds', 'select * from range(100000000000000) t(i) where hash(i) = 1'],
      ],
      3,
    ),
  )('%s', async (_, sql) => {
    const { code, stderr } = await query('--timeout', '1s', sql)
    expect(stderr).toContain('The query was stopped: it took longer than its limit of 1 s')
    expect(stderr).toContain('--timeout 3s')
    expect(code).toBe(1)
  })
})

describe('a query that would fill the disk is ended', () => {
  it.each(
    sample<[string, string]>(
      [
        [
          'a sort',
          "select i, repeat('x', 100) || hash(i) as s from range(20000000) t(i) order by s limit 1 offset 19000000",
        ],
        [
          'a window',
          "select max(n) from (select i, row_number() over (order by hash(i), repeat('x', 100)) n from range(20000000) t(i))",
        ],
        [
          'a join',
          "select count(*) from (select hash(i) h, repeat('a', 100) || i s from range(5000000) t(i)) a join (select hash(i) h, repeat('b', 100) || i s from range(5000000) t(i)) b using (h) where a.s > b.s",
        ],
        [
          'distinct rows',
          "select count(*) from (select distinct repeat('x', 100) || hash(i) from range(20000000) t(i))",
        ],
      ],
      1,
    ),
  )('%s', async (_, sql) => {
    const { code, stderr } = await query('--memory', '400MB', '--spill', '20MB', sql)
    expect(stderr).toContain('The query would spill more to disk than its limit of 20 MB')
    expect(stderr).toContain('--spill 40MB')
    expect(code).toBe(1)
  })
})

describe('a query whose result is too large is ended', () => {
  it('by rows', async () => {
    const { code, stdout, stderr } = await query(
      '--max-rows',
      '5000',
      '--format',
      'csv',
      'from range(1000000)',
    )
    expect(stderr).toContain('The query returns more rows than its limit of 5,000')
    expect(code).toBe(1)
    // What it gave until then was within the limit.
    expect(stdout.split('\n').length).toBeLessThanOrEqual(5002)
    expect((await query('--max-rows', '5000', 'from range(5000)')).code).toBe(0)
  })

  it('by size', async () => {
    const { code, stderr } = await query(
      '--max-bytes',
      '1MB',
      '--format',
      'json',
      "select repeat('x', 1000) from range(2000)",
    )
    expect(stderr).toContain('The result of the query is larger than its limit of 1 MB')
    expect(code).toBe(1)
  })
})

describe('a query ends with its command', () => {
  const start = (sql: string, env: NodeJS.ProcessEnv = {}) => {
    const bin = join(repository, 'bin/moraine.js')
    const args = [bin, '--root', root, '--json', 'query', '--timeout', 'none', sql]
    const command = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'ignore'],
      env: { ...process.env, ...env },
    })
    onTestFinished(() => void command.kill('SIGKILL'))
    return command
  }

  const childOf = async ({ pid }: ChildProcess) => {
    for (;;) {
      const [child] = childrenOf(pid as number)
      if (child !== undefined) return child
      await sleep(50)
    }
  }

  it.each(['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const)('by %s', async (signal) => {
    const folder = await temporaryFolder()
    const command = start(ENDLESS, { TMPDIR: folder })
    const child = await childOf(command)
    await working(child)
    command.kill(signal)
    await once(command, 'exit')
    await ended(child)
    // Nor does it leave anything on the disk.
    expect(readdirSync(folder).filter((name) => name.startsWith('moraine-'))).toEqual([])
  })

  it('and goes on after its command was stopped for a while', async () => {
    const command = start('select count(*) as n from range(2000000000) t(i) where hash(i) = 1')
    let out = ''
    command.stdout?.on('data', (chunk) => {
      out += chunk
    })
    const child = await childOf(command)
    command.kill('SIGSTOP')
    await sleep(1000)
    expect(isRunning(child)).toBe(true)
    command.kill('SIGCONT')
    await once(command, 'close')
    expect(JSON.parse(out)).toEqual([{ n: 0 }])
  })

  it('also the process that a program keeps for its next query', async () => {
    const program = `
      const { defineLake, openLake } = await import('moraine')
      const lake = await openLake(defineLake({ name: 'shop', datasets: [] }), { root: ${JSON.stringify(root)} })
      console.log(await lake.query('select 1 as n'))
      setInterval(() => {}, 1000)`
    const command = spawn(process.execPath, ['--input-type=module', '-e', program], {
      cwd: repository,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void command.kill('SIGKILL'))
    await once(command.stdout, 'data')
    const child = await childOf(command)
    command.kill('SIGKILL')
    await ended(child)
  })
})
