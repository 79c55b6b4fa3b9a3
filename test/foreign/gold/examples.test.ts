import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { makeFiles } from '../../../examples/tickit/generate/files.js'
import { generate } from '../../../examples/tpcds/generate/main.js'
import { fullName } from '../../../src/define/dataset.js'
import type { Lake } from '../../../src/define/lake.js'
import { renderSql } from '../../../src/define/sql/sql.js'
import { sqlType } from '../../../src/define/types/sql-type.js'
import { boundPlan } from '../../../src/engine/duckdb/bound-plan.js'
import type { BoundTable } from '../../../src/engine/engine.js'
import { openEngine } from '../../../src/engine/open.js'
import { toColumnType } from '../../../src/iceberg/spec/types.js'
import { Table } from '../../../src/iceberg/table.js'
import { loadLake } from '../../../src/load/load.js'
import { CommitLog } from '../../../src/log/log.js'
import { runLake } from '../../../src/run/execute.js'
import { AuditTrail } from '../../../src/serve/audit/trail.js'
import { catalog } from '../../../src/serve/rest/catalog.js'
import { listen } from '../../../src/serve/server.js'
import { renderPlan } from '../../../src/sql/bound/render.js'
import { type TargetName, targets } from '../../../src/sql/bound/target.js'
import { storedType } from '../../../src/sql/bound/types.js'
import { Relations } from '../../../src/step/relations.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { repository, temporaryFolder } from '../../support/project.js'
import { withService } from '../../support/services.js'
import { Trino } from '../../support/trino.js'
import type { LakeAddress } from '../engines/engine.js'
import { fromGuide } from '../engines/guide.js'
import { trinoParts } from '../engines/trino.js'
import { python, sparkJar } from '../readers.js'
import { answerOf, spelt, textOf } from './compare.js'
import { type Answering, SparkAnswers, TrinoAnswers } from './engines.js'

/*
 * The gold of the examples gives the same rows on Trino and in Spark SQL as DuckDB has written,
 * value by value and with the same types.
 */

const TOKEN = 'open sesame'

/** What is known not to be computed elsewhere, and why. */
const refused: Readonly<Record<string, string>> = { 'gold.status_funnel': 'median' }

interface Example {
  name: string
  prepare: (folder: string) => Promise<void>
}

const examples: readonly Example[] = [
  {
    name: 'orders',
    prepare: async (folder) => {
      const landing = join(folder, 'lake/bronze/landing/orders')
      await mkdir(landing, { recursive: true })
      const orders = Array.from({ length: 200 }, (_, i) => ({
        order_id: (i % 120) + 1,
        order_last_updated: `2026-03-0${1 + (i % 8)} 10:0${i % 6}:00.12345${i % 9}`,
        customer_id: (i % 11) + 1,
        order_status: ['PENDING', 'PROCESSING', 'COMPLETE', 'CANCELED'][(i * 7) % 4],
        amount: `${i}.${10 + (i % 90)}`,
      }))
      await writeFile(join(landing, '1.jsonl'), orders.map((one) => JSON.stringify(one)).join('\n'))
    },
  },
  {
    name: 'tickit',
    prepare: async (folder) => {
      process.env.TICKIT_DATA = join(folder, 'data')
      await mkdir(process.env.TICKIT_DATA)
      for (const { name, text } of makeFiles(2008, 0.01))
        await writeFile(join(process.env.TICKIT_DATA, name), text)
    },
  },
  {
    name: 'tpcds',
    prepare: async (folder) => {
      process.env.TPCDS_DATA = join(folder, 'data')
      await mkdir(process.env.TPCDS_DATA)
      await generate(process.env.TPCDS_DATA, 0.0005)
    },
  },
]

/** A lake of the examples that DuckDB has built, and the address of its catalog. */
async function built({ name, prepare }: Example) {
  const folder = await temporaryFolder()
  await prepare(folder)
  const storage = new LocalStorage(join(folder, 'lake'))
  const lake = await loadLake(join(repository, 'examples', name, 'lake.ts'))
  const engine = await openEngine({ threads: 2 })
  const record = await runLake(lake, { storage, engine, ownEngine: true })
  await engine.close()
  expect(record.steps.filter(({ error }) => error)).toEqual([])
  const audit = new AuditTrail(storage)
  const app = catalog(storage, { token: TOKEN, onCall: (call) => audit.add(call) })
  const host = '127.0.0.1'
  const server = await listen({ port: 0, host, names: [], receivers: [], catalog: app })
  onTestFinished(async () => {
    await server.close()
    await audit.flush()
  })
  return { lake, storage, name, url: `http://${host}:${server.port}/iceberg` }
}

/** What the tables of a lake consist of, as the binder is told. */
async function tablesOf(storage: LocalStorage): Promise<BoundTable[]> {
  const { tables } = await new CommitLog(storage).head()
  return Promise.all(
    Object.entries(tables).map(async ([full, state]) => {
      const [schema = '', name = ''] = full.split('.')
      const { fields } = (await Table.load(storage, state)).schema
      return {
        schema,
        name,
        fields: fields.map((one) => ({ name: one.name, type: toColumnType(one.type) })),
      }
    }),
  )
}

/** The names that a query gives its columns. */
async function namesOf(sql: string, tables: readonly BoundTable[]): Promise<string[]> {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  for (const { schema, name, fields } of tables) {
    const columns = fields.map((field) => `"${field.name}" ${sqlType(field.type)}`).join(', ')
    await connection.run(
      `CREATE SCHEMA IF NOT EXISTS "${schema}"; CREATE TABLE "${schema}"."${name}" (${columns})`,
    )
  }
  const described = await connection.runAndReadAll(`DESCRIBE ${sql}`)
  connection.closeSync()
  return described.getRows().map(([name]) => String(name))
}

/** What an engine gives otherwise for the gold of a lake. */
async function differences(
  target: TargetName,
  answering: Answering,
  { lake, storage, name }: { lake: Lake; storage: LocalStorage; name: string },
): Promise<string[]> {
  const tables = await tablesOf(storage)
  const wrong: string[] = []
  const engine = await openEngine({ threads: 2 })
  onTestFinished(() => engine.close())
  const session = await engine.open()
  const relations = new Relations(storage, await new CommitLog(storage).head())
  for (const dataset of lake.datasets) {
    if (dataset.tier !== 'gold' || dataset.view) continue
    const full = fullName(dataset)
    const sql = renderSql(dataset.query)
    const { fields } = tables.find(
      ({ schema, name: own }) => `${schema}.${own}` === full,
    ) as BoundTable
    const { quote, title, type: typeOf } = targets[target]
    const given = await namesOf(sql, tables)
    const plan = await boundPlan(sql, tables)
    const table = (schema: string, of: string) => [name, schema, of].map(quote).join('.')
    let text: string
    try {
      text = renderPlan(plan, { target, columns: fields, given, table })
    } catch (error) {
      expect(String(error)).toContain(refused[full] ?? 'nothing of this')
      continue
    }
    expect(refused, `${full} on ${title}`).not.toHaveProperty(full)
    const { types, rows } = await answerOf(answering, text, fields)
    const scan = await relations.tableRelation(session, full)
    const texts = fields.map((field) => textOf(`"${field.name}"`, field)).join(', ')
    const columns = await session.texts(`SELECT ${texts} FROM (${scan})`)
    const own = (columns[0] ?? []).map((_, row) => columns.map((column) => column[row] ?? null))
    const lines = (of: readonly (readonly (string | null)[])[]) =>
      of
        .map((row) => JSON.stringify(row.map((value, i) => spelt(value, fields[i] as never))))
        .sort()
    const [ours, theirs] = [lines(own), lines(rows)]
    expect(types).toEqual(fields.map(({ type }) => typeOf(storedType(type))))
    const at = ours.findIndex((line, i) => line !== theirs[i])
    if (at >= 0 || ours.length !== theirs.length)
      wrong.push(`${full}: ${ours.length} and ${theirs.length} rows; ${ours[at]} and ${theirs[at]}`)
    expect(ours.length, full).toBeGreaterThan(0)
  }
  return wrong
}

const before = { ...process.env }
beforeEach(() => {
  Object.assign(process.env, before)
})
afterEach(() => {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
})

async function same(
  target: TargetName,
  start: (urls: Record<string, string>) => Promise<Answering>,
) {
  const lakes = []
  for (const example of examples) lakes.push(await built(example))
  const answering = await start(Object.fromEntries(lakes.map(({ name, url }) => [name, url])))
  onTestFinished(() => answering.stop())
  for (const lake of lakes) expect(await differences(target, answering, lake)).toEqual([])
}

describe('gold of the examples', () => {
  withService('Trino', trinoParts, () => {
    it('gives the same rows on Trino', () =>
      same('trino', async (urls) => {
        const catalogs = Object.entries(urls).map(([name, url]) => {
          const address = { url, token: TOKEN, example: '' } as LakeAddress
          return [name, fromGuide('Trino', 0, name, address) + fromGuide('Trino', 1, name, address)]
        })
        return new TrinoAnswers(await Trino.start(Object.fromEntries(catalogs)))
      }))
  })

  withService('Spark', [python, sparkJar], () => {
    it('gives the same rows in Spark SQL', () =>
      same('spark', (urls) =>
        SparkAnswers.start(python as string, { jar: sparkJar as string, token: TOKEN, urls }),
      ))
  })
})
