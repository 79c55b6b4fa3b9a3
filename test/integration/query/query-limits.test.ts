import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { defineLake } from '../../../src/define/lake.js'
import type { QueryLimits } from '../../../src/define/limits.js'
import type { DefinitionError } from '../../../src/errors.js'
import { openLake } from '../../../src/query/open.js'
import { childrenOf } from '../../support/processes.js'
import { Project, repository } from '../../support/project.js'

const lakeWith = (queries: string) => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('sales', { from: files('sales.csv') })
export const sales = silver('sales', { from: raw, schema: z.object({ id: t.int(), note: z.string() }), key: 'id' })
export default defineLake({ name: 'shop', datasets: [sales]${queries} })
`
const rows = Array.from({ length: 5000 }, (_, i) => `${i},note ${i}`)

/** A query that never ends, over a table of the lake. */
const ENDLESS =
  'select count(*) from silver.sales a, silver.sales b, silver.sales c, range(1000000000) d where a.id + b.id + c.id + d.range = -1'

const create = async (queries = '') => {
  const project = await Project.create({
    'lake.ts': lakeWith(queries),
    'sales.csv': `id,note\n${rows.join('\n')}\n`,
  })
  await project.run()
  return project
}

const childrenNow = () => childrenOf(process.pid).length

describe('limits of queries', () => {
  it('are given with a question, or when the lake is opened, or in lake.ts; the nearest decides', async () => {
    const project = await create(", queries: { timeout: '6s', maxRows: 10 }")
    const lake = await project.load()
    const [sales] = lake.datasets.filter(({ tier }) => tier === 'silver')
    if (sales?.tier !== 'silver') throw new Error('there is no such dataset')
    const usual = openLake(lake)
    await expect(usual.query(ENDLESS)).rejects.toMatchObject({
      kind: 'limit',
      message: 'The query was stopped: it took longer than its limit of 6 s',
    })
    await expect(usual.read(sales)).rejects.toThrow('more rows than its limit of 10')
    expect(await usual.read(sales, { limit: 10 })).toHaveLength(10)
    expect(await usual.read(sales, { maxRows: 5000 })).toHaveLength(5000)
    const wider = openLake(lake, { maxRows: 100 })
    expect(await wider.query('from silver.sales limit 100')).toHaveLength(100)
    await expect(wider.query('from silver.sales limit 101')).rejects.toThrow(
      'than its limit of 100',
    )
    await expect(wider.query('from silver.sales', { maxRows: 7 })).rejects.toThrow(
      'than its limit of 7',
    )
    const stream = async () => {
      for await (const _ of wider.stream(sales, { maxRows: 3 }));
    }
    await expect(stream()).rejects.toMatchObject({ kind: 'limit' })

    const shown = await project.cli('query', ENDLESS)
    expect([shown.code, shown.stderr]).toEqual([1, expect.stringContaining('its limit of 6 s')])
    const more = await project.cli(
      'query',
      '--max-rows',
      '20',
      '--format',
      'csv',
      'from silver.sales limit 20',
    )
    expect([more.code, more.stdout.split('\n').length]).toEqual([0, 22])
  })

  it('keep a result from taking all memory of the program that asks', async () => {
    const program = `
      const { defineLake, openLake } = await import('moraine')
      const lake = await openLake(defineLake({ name: 'shop', datasets: [] }), { root: '/tmp/none-there' })
      await lake.query('select i, i::varchar as text from range(20000000) t(i)').catch((error) => console.log(error.kind, error.message))`
    const { stdout, status } = spawnSync(
      process.execPath,
      ['--max-old-space-size=100', '--input-type=module', '-e', program],
      { cwd: repository, encoding: 'utf8' },
    )
    expect([status, stdout]).toEqual([
      0,
      expect.stringMatching(/^limit The result of the query is larger/),
    ])
  })

  it('end the process alone, and the next query has another', async () => {
    const project = await create()
    const lake = openLake(await project.load(), { memory: '400MB' })
    await expect(lake.query('select len(range(200000000))')).rejects.toMatchObject({
      kind: 'limit',
      message: 'The query needs more memory than its limit of 400 MB',
    })
    expect(await lake.query('select count(*) as n from silver.sales')).toEqual([{ n: 5000n }])
  })

  it('leave other queries of the same program alone', async () => {
    const project = await create()
    const lake = openLake(await project.load())
    const [first, second] = await Promise.allSettled([
      lake.query(ENDLESS, { timeout: '1s' }),
      lake.query('select sum(hash(i)) is not null as ok from range(300000000) t(i)'),
    ])
    expect(first.status).toBe('rejected')
    expect(second).toEqual({ status: 'fulfilled', value: [{ ok: true }] })
  })
})

describe('a query that is cancelled', () => {
  it('throws the reason of its signal, and its process is gone', async () => {
    const project = await create()
    const lake = openLake(await project.load())
    const abort = new AbortController()
    const before = childrenNow()
    const asked = lake.query(ENDLESS, { signal: abort.signal })
    setTimeout(() => abort.abort(new Error('the user has left')), 1500)
    await expect(asked).rejects.toThrow('the user has left')
    expect(childrenNow()).toBeLessThanOrEqual(before)
    await expect(lake.query('select 1', { signal: abort.signal })).rejects.toThrow('has left')
    await expect(lake.query(ENDLESS, { signal: AbortSignal.timeout(500) })).rejects.toMatchObject({
      name: 'TimeoutError',
    })
  })

  it('stops while its rows are read', async () => {
    const project = await create()
    const lake = openLake(await project.load())
    const abort = new AbortController()
    const [sales] = (await project.load()).datasets.filter(({ tier }) => tier === 'silver')
    let seen = 0
    const read = async () => {
      for await (const batch of lake.stream(sales as never, { signal: abort.signal })) {
        seen += batch.length
        abort.abort()
      }
    }
    await expect(read()).rejects.toMatchObject({ name: 'AbortError' })
    expect(seen).toBeGreaterThan(0)
    expect(seen).toBeLessThan(5000)
  })

  it('does not hold a signal that outlives it', async () => {
    const project = await create()
    const lake = openLake(await project.load())
    const abort = new AbortController()
    await lake.query('select 1', { signal: abort.signal })
    abort.abort()
    expect(await lake.query('select 2 as n')).toEqual([{ n: 2 }])
  })
})

describe('a limit that is none', () => {
  const problemsOf = (queries: object) => {
    try {
      defineLake({ name: 'shop', datasets: [], queries: queries as QueryLimits })
      return []
    } catch (error) {
      return (error as DefinitionError).problems.map(({ message }) => message)
    }
  }

  it('is told when the lake is defined, or opened, or asked', async () => {
    expect(
      problemsOf({
        memory: '2GB',
        timeout: 'none',
        spill: '0B',
        maxRows: 1,
        maxBytes: '1 GiB',
        threads: 2,
      }),
    ).toEqual([])
    expect(problemsOf({ memory: '1MB', timeout: 30, rows: 5 })).toEqual([
      "defineLake: queries: memory must be a size of at least 256MiB, such as '512MiB' or '2GB', not the string '1MB'",
      "defineLake: queries: timeout must be a duration such as '30s', '15m' or '2h', or 'none', not 30",
      "defineLake: queries has no option 'rows'",
    ])
    const lake = defineLake({ name: 'shop', datasets: [] })
    expect(() => openLake(lake, { threads: 0 })).toThrow(
      'threads must be a whole number, 1 or more',
    )
    await expect(openLake(lake).query('select 1', { maxBytes: '5' })).rejects.toThrow(
      "The call has a mistake:\n- query(…): maxBytes must be a size such as '512MiB' or '2GB', not the string '5'",
    )
  })

  it.each([
    [['--memory', '2'], 'not a valid memory size'],
    [['--timeout', 'soon'], 'not a duration'],
    [['--spill', 'all'], 'not a size'],
    [['--max-rows', '-1'], 'must be a whole number'],
    [['--threads', '0'], 'must be a whole number'],
  ])('%s is refused', async (args, message) => {
    const project = await Project.create({ 'lake.ts': lakeWith('') })
    const { code, stderr } = await project.cli('query', ...args, 'select 1')
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
  })
})
