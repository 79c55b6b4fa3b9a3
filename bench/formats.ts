import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Contender } from './main.js'
import { measure } from './measure.js'
import { benchFolder, repository } from './tickit.js'

/** Rows of about one gigabyte. */
const ROWS = { csv: 9_000_000, jsonl: 5_500_000, xml: 4_000_000 }
type Format = keyof typeof ROWS

const day = (i: number) => `2026-0${(i % 9) + 1}-1${i % 9} 10:00:0${i % 9}`

const rowIn: Record<Format, (i: number) => string> = {
  csv: (i) =>
    `${i},${i % 100000},"customer, ${i % 1000}",${['paid', 'open', 'sent'][i % 3]},${(i % 100000) / 100},${day(i)},some notes about order ${i % 5000} and what is in it\n`,
  jsonl: (i) =>
    `{"id":${i},"customer_id":${i % 100000},"customer":"customer ${i % 1000}","status":"${['paid', 'open', 'sent'][i % 3]}","amount":${(i % 100000) / 100},"t":"${day(i)}","notes":"some notes about order ${i % 5000} and what is in it"}\n`,
  xml: (i) =>
    `  <order id="${i}">\n    <customer_id>${i % 100000}</customer_id>\n    <customer>customer &amp; ${i % 1000}</customer>\n    <status>${['paid', 'open', 'sent'][i % 3]}</status>\n    <amount>${(i % 100000) / 100}</amount>\n    <t>${day(i)}</t>\n    <notes>some notes about order ${i % 5000} and what is in it</notes>\n  </order>\n`,
}

const reads: Record<Format, string> = {
  csv: 'read_csv',
  jsonl: 'read_json',
  xml: '',
}

/**
 * One gigabyte of orders to bronze and silver (`--against csv`, `jsonl` or `xml`), beside DuckDB's
 * own read and write of the same to two Parquet files, of texts and of values. DuckDB does not read
 * XML: that stands beside reading the bytes.
 */
export async function formats(scale: number, against = 'csv'): Promise<[Contender, Contender]> {
  const format = against as Format
  const folder = await benchFolder()
  await mkdir(join(folder, 'in'))
  const path = join(folder, 'in', `orders.${format}`)
  await write(path, format, ROWS[format] * scale)
  await writeFile(join(folder, 'lake.ts'), lake(format))
  const types =
    "{id: 'BIGINT', customer_id: 'BIGINT', customer: 'VARCHAR', status: 'VARCHAR', amount: 'DECIMAL(12,2)', t: 'TIMESTAMP', notes: 'VARCHAR'}"
  const out = join(folder, 'out')
  const script = `
    import { DuckDBInstance } from '${repository}/node_modules/@duckdb/node-api/lib/index.js'
    const db = await (await DuckDBInstance.create(':memory:')).connect()
    await db.run("COPY (FROM ${reads[format]}('${path}', columns = ${types.replaceAll(/'(BIGINT|DECIMAL\(12,2\)|TIMESTAMP)'/g, "'VARCHAR'")})) TO '${out}.bronze.parquet'")
    await db.run("COPY (SELECT * REPLACE (CAST(id AS BIGINT) AS id, CAST(customer_id AS BIGINT) AS customer_id, CAST(amount AS DECIMAL(12,2)) AS amount, CAST(t AS TIMESTAMP) AS t) FROM '${out}.bronze.parquet') TO '${out}.silver.parquet' (COMPRESSION zstd)")`
  return [
    {
      name: 'moraine run',
      run: async () => {
        await rm(join(folder, 'lake'), { recursive: true, force: true })
        return measure(
          process.execPath,
          [join(repository, 'bin/moraine.js'), '-C', folder, 'run'],
          {},
        )
      },
    },
    format === 'xml'
      ? { name: 'sha256sum of the file', run: () => measure('sha256sum', [path], {}) }
      : {
          name: "DuckDB's own read and write",
          run: () => measure(process.execPath, ['--input-type=module', '-e', script], {}),
        },
  ]
}

async function write(path: string, format: Format, rows: number): Promise<void> {
  const to = createWriteStream(path)
  let text =
    format === 'csv'
      ? 'id,customer_id,customer,status,amount,t,notes\n'
      : format === 'xml'
        ? '<orders>\n'
        : ''
  for (let i = 0; i < rows; i++) {
    text += rowIn[format](i)
    if (text.length < 1 << 20) continue
    if (!to.write(text)) await once(to, 'drain')
    text = ''
  }
  to.end(`${text}${format === 'xml' ? '</orders>\n' : ''}`)
  await once(to, 'finish')
}

const lake = (format: Format) => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.${format}') })
const orders = silver('orders', {
  from: raw,
  ${format === 'xml' ? "select: { id: '@id' }," : ''}
  schema: z.object({ id: t.bigint(), customer_id: t.bigint(), customer: z.string(), status: z.string(), amount: t.decimal(12, 2), t: t.timestamp(), notes: z.string() }),
})
export default defineLake({ name: 'formats', datasets: [orders] })
`
