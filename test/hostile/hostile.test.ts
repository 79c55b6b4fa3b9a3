import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { z } from 'zod'
import { check } from '../../src/define/check.js'
import { bronze, gold, silver } from '../../src/define/dataset.js'
import { defineLake, type Lake } from '../../src/define/lake.js'
import type { Sql } from '../../src/define/model.js'
import { takeMistakes } from '../../src/define/problems/mistakes.js'
import { rule } from '../../src/define/rule.js'
import { sqlText } from '../../src/define/sql/sql.js'
import { t } from '../../src/define/types/t.js'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import { MoraineError } from '../../src/errors.js'
import { loadLake } from '../../src/load/load.js'
import type { TableState } from '../../src/log/commit.js'
import { CommitLog } from '../../src/log/log.js'
import { definitionOf } from '../../src/plan/fingerprint.js'
import { openLake } from '../../src/query/open.js'
import { sqlOf, sqlProblems } from '../../src/run/bind/prove-sql.js'
import { runLake } from '../../src/run/execute.js'
import { files } from '../../src/source/declare/files.js'
import { hash } from '../../src/step/context.js'
import { LocalStorage } from '../../src/storage/local.js'
import { datasetTest } from '../../src/testing/dataset-test.js'
import { command } from '../support/commands.js'
import { amount, drawn } from '../support/effort.js'
import { eachOf, type Hostile, Surroundings, shortened } from './doors.js'

/*
 * Queries of somebody hostile through every door that takes SQL: each is refused or does no harm,
 * which canaries show: a file, a variable of the environment and a port outside of the lake.
 * Queries are data, in queries.json.
 */

const definition = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('orders.csv') })
export const orders = silver('orders', { from: raw, schema: z.object({ id: t.int() }) })

export default defineLake({ name: 'hostile', datasets: [orders] })
`

let around: Surroundings
let lake: Lake
let storage: LocalStorage
beforeAll(async () => {
  around = await Surroundings.create({ 'lake.ts': definition, 'orders.csv': 'id\n1\n2\n3\n' })
  lake = await loadLake(join(around.folder, 'lake.ts'))
  storage = new LocalStorage(join(around.folder, 'lake'))
  expect((await run(lake)).outcome).toBe('done')
})
afterAll(() => around.close())
afterEach(async () => expect(await around.harm()).toEqual([]))

async function run(given: Lake) {
  const engine = await DuckDB.start({ threads: 2 })
  try {
    return await runLake(given, { storage, engine, ownEngine: true })
  } finally {
    await engine.close()
  }
}

const sql = (text: string): Sql => sqlText(text, {}, { file: 'lake.ts', line: 1, column: 1 })

/** Those that were not refused, though they should have been, and what they did. */
async function unrefused(
  hostile: readonly Hostile[],
  ask: (text: string) => Promise<unknown>,
  many?: number,
): Promise<string[]> {
  const found: string[] = []
  const one = async (query: Hostile) => {
    const outcome = await ask(query.text).catch((error) => error)
    const isRefused = outcome instanceof MoraineError
    if (outcome instanceof Error && !isRefused) found.push(`${shortened(query)}\n  ${outcome}`)
    if (query.refused && !isRefused) found.push(shortened(query))
    for (const harm of await around.harm(outcome)) found.push(`${shortened(query)}\n  ${harm}`)
  }
  await eachOf(hostile, one, many)
  return found
}

/** Each asks a process of its own: one in so many of each kind. */
const share = amount(16, 4, 1)

/** One in so many of each kind, and of each kind one. */
function some(hostile: readonly Hostile[], n: number): Hostile[] {
  const kinds = new Map<string, Hostile[]>()
  for (const one of hostile) kinds.set(one.kind, [...(kinds.get(one.kind) ?? []), one])
  return [...kinds.values()].flatMap((of) => drawn(of, Math.ceil(of.length / n)))
}

const allQueries = () => around.queries().filter(({ kind }) => kind !== 'expressions')
const allExpressions = () => [
  ...around.queries('expressions'),
  ...allQueries().map(({ kind, text, refused }) => ({
    kind,
    text: `(\n${text}\n)`,
    // In parentheses, `checkpoint` is the name of a column.
    refused: refused && /^\W*(select|from|with)\b/i.test(text),
  })),
]

it('there are more than 300 of them', () => {
  expect(allQueries().length).toBeGreaterThan(300)
})

it('a query', async () => {
  const { query } = openLake(lake)
  expect(await unrefused(some(allQueries(), share), query)).toEqual([])
})

it('the condition of a read', async () => {
  const { read } = openLake(lake)
  const [, orders] = lake.datasets
  const conditions = some(allExpressions(), share * 2).filter(({ kind }) => kind !== 'harmless')
  const asked = conditions.map((query) => ({ ...query, refused: false }))
  const where = (text: string) => read(orders as never, { where: sql(text) })
  expect(await unrefused(asked, where)).toEqual([])
})

const raw = bronze('orders', { from: files('orders.csv') })

function goldOf(text: string, i = 0) {
  return gold(`h${i}`, { query: sql(text) })
}

function silverOf(text: string, i = 0) {
  const expression = text
  return silver(`h${i}`, {
    from: raw,
    schema: z.object({ id: t.int(), x: z.string().optional() }),
    select: { x: sql(expression) },
    key: 'id',
    deleteWhen: sql(expression),
    rules: [rule('hostile', sql(expression))],
    checks: [check.sql('hostile', sql(text))],
  })
}

it('each piece of SQL of a definition', async () => {
  const engine = await DuckDB.start({ threads: 1 })
  const session = await engine.open()
  const passed: string[] = []
  const prove = async (dataset: ReturnType<typeof goldOf | typeof silverOf>, query: Hostile) => {
    const pieces = sqlOf(dataset)
    const problems = await sqlProblems(session, dataset, pieces)
    // What a check calls the table that it is about is a table to it alone.
    const own = query.text.includes('this_table') ? ['check'] : []
    for (const piece of query.refused ? pieces : [])
      if (!problems.has(piece.sql) && !own.includes(piece.what))
        passed.push(`${piece.what} of ${shortened(query)}`)
  }
  for (const query of allQueries()) await prove(goldOf(query.text), query)
  for (const query of allExpressions()) await prove(silverOf(query.text), query)
  await engine.close()
  takeMistakes()
  expect(passed).toEqual([])
})

it('a lake of hostile datasets', async () => {
  const hostile = allQueries()
  const golds = hostile.map(({ text }, i) => goldOf(text, i))
  const built = await run(
    defineLake({ name: 'hostile', datasets: golds.filter((_, i) => hostile[i]?.refused) }),
  )
  takeMistakes()
  expect(built.outcome).toBe('failed')
  expect(built.steps.filter(({ outcome }) => outcome === 'done')).toEqual([])
  expect(built.commits).toEqual([])
  expect(await around.harm(built)).toEqual([])
})

it('a definition that was built before by a program without a guard', async () => {
  const [, orders] = lake.datasets
  const datasetOf = (text: string) =>
    gold('old', { query: sqlText(text, { orders: orders as never }, undefined) })
  const harmless = datasetOf('select count(*) as n from ${orders}')
  const hostile = datasetOf(
    `select count(*) as n from \${orders}, read_csv('${around.folder}/secret.csv')`,
  )
  const datasets = [...lake.datasets]
  const lakeOf = (dataset: typeof harmless) =>
    defineLake({ name: 'hostile', datasets: [...datasets, dataset] })
  expect((await run(lakeOf(harmless))).outcome).toBe('done')
  // As if it had been built so: nothing of it is new, and it is not bound.
  const log = new CommitLog(storage)
  const head = await log.head()
  const table = head.tables['gold.old'] as TableState
  const tables = { 'gold.old': { ...table, definition: definitionOf(hostile, hash) } }
  await log.commit(head, { tables }, { author: 'test', message: 'an old program', run: 'test' })
  await appendFile(join(around.folder, 'orders.csv'), '4\n')
  const { steps, outcome } = await run(lakeOf(hostile))
  expect(outcome).toBe('failed')
  const failed = steps.find(({ dataset }) => dataset === 'gold.old')
  expect(failed?.error?.message).toContain('The function read_csv cannot be called here')
})

it('a test of a dataset', async () => {
  const ask = (text: string) =>
    datasetTest('hostile', goldOf(text), { given: [], expect: [] }).compare()
  // Where nothing is given there is no table, so that harmless ones fail as well.
  const hostile = allQueries().filter(({ refused }) => refused)
  expect(await unrefused(hostile, ask, 1)).toEqual([])
})

it('a view that somebody put into the log', async () => {
  const log = new CommitLog(storage)
  const ask = async (text: string) => {
    const views = { 'gold.hostile': { sql: text, columns: [], definition: {} as never } }
    const info = { author: 'test', message: 'a view', run: 'test' }
    const { number } = await log.commit(await log.head(), { views }, info)
    return openLake(lake).query('select * from gold.hostile', { at: number })
  }
  const hostile = some(allQueries(), share * 2).filter(({ text }) => text !== '')
  expect(await unrefused(hostile, ask, 1)).toEqual([])
})

it('the command line, and a query that is to be kept', async () => {
  const file = join(around.folder, 'lake.ts')
  const before = await readFile(file, 'utf8')
  const hostile = some(allQueries(), share * 8).filter(
    ({ text }) => !text.includes('\0') && text.length < 1e5,
  )
  const found: string[] = []
  await eachOf(
    hostile.filter(({ refused }) => refused),
    async (query) => {
      for (const more of [[], ['--save-as', 'gold.hostile'], ['--format', 'json']]) {
        const args = ['-C', around.folder, 'query', ...more, '--', query.text]
        const outcome = await command(args)
        if (outcome.code === 0) found.push(shortened(query))
        for (const harm of await around.harm(outcome)) found.push(`${shortened(query)}\n  ${harm}`)
      }
    },
    2,
  )
  expect(found).toEqual([])
  expect(await readFile(file, 'utf8')).toBe(before)
})

it('the name of what is previewed', async () => {
  for (const name of [
    'silver.orders" union all select * from "/etc/passwd',
    `discarded.x" , '${around.folder}/secret.csv' t --`,
    "discarded.\"; copy (select 1) to 'x'",
    'silver.orders; select 1',
    '_moraine.log',
  ]) {
    const outcome = await command(['-C', around.folder, 'preview', '--', name])
    expect(outcome.code, name).toBeGreaterThan(0)
    expect(await around.harm(outcome)).toEqual([])
  }
})

/** They would not end, end this process, or print. */
const deadly = /profiling|sleep|arrow_scan|finalize|combine|create_sort_key/

it('an engine that is confined to the lake, if the guard let them pass', async () => {
  const engine = await DuckDB.start({ threads: 2 })
  const session = await engine.open()
  await session.define('silver', 'orders', 'select 1 as id')
  await engine.confine([storage.url])
  const found: string[] = []
  for (const query of allQueries().filter(({ text }) => !deadly.test(text) && text.length < 1e4)) {
    const outcome = await session.rows(query.text).catch((error) => error)
    for (const harm of await around.harm(outcome)) found.push(`${shortened(query)}\n  ${harm}`)
  }
  await engine.close()
  expect(found).toEqual([])
})
