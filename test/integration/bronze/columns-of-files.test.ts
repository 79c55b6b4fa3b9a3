import { describe, expect, it } from 'vitest'
import { DuckDB } from '../../../src/engine/duckdb/duckdb.js'
import { type Files, Project, step } from '../../support/project.js'

const lake = (from: string, silvers: string) => `
import { bronze, defineLake, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('pay', { from: ${from} })
${silvers}
`

const prices = (from: string) =>
  lake(
    from,
    `const prices = silver('prices', {
  from: raw, key: 'sku',
  schema: z.object({ sku: z.string(), price: t.decimal(9, 2), cost: t.decimal(9, 2) }),
})
export default defineLake({ name: 'shop', datasets: [prices] })`,
  )

async function parquet(sql: string, format = 'parquet'): Promise<Uint8Array> {
  const { mkdtemp, readFile, rm } = await import('node:fs/promises')
  const { tmpdir } = await import('node:os')
  const folder = await mkdtemp(`${tmpdir()}/moraine-parquet-`)
  const engine = await DuckDB.start({ threads: 1 })
  try {
    const session = await engine.open()
    await session.run(`COPY (${sql}) TO '${folder}/x' (FORMAT ${format})`)
    return await readFile(`${folder}/x`)
  } finally {
    await engine.close()
    await rm(folder, { recursive: true, force: true })
  }
}

describe('declared columns of files that name theirs', () => {
  const expected = [
    { sku: 'A1', price: '11.00', cost: '7.50' },
    { sku: 'A2', price: '12.00', cost: '8.00' },
  ]
  const all =
    'SELECT sku, price::varchar AS price, cost::varchar AS cost FROM silver.prices ORDER BY 1'
  const declared = "columns: ['sku', 'price', 'cost']"

  it.each<[string, string, () => Promise<Files>, () => Promise<Files>]>([
    [
      'CSV',
      `files('in/*.csv', { ${declared}, header: true })`,
      async () => ({ 'in/1.csv': 'sku,price,cost\nA1,10.00,7.00\nA2,12.00,8.00\n' }),
      async () => ({ 'in/2.csv': 'SKU,cost,price\nA1,7.50,11.00\n' }),
    ],
    [
      'Parquet',
      `files('in/*.parquet', { ${declared} })`,
      async () => ({
        'in/1.parquet': await parquet(
          `SELECT * FROM (VALUES ('A1', 10.00, 7.00), ('A2', 12.00, 8.00)) AS t(sku, price, cost)`,
        ),
      }),
      async () => ({
        'in/2.parquet': await parquet(
          `SELECT 'A1' AS SKU, 1 AS more, 7.50 AS cost, 11.00 AS price`,
        ),
      }),
    ],
    [
      'JSON lines',
      `files('in/*.jsonl', { ${declared} })`,
      async () => ({
        'in/1.jsonl':
          '{"sku":"A1","price":10,"cost":7}\n{"sku":"A2","price":12,"cost":8,"more":true}\n',
      }),
      async () => ({ 'in/2.jsonl': '{"cost":7.5,"price":11,"sku":"A1"}\n' }),
    ],
  ])('are found by name in %s, whatever their order', async (_, from, first, later) => {
    const project = await Project.create({ 'lake.ts': prices(from), ...(await first()) })
    expect((await project.run()).outcome).toBe('done')
    await project.write(await later())
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query(all)).toEqual(expected)
    expect((await project.run({ full: true })).outcome).toBe('done')
    expect(await project.query(all)).toEqual(expected)
  })

  it('that Parquet does not have are an error which says what it has', async () => {
    const project = await Project.create({
      'lake.ts': prices(`files('in/*.parquet', { ${declared} })`),
      'in/1.parquet': await parquet("SELECT 'A1' AS sku, 1.00 AS prize, 2.00 AS cost"),
    })
    const { error } = step(await project.run(), 'bronze.pay')
    expect(error?.message).toBe("in/1.parquet has no column 'price'")
    expect(error?.hint).toContain("Its columns are: sku, prize, cost. Did you mean 'prize'?")
  })
})

describe('a column that was renamed', () => {
  const definition = lake(
    "files('in/*.csv')",
    `const plain = silver('plain', { from: raw, schema: z.object({ id: t.int(), amount: t.decimal(9, 2).nullable() }), key: 'id' })
const both = silver('both', { from: raw, select: { amount: sql\`coalesce(amount_eur, amount)\` }, schema: z.object({ id: t.int(), amount: t.decimal(9, 2) }), key: 'id' })
export default defineLake({ name: 'pay', datasets: [plain, both] })`,
  )
  const first = { 'in/1.csv': 'id,amount\n1,10.00\n' }
  const second = { 'in/2.csv': 'id,amount_eur\n2,20.00\n' }
  const third = { 'in/3.csv': 'ID,Amount_EUR\n3,30.00\n' }
  const tables = async (project: Project) => ({
    plain: await project.query('SELECT id, amount::varchar AS a FROM silver.plain ORDER BY id'),
    both: await project.query('SELECT id, amount::varchar AS a FROM silver.both ORDER BY id'),
  })

  it('is the same whether its files come together, one by one, or are all read again', async () => {
    const together = await Project.create({ 'lake.ts': definition, ...first, ...second, ...third })
    expect((await together.run()).outcome).toBe('done')
    const expected = await tables(together)
    expect(expected.both).toEqual([
      { id: 1, a: '10.00' },
      { id: 2, a: '20.00' },
      { id: 3, a: '30.00' },
    ])
    const single = await Project.create({ 'lake.ts': definition, ...first, ...second })
    await single.run()
    await single.write(third)
    expect((await single.run()).outcome).toBe('done')
    await single.write({ 'in/4.csv': 'id,amount\n4,40.00\n' })
    await together.write({ 'in/4.csv': 'id,amount\n4,40.00\n' })
    expect((await single.run()).outcome).toBe('done')
    expect((await together.run({ full: true })).outcome).toBe('done')
    expect(await tables(single)).toEqual(await tables(together))
  })
})

describe('columns that come and go in later files', () => {
  const definition = (drift: string) =>
    lake(
      `files('in/*.csv'${drift})`,
      `const pay = silver('pay', { from: raw, schema: z.object({ id: t.int(), amount: t.decimal(9, 2).nullable() }), key: 'id' })
export default defineLake({ name: 'pay', datasets: [pay] })`,
    )
  const first = { 'in/1.csv': 'id,amount\n1,10.00\n' }
  const renamed = { 'in/2.csv': 'id,amount_eur\n2,20.00\n', 'in/3.csv': 'id,amount_eur\n3,30.00\n' }
  const bronze =
    'SELECT * EXCLUDE (_batch, _source_file, _source_line, _error, _raw) FROM bronze.pay ORDER BY id'

  it.each([true, false])(
    'are taken and told, once for all files (together: %s)',
    async (together) => {
      const project = await Project.create({ 'lake.ts': definition(''), ...first })
      if (!together) await project.run()
      await project.write(renamed)
      const record = await project.run()
      expect(record.outcome).toBe('done')
      expect(step(record, 'bronze.pay').notes).toEqual([
        "column 'amount_eur' is new, in in/2.csv",
        "column 'amount' is not in in/2.csv",
      ])
      expect(await project.query(bronze)).toEqual([
        { id: '1', amount: '10.00', amount_eur: null },
        { id: '2', amount: null, amount_eur: '20.00' },
        { id: '3', amount: null, amount_eur: '30.00' },
      ])
      expect(
        await project.query('SELECT id, amount FROM silver.pay WHERE amount IS NULL'),
      ).toHaveLength(2)
    },
  )

  it('keep frozen files from being taken in, until they are gone', async () => {
    const { rm } = await import('node:fs/promises')
    const project = await Project.create({
      'lake.ts': definition(", { drift: 'freeze' }"),
      ...first,
    })
    await project.run()
    await project.write({ ...renamed, 'in/4.csv': 'amount,id\n40.00,4\n' })
    const { error } = step(await project.run(), 'bronze.pay')
    expect(error?.message).toBe(
      "The columns of in/2.csv have changed: column 'amount' was removed, column 'amount_eur' is new",
    )
    expect(await project.query('SELECT count(*) AS n FROM bronze.pay')).toEqual([{ n: 1n }])
    for (const name of Object.keys(renamed)) await rm(`${project.folder}/${name}`)
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query(bronze)).toEqual([
      { id: '1', amount: '10.00' },
      { id: '4', amount: '40.00' },
    ])
  })

  it.each([5, 20])('are left out where that is asked for, of %d files', async (n) => {
    const project = await Project.create({
      'lake.ts': definition(", { drift: 'discard' }"),
      ...first,
    })
    await project.run()
    const more = Array.from({ length: n }, (_, i) => [
      `in/${i + 10}.csv`,
      i % 2 ? `id,note,amount\n${i + 10},x,1.00\n` : `id,amount\n${i + 10},1.00\n`,
    ])
    await project.write(Object.fromEntries(more))
    const record = await project.run()
    expect(record.outcome).toBe('done')
    expect(step(record, 'bronze.pay').notes?.join()).toMatch(
      /^column 'note' of in\/11.csv( and \d+ more)? is ignored \(drift: 'discard'\)$/,
    )
    const found = await project.query(bronze)
    expect(found).toHaveLength(n + 1)
    expect(Object.keys(found[0] ?? {})).toEqual(['id', 'amount'])
    expect(await project.query('SELECT count(amount) AS n FROM silver.pay')).toEqual([
      { n: BigInt(n + 1) },
    ])
  })

  it('do not hold up a run, however few they are: one that comes alone, and goes again', async () => {
    const { rm } = await import('node:fs/promises')
    const from = `files('in/*.csv', { columns: ['id', 'amount'], header: true })`
    const project = await Project.create({
      'lake.ts': definition('').replace("files('in/*.csv')", from),
      ...first,
    })
    await project.run()
    await project.write({ 'in/2.csv': 'id,amount_eur\n2,20.00\n' })
    const record = await project.run()
    expect(record.outcome).toBe('done')
    expect(step(record, 'bronze.pay').notes?.join()).toContain(
      "in/2.csv can't be read and is discarded completely: has no column 'amount'",
    )
    await rm(`${project.folder}/in/2.csv`)
    await project.write({ 'in/3.csv': 'amount,id\n30.00,3\n' })
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('SELECT id FROM silver.pay ORDER BY id')).toEqual([
      { id: 1 },
      { id: 3 },
    ])
  })
})

describe('a definition that reads files otherwise than before', () => {
  it('says that files stay as they were read, until all of them were read so', async () => {
    const source = (options: string) => ({
      'lake.ts': prices(`files('in/*.csv', ${options})`),
    })
    const notes = async (project: Project) =>
      (step(await project.run(), 'bronze.pay').notes ?? []).filter((note) =>
        /differently/.test(note),
      )
    const project = await Project.create({
      ...source('{}'),
      'in/1.csv': 'sku,price,cost\nA1,1,n/a\n',
    })
    expect(await notes(project)).toEqual([])
    await project.write(source("{ drift: 'freeze' }"))
    expect(await notes(project)).toEqual([])
    await project.write(source("{ nulls: ['n/a'] }"))
    expect(await notes(project)).toEqual([
      'its definition reads files differently now, but 1 file keeps the rows read before; to read all of them again: moraine run bronze.pay+ --reread bronze.pay',
    ])
    expect(await notes(project)).toHaveLength(1)
    await project.write({ 'in/1.csv': 'sku,price,cost\nA1,1,n/a\nA2,1,2\n' })
    expect(await notes(project)).toEqual([])
    expect(await notes(project)).toEqual([])
  })

  it('has all of them read again when that is asked for: each file once, as it says now', async () => {
    const source = (options: string) => ({ 'lake.ts': prices(`files('in/*.csv', ${options})`) })
    const project = await Project.create({
      ...source('{}'),
      'in/1.csv': 'sku,price,cost\nA1,1,n/a\n',
      'in/2.csv': 'sku,price,cost\nB1,1,2\n',
    })
    await project.run()
    await project.write(source("{ nulls: ['n/a'] }"))
    await project.run()
    const rows = () => project.query('select sku, cost from bronze.pay order by sku')
    expect(await rows()).toContainEqual({ sku: 'A1', cost: 'n/a' })
    const record = await project.run({ reread: ['pay'] })
    expect(step(record, 'bronze.pay')).toMatchObject({ outcome: 'done', rows: 2 })
    expect((await rows()).slice(-2)).toContainEqual({ sku: 'B1', cost: '2' })
    expect(step(await project.run(), 'bronze.pay')).toMatchObject({
      outcome: 'unchanged',
      notes: [],
    })
    for (const [name, message] of [
      ['nope', 'this run does not read such a dataset'],
      ['bronze.payed', "Did you mean 'bronze.pay'?"],
    ] as const) {
      const { code, stderr } = await project.cli('run', '--reread', name)
      expect([code, stderr]).toEqual([2, expect.stringContaining(message)])
    }
  })
})
