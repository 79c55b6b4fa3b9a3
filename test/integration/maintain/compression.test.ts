import { expect, it } from 'vitest'
import { DuckDB } from '../../../src/engine/duckdb/duckdb.js'
import { Table } from '../../../src/iceberg/table.js'
import { CommitLog } from '../../../src/log/log.js'
import { optimizeTable } from '../../../src/maintain/optimize.js'
import { Project, step } from '../../support/project.js'

const lake = (compression: string) => `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int(), label: z.string() }),
  key: 'id',
  ${compression}
})
const labels = gold('labels', { query: sql\`select label, count(*) as n from \${orders} group by 1\`, ${compression} })
export default defineLake({ name: 'shop', datasets: [labels] })
`

/**
 * The codecs of a table's data files, read from the files themselves, and what its metadata tells
 * others.
 */
async function codecs(project: Project, name: string) {
  const state = await project.state()
  const table = await Table.load(project.storage, state.tables[name]?.metadata ?? '')
  const engine = await DuckDB.start({ threads: 1 })
  const session = await engine.open()
  const found = new Set<string>()
  for (const { file } of await table.plan()) {
    const path = project.storage.locate(table.pathOf(file.path)).replace('file://', '')
    const rows = await session.rows(
      `SELECT DISTINCT compression AS c FROM parquet_metadata('${path}')`,
    )
    for (const { c } of rows) found.add(String(c))
  }
  await engine.close()
  return [[...found].sort(), table.metadata.properties['write.parquet.compression-codec']]
}

it('tables are written with the compression that their definition says, and tell it to others', async () => {
  const project = await Project.create({ 'lake.ts': lake(''), 'in/1.csv': 'id,label\n1,a\n2,b\n' })
  await project.run()
  for (const name of ['silver.orders', 'gold.labels'])
    expect(await codecs(project, name)).toEqual([['ZSTD'], 'zstd'])
  // Rows of silver stay where they are; what is written from now on follows.
  await project.write({ 'lake.ts': lake("compression: 'snappy',"), 'in/2.csv': 'id,label\n3,c\n' })
  const run = await project.run({ rewriteUpTo: 0 })
  expect(step(run, 'silver.orders').reason).toContain('the compression of its files changed')
  expect(await codecs(project, 'silver.orders')).toEqual([['SNAPPY', 'ZSTD'], 'snappy'])
  expect(await codecs(project, 'gold.labels')).toEqual([['SNAPPY'], 'snappy'])
  const engine = await DuckDB.start({ threads: 1 })
  const info = { author: 'test', run: 'test', message: 'optimize' }
  await optimizeTable(
    new CommitLog(project.storage),
    project.storage,
    await engine.open(),
    'silver.orders',
    { info },
  )
  await engine.close()
  expect(await codecs(project, 'silver.orders')).toEqual([['SNAPPY'], 'snappy'])
  await project.write({ 'lake.ts': lake('') })
  await project.run({ full: true, acceptDefinition: true })
  expect(await codecs(project, 'silver.orders')).toEqual([['ZSTD'], 'zstd'])
  expect(await project.query('select count(*) as n from silver.orders')).toEqual([{ n: 3n }])
})
