import { readFile } from 'node:fs/promises'
import { expect, it } from 'vitest'
import { DuckDB } from '../../../src/engine/duckdb/duckdb.js'
import { hostileAvro } from '../../support/hostile-avro.js'
import { Project, temporaryFolder } from '../../support/project.js'

const lake = (pattern: string) => `
import { bronze, defineLake, silver, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('x', { from: files('${pattern}') })
export const x = silver('x', { from: raw, schema: z.object({ a: z.string() }) })
export default defineLake({ name: 'hostile', datasets: [x] })
`

const discarded = 'SELECT _source_file AS file, reasons[1] AS why FROM discarded.x ORDER BY 1'

it('files made to hang or to crash their reader are a discarded row each; what is beside them is read', async () => {
  const hostile = Object.values(hostileAvro)
  const project = await Project.create({
    'lake.ts': lake('in'),
    'in/00.csv': 'a\n1\n',
    ...Object.fromEntries(hostile.map(({ bytes }, i) => [`in/${i + 10}.avro`, bytes])),
    'in/99.csv': 'a\n2\n',
  })
  expect((await project.run()).outcome).toBe('done')
  expect(await project.query('SELECT a FROM silver.x ORDER BY a')).toEqual([{ a: '1' }, { a: '2' }])
  expect(await project.query(discarded)).toEqual(
    hostile.map(({ said }, i) => ({
      file: `in/${i + 10}.avro`,
      why: expect.stringContaining(said),
    })),
  )
})

it('a page of Parquet that is damaged, and a name with a NUL, hold nothing back', async () => {
  const folder = await temporaryFolder()
  const engine = await DuckDB.start({ threads: 1 })
  try {
    const session = await engine.open()
    const select = 'SELECT md5(CAST(i AS VARCHAR)) AS a FROM range(20000) r(i)'
    await session.run(`COPY (${select}) TO '${folder}/x' (FORMAT parquet, COMPRESSION zstd)`)
  } finally {
    await engine.close()
  }
  const bytes = await readFile(`${folder}/x`)
  // Whatever lies between the first bytes and the footer.
  const footer = bytes.readUInt32LE(bytes.length - 8)
  const damaged = Buffer.from(bytes).fill(0x5a, 4, bytes.length - 8 - footer)
  const project = await Project.create({
    'lake.ts': lake('in'),
    'in/1.csv': 'a\n1\n',
    'in/2.parquet': damaged,
    'in/3.jsonl': '{"a":"3"}\n{"a":"x","b\\u0000c":1}\n',
    'in/4.csv': 'a\n4\n',
  })
  expect((await project.run()).outcome).toBe('done')
  const rows = await project.query('SELECT a FROM silver.x ORDER BY a')
  expect(rows.map(({ a }) => a)).toEqual(['1', '3', '4'])
  expect(await project.query(discarded)).toEqual([
    { file: 'in/2.parquet', why: expect.any(String) },
    { file: 'in/3.jsonl', why: expect.stringContaining('a name in it holds a NUL') },
  ])
})
