import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { sample } from '../support/effort.js'
import { Project, step } from '../support/project.js'
import { type SqlServer, startSqlServer, type Writer } from '../support/sql-server.js'

/** Texts that are easily bent on the way. */
const nasty = [
  null,
  '',
  ' ',
  'NULL',
  'a,b;c|d\te',
  '"',
  'say ""hello""',
  "it's \\N or \\.",
  'one\ntwo\r\nthree\r',
  'a mark \ufeff in it',
  'ö😀\u2028',
  '{"json": [1, null]}',
  '00042',
  'long '.repeat(300_000),
]

const formats: [format: string, compression: string | undefined, ending: string][] = [
  ['parquet', 'zstd', 'parquet'],
  ['avro', undefined, 'avro'],
  ['avro', 'snappy', 'avro'],
  ['csv', undefined, 'csv'],
  ['jsonl', undefined, 'jsonl'],
]

describe('bronze batches', () => {
  let server: SqlServer
  let writer: Writer
  beforeAll(async () => {
    server = await startSqlServer()
    writer = await server.connect()
  })
  afterAll(() => server.stop())

  const lake = (table: string, options: string) =>
    Project.create({
      'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { sqlserver } from 'moraine/sources'
const source = sqlserver('${server.url}').table('${table}', { key: 'id', cursor: 'v', deletes: 'compare' })
const raw = bronze('rows', { from: source, ${options} })
const rows = silver('rows', { from: raw, schema: z.object({ id: t.int(), big: t.bigint().nullable(), n: z.string().min(2).nullable() }), key: 'id', onInvalidUpdate: 'remove' })
export default defineLake({ name: 'shop', datasets: [rows] })
`,
    })

  it.each(sample(formats, 3))(
    'in %s (%s) give the same rows, and stay as they were written',
    async (format, compression, ending) => {
      const table = `t_${format}_${compression ?? 'plain'}`
      await writer.query(
        `CREATE TABLE ${table} (id int PRIMARY KEY, big bigint, n nvarchar(max), [odd name] int, v rowversion)`,
      )
      for (const [id, text] of nasty.entries()) {
        const value = text === null ? 'NULL' : `'${text.replaceAll("'", "''")}'`
        await writer.query(
          `INSERT INTO ${table} (id, big, n, [odd name]) VALUES (${id}, 9223372036854775807 - ${id}, ${value}, ${id % 2 ? 'NULL' : id})`,
        )
      }
      const project = await lake(
        table,
        `format: '${format}', ${compression ? `compression: '${compression}'` : ''}`,
      )
      const first = await project.run()
      expect(first.steps.map(({ error }) => error).filter(Boolean)).toEqual([])
      const bronze =
        'SELECT id, big, to_base64(encode(n)) AS n, "odd name" AS odd, _source_line FROM bronze.rows WHERE _change IS NULL ORDER BY _batch, _source_line'
      const expected = nasty.map((n, id) => ({
        id: String(id),
        big: String(9223372036854775807n - BigInt(id)),
        n: n === null ? null : Buffer.from(n).toString('base64'),
        odd: id % 2 ? null : String(id),
        _source_line: BigInt(id + 1),
      }))
      expect(await project.query(bronze)).toEqual(expected)
      const { counts } = step(first, 'silver.rows')
      expect(counts).toMatchObject({ in: nasty.length, kept: nasty.length - 3, discarded: 3 })
      const discarded = await project.query('SELECT _source_line FROM discarded.rows ORDER BY 1')
      expect(discarded).toEqual([{ _source_line: 2n }, { _source_line: 3n }, { _source_line: 6n }])

      await writer.query(`DELETE FROM ${table} WHERE id IN (3, 4)`)
      await writer.query(`INSERT INTO ${table} (id, n) VALUES (100, 'new')`)
      expect((await project.run()).outcome).toBe('done')
      const ids = await project.query('SELECT id FROM silver.rows ORDER BY id')
      expect(ids.map(({ id }) => id)).toEqual([0, 6, 7, 8, 9, 10, 11, 12, 13, 100])

      const files = await readdir(join(project.folder, 'lake/bronze'), { recursive: true })
      const data = files.filter((file) => /\/\d+\.\w+$/.test(file))
      expect(data.every((file) => file.endsWith(`.${ending}`))).toBe(true)
      if (format === 'jsonl') {
        const [file = ''] = data.sort()
        const text = await readFile(join(project.folder, 'lake/bronze', file), 'utf8')
        const rows = text
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line))
        expect(rows.map(({ n }) => n)).toEqual(nasty)
      }
      const { code, stdout } = await project.cli('verify', '--deep')
      expect([code, stdout]).toEqual([0, expect.stringContaining('All values could be read')])
      const asked = await project.cli('query', 'SELECT n FROM bronze.rows WHERE id = 10', '--json')
      expect(asked.stdout).toContain('😀')
    },
  )

  it.each([
    ["format: 'orc'", "unknown format 'orc'"],
    ["format: 'csv', compression: 'zstd'", 'csv cannot be compressed with zstd here'],
    ["format: 'avro', compression: 'zstd'", 'avro cannot be compressed with zstd here'],
  ])('%s is refused', async (options, message) => {
    const project = await lake('rows', options)
    const { code, stderr, stdout } = await project.cli('plan')
    expect(code).toBe(2)
    expect(stdout + stderr).toContain(message)
  })
})
