import { chmod, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type Files, Project } from '../../support/project.js'

/** What a crawl writes for files, once a run has kept every row of them. */
async function crawled(files: Files) {
  const project = await Project.create(files)
  const crawl = await project.cli('crawl', 'data')
  expect(crawl).toMatchObject({ code: 0, stderr: '' })
  const text = await readFile(join(project.folder, 'lake.ts'), 'utf8')
  const record = await project.run()
  expect([record.outcome, text]).toEqual(['done', text])
  const lost = record.steps.flatMap(({ counts }) => (counts ? [counts.in - counts.kept] : []))
  expect([lost.filter((n) => n > 0), text]).toEqual([[], text])
  return { project, text, said: crawl.stdout }
}

describe('a crawl of files', () => {
  it('gives the index of pandas a name, and leaves zip codes and ids as they are', async () => {
    const { text, project } = await crawled({
      'data/export.csv':
        ',customer_id,zip,qty,sold\n0,12345678901234567890,01067,3.0,31/12/2024\n1,7,00501,,01/02/2024\n',
    })
    expect(text).toContain("columns: ['row', 'customer_id', 'zip', 'qty', 'sold']")
    expect(text).toContain('customer_id: t.decimal(38, 0)')
    expect(text).toContain('qty: t.bigint({ zeroFraction: true }).nullable()')
    expect(text).toContain("sold: t.date({ format: '%d/%m/%Y' })")
    expect(
      await project.query('SELECT customer_id, zip, qty, sold FROM silver.export ORDER BY row'),
    ).toEqual([
      { customer_id: '12345678901234567890', zip: '01067', qty: 3n, sold: '2024-12-31' },
      { customer_id: '7', zip: '00501', qty: null, sold: '2024-02-01' },
    ])
  })

  it('keeps all digits', async () => {
    const { text } = await crawled({
      'data/points.jsonl':
        '{"id":1,"amount":1234567890123456.78,"big":123456789012345678901234567890,"x":1}\n{"id":2,"amount":0.1,"big":1,"x":0.12345678901234567890123456789012345678901234}\n',
    })
    expect(text).toContain('amount: t.decimal(18, 2)')
    expect(text).toContain('big: t.decimal(38, 0)')
    expect(text).toContain('x: z.string()')
  })

  it('finds what jobs write, whatever the files are called', async () => {
    const rows = (from: number) => `${from},a\n${from + 1},b\n`
    const { text, project } = await crawled({
      'data/orders/part-00000': `id,word\n${rows(1)}`,
      'data/orders/part-00001': `id,word\n${rows(3)}`,
      'data/orders/_SUCCESS': '',
      'data/orders/.part-00000.crc': 'x',
      'data/events/000000_0': '{"id":1}\n{"id":2}\n',
      'data/2025-data/2025.csv': 'k,v\nx,1\ny,2\n',
      'data/.DS_Store': 'x',
    })
    expect(text).toContain(
      "silver('orders', {\n  from: bronze('orders', { from: files('data/orders/part-*')",
    )
    expect(text).toContain("silver('events'")
    expect(text).toContain("silver('t_2025_data'")
    expect(await project.query('SELECT count(*) AS n FROM silver.orders')).toEqual([{ n: 4n }])
  })

  it('reads what is packed or written in other encodings, and says which', async () => {
    const wide = Buffer.from('\uFEFFid\tname\n1\tZoë\n2\tß\n', 'utf16le')
    const { text, project, said } = await crawled({
      'data/excel.txt': wide,
      'data/bare.csv': Buffer.from('id,name\n1,Ann\n2,Bob\n', 'utf16le'),
      'data/old.csv': Buffer.from('id;name\n1;Zo\xeb\n2;\xdf\n', 'latin1'),
      'data/prices.csv': Buffer.from(
        'id;ort;Preis \x80\n1;\x84K\xf6ln\x93;5\n2;A \x96 B;7\n',
        'latin1',
      ),
      'data/packed/a.csv.gz': gzipSync('id||note\n1||a|b\n2||c\n'),
      'data/titled.csv': 'Report of 2025\n\nid,amount\n1,"1.234,50"\n2,"7,00"\n',
    })
    expect(text).toContain("encoding: 'utf-16le'")
    expect(text).toContain("{ encoding: 'windows-1252', delimiter: ';' }")
    expect(text).toContain("files('data/packed/a.csv.gz', { delimiter: '||' })")
    expect(text).toContain("t.decimal(18, 2, { decimal: ',', group: '.' })")
    expect(said).toContain('data/old.csv is not UTF-8')
    for (const table of ['excel', 'old'])
      expect(await project.query(`SELECT name FROM silver.${table} ORDER BY id`)).toEqual([
        { name: 'Zoë' },
        { name: 'ß' },
      ])
    expect(await project.query('SELECT ort, "Preis €" FROM silver.prices ORDER BY id')).toEqual([
      { ort: '„Köln“', 'Preis €': 5 },
      { ort: 'A – B', 'Preis €': 7 },
    ])
  })

  it('finds the rows inside of a document of JSON, and names them where they may be part of it', async () => {
    const { text, project, said } = await crawled({
      'data/stations.json': '{"data":{"stations":[{"id":1,"name":"a"},{"id":2,"name":"b"}]}}',
      'data/many.json': JSON.stringify({
        items: Array.from({ length: 40_000 }, (_, n) => ({ n, word: 'some' })),
      }),
      'data/order/order.json': '{"id":7,"lines":[{"sku":"x"},{"sku":"y"}]}',
    })
    expect(text).toContain("files('data/stations.json', { rows: 'data.stations' })")
    expect(text).toContain("files('data/many.json', { rows: 'items' })")
    expect(said).toContain("if the 2 objects of lines are its rows, set rows: 'lines'")
    expect(await project.query('SELECT name FROM silver.stations ORDER BY id')).toEqual([
      { name: 'a' },
      { name: 'b' },
    ])
    expect(await project.query('SELECT count(*) AS n FROM silver.many')).toEqual([{ n: 40_000n }])
    const shown = await project.cli('preview', 'data/stations.json')
    expect(shown.stdout).toContain("rows: 'data.stations'; the first 2 rows")
  })

  it('makes a text of what a few values do not fit, wherever they are, and says so', async () => {
    const rows = Array.from({ length: 50_000 }, (_, i) => `${i},${i === 49_000 ? 'oops' : i}`)
    const { text } = await crawled({ 'data/n.csv': `id,n\n${rows.join('\n')}\n` })
    expect(text).toContain(
      "n: z.string(), // t.int(), except for 1 of 50000 values, such as 'oops'",
    )
  })

  it('takes files with more or fewer columns together, and others apart', async () => {
    const { text, project } = await crawled({
      'data/orders_1.csv': 'id,amount\n1,2\n',
      'data/orders_2.csv': 'ID,amount,note\n2,3,x\n',
      'data/other.csv': 'sku,price\na,1\n',
    })
    expect(text).toContain("files(['data/orders_1.csv', 'data/orders_2.csv'])")
    expect(text).toContain('note: z.string().nullable()')
    expect(text).toContain("files('data/other.csv')")
    expect(await project.query('SELECT id, note FROM silver.orders ORDER BY id')).toEqual([
      { id: 1, note: null },
      { id: 2, note: 'x' },
    ])
  })

  it('writes definitions that read every file of a folder, also those that were not examined', async () => {
    const days = (folder: string, n: number, prefix = '') =>
      Object.fromEntries(
        Array.from({ length: n }, (_, i) => {
          const day = String(i).padStart(3, '0')
          return [`data/${folder}/${prefix}${day}.csv`, `${prefix || 'x'}id,amount\n${i},2\n`]
        }),
      )
    const { text, project, said } = await crawled({
      ...days('daily', 60),
      'data/daily/000.csv': 'xid,amount\n',
      ...days('kinds', 30, 'order-'),
      ...days('kinds', 30, 'customer-'),
      ...days('more', 120, 'visit-'),
      ...days('more', 120, 'click-'),
      ...days('odd', 60),
      'data/odd/000.csv': 'xid;amount\n0;2\n',
      'data/odd/001.csv': '',
      ...days('exports (2026)', 60),
    })
    expect(text).toContain("files('data/daily/*.csv')")
    expect(text).toContain("files('data/more/visit-*.csv')")
    expect(text).toContain("files('data/exports (2026)/*.csv')")
    expect(text).toMatch(/inferred from \d+ of 120 files/)
    expect(said).toContain('50 of the 60 files in data/kinds were examined')
    const tables = ['daily', 'order', 'customer', 'visit', 'click', 'odd', 'odd_2', 'exports_2026']
    const counts = await Promise.all(
      tables.map((name) => project.query(`SELECT count(*)::int AS n FROM silver.${name}`)),
    )
    const rows = Object.fromEntries(tables.map((name, i) => [name, counts[i]?.[0]?.n]))
    expect(rows).toEqual({
      ...{ daily: 59, order: 30, customer: 30, visit: 120, click: 120 },
      ...{ odd: 1, odd_2: 58, exports_2026: 60 },
    })
  })

  it('goes on where something can not be read, and tells what', async () => {
    const project = await Project.create({
      'data/good.csv': 'id,n\n1,2\n',
      'data/empty.csv': '',
      'data/page.csv': '<!doctype html><html><body>503</body></html>',
      'data/image.csv': Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'),
      'data/broken.json': '[{"a": 1}, {"a": ',
      'data/cut.csv.gz': gzipSync('id,n\n1,2\n'.repeat(100)).subarray(0, 30),
      'data/bad.zip': 'PK no',
      'data/lines.jsonl': '{"id": 1}\noops\n{"id": 2}\n',
      'data/name\n= 1; throw 1 //.csv': 'a,b\n1,2\n',
    })
    await symlink('nowhere', join(project.folder, 'data/link.csv'))
    await chmod(join(project.folder, 'data/good.csv'), 0o644)
    const { code, stdout, stderr } = await project.cli('crawl', 'data')
    expect([code, stderr]).toEqual([0, ''])
    for (const name of [
      'empty.csv',
      'page.csv',
      'image.csv',
      'broken.json',
      'cut.csv.gz',
      'bad.zip',
    ])
      expect(stdout).toMatch(new RegExp(`ℹ .*${name.replace('.', '\\.')}`))
    expect(stdout).toContain('link.csv is a link to nothing')
    expect(stdout).toContain("1 of 3 records of data/lines.jsonl can't be read")
    const record = await project.run()
    expect(record.outcome).toBe('done')
    const lines = record.steps.find(({ dataset }) => dataset === 'silver.lines')
    expect(lines?.counts).toMatchObject({ in: 3, kept: 2, discarded: 1 })
  })

  it('of several sources: names stay apart, and a query over both is saved as it advises', async () => {
    const project = await Project.create({
      'one/sales.csv': 'id,n\n1,2\n2,3\n',
      'two/sales.csv': 'id,m\n1,5\n2,7\n',
      'lake.ts':
        "import { defineLake } from 'moraine'\nimport { datasets as one } from './one.js'\nimport { datasets as two } from './two.js'\n\nexport default defineLake({ name: 'shop', datasets: [...one, ...two] })\n",
      'one.ts': 'export const datasets = []\n',
      'two.ts': 'export const datasets = []\n',
    })
    for (const name of ['one', 'two'])
      expect(await project.cli('crawl', name, '--force')).toMatchObject({ code: 0, stderr: '' })
    expect(await project.cli('run')).toMatchObject({ code: 0 })
    const saved = await project.cli(
      'query',
      'select s.id, s.n, t.m from silver.sales s join silver.sales_2 t using (id)',
      '--save-as',
      'gold.both',
    )
    expect([saved.stderr, saved.code]).toEqual(['', 0])
    expect(await project.query('SELECT * FROM gold.both ORDER BY id')).toEqual([
      { id: 1, n: 2, m: 5 },
      { id: 2, n: 3, m: 7 },
    ])
  })
})

describe('messy files', () => {
  it('with a line in another encoding stay UTF-8, and that line is discarded', async () => {
    const bytes = [Buffer.from('id,name\n1,Zoë\n'), Buffer.from('2,Chloé\n', 'latin1')]
    const project = await Project.create({ 'data/mixed.csv': Buffer.concat(bytes) })
    const { stdout } = await project.cli('crawl', 'data')
    expect(stdout).toContain('data/mixed.csv is UTF-8, but some of its lines are not')
    const run = await project.run()
    expect(run.steps.at(-1)?.counts).toMatchObject({ in: 2, kept: 1, discarded: 1 })
    expect(await project.query('SELECT name FROM silver.mixed')).toEqual([{ name: 'Zoë' }])
  })

  it('with a value that is longer than what is looked at keep its quotes', async () => {
    const line = 'x'.repeat(200_000)
    const { text, project } = await crawled({
      'data/huge.csv': `id,note\n1,"${line}\n${line}\n${line}"\n2,b\n`,
    })
    expect(text).toContain("files('data/huge.csv')")
    expect(
      await project.query('SELECT id, length(note)::int AS n FROM silver.huge ORDER BY 1'),
    ).toEqual([
      { id: 1, n: 600_002 },
      { id: 2, n: 1 },
    ])
    const { stdout } = await project.cli('preview', 'data/huge.csv')
    expect(stdout).toMatch(/1 +x+…\n2 +b\n.*the first 2 rows/)
  })

  it('with codes such as 1E5 keep them, and numbers with an exponent are numbers', async () => {
    const { text, project } = await crawled({
      'data/codes.csv': 'sku,size\n1E5,1e-05\n2E7,2.5E3\n',
    })
    expect(text).toContain('sku: z.string()')
    expect(text).toContain('size: t.double()')
    expect(await project.query('SELECT sku FROM silver.codes ORDER BY 1')).toEqual([
      { sku: '1E5' },
      { sku: '2E7' },
    ])
  })
})

describe('a preview reads as a run does', () => {
  it.each([
    [
      'long.jsonl',
      '{"id":1,"n":1234567890123456.78}\noops\n',
      /id +n\n.*\n1 +1234567890123456\.78\nline 2 is not a JSON object/,
    ],
    ['wide.csv', Buffer.from('\uFEFFid;n\n1;ß\n', 'utf16le'), /1 +ß\n.*semicolons, with a header/],
    ['part-00000', 'id||name\n1||a|b\n', /1 +a\|b\n.*separated by '\|\|'/],
    ['index.csv', ',n\n0,1\n', /row +n\n.*\n0 +1\n.*no unique name/],
    ['packed.csv.gz', gzipSync('id,n\n1,2\n'), /id +n\n.*\n1 +2\n/],
    ['page.csv', '{"a":1}\n{"a":2}\n', /a\n─\n1\n2\n.*format: 'jsonl'/],
  ])('%s', async (name, content, shown) => {
    const project = await Project.create({ [name]: content })
    const { stdout, stderr } = await project.cli('preview', name)
    expect([stderr, stdout]).toEqual(['', expect.stringMatching(shown)])
  })
})
