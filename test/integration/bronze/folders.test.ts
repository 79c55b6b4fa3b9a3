import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DuckDB } from '../../../src/engine/duckdb/duckdb.js'
import { type Files, Project, step } from '../../support/project.js'

const lake = (path: string, options: string) => `
import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'
export default defineLake({ name: 'folders', datasets: [bronze('rows', { from: files('${path}', { hive: true, ${options} }) })] })
`
const rowsOf = (project: Project) =>
  project.query('SELECT id, store, city FROM bronze.rows ORDER BY CAST(id AS INT)')

const places = [
  ['store=007/city=S%C3%A3o%20Paulo', '007', 'São Paulo'],
  ['store=008/city=a%2Fb', '008', 'a/b'],
  ['store=__HIVE_DEFAULT_PARTITION__/city=Rome', null, 'Rome'],
] as const

/** 30 files in folders, and what jobs leave beside them. */
const kinds: Record<string, { ending: string; options: string; text: (id: number) => string }> = {
  'delimited text': { ending: 'csv', options: '', text: (id) => `id\n${id}\n` },
  'text with quotes': { ending: 'csv', options: '', text: (id) => `id,n\n${id},"a ""b"""\n` },
  'JSON lines': { ending: 'jsonl', options: "format: 'jsonl'", text: (id) => `{"id":${id}}\n` },
  XML: { ending: 'xml', options: "format: 'xml'", text: (id) => `<r><o><id>${id}</id></o></r>` },
}

describe('files in folders that are values', () => {
  it.each(Object.keys(kinds))(
    '%s: the same rows, whether files come together or one by one',
    async (kind) => {
      const { ending, options, text } = kinds[kind] as (typeof kinds)[string]
      const files: Files = {}
      const expected = Array.from({ length: 30 }, (_, id) => {
        const [folder, store, city] = places[id % 3] as (typeof places)[number]
        files[`out/${folder}/part-${String(id).padStart(2, '0')}.${ending}`] = text(id)
        return { id: `${id}`, store, city }
      })
      const aside: Files = {
        'out/_SUCCESS': '',
        [`out/_temporary/0/store=9/city=X/part.${ending}`]: text(900),
        'out/store=007/.part.crc': 'crc',
      }
      const definition = { 'lake.ts': lake('out', options), ...aside }
      const together = await Project.create({ ...definition, ...files })
      expect((await together.run()).outcome).toBe('done')
      expect(await rowsOf(together)).toEqual(expected)
      // From small files kept as values on, as large ones are.
      const large = await Project.create({ ...definition, ...files })
      expect((await large.run({ valuesFrom: 0 })).outcome).toBe('done')
      expect(await rowsOf(large)).toEqual(expected)
      const single = await Project.create(definition)
      for (const [path, content] of Object.entries(files).slice(0, 4)) {
        await single.write({ [path]: content })
        expect((await single.run()).outcome).toBe('done')
      }
      const first = Object.keys(files)
        .slice(0, 4)
        .map((path) => `${Number(/part-(\d+)/.exec(path)?.[1])}`)
      expect(await rowsOf(single)).toEqual(expected.filter(({ id }) => first.includes(id)))
    },
  )

  it('Parquet as an engine writes it, and a crawl of it that runs as it is', async () => {
    const project = await Project.create({})
    await mkdir(join(project.folder, 'out'))
    const engine = await DuckDB.start()
    const session = await engine.open()
    await session.run(
      `COPY (SELECT * FROM (VALUES (1, 'São Paulo', 7), (2, 'a/b', NULL), (3, 'Rome', 8)) v(id, city, store))
       TO '${project.folder}/out' (FORMAT parquet, PARTITION_BY (store, city), OVERWRITE_OR_IGNORE)`,
    )
    await engine.close()
    await project.write({ 'out/_SUCCESS': '' })
    const crawled = await project.cli('crawl', 'out')
    expect([crawled.code, crawled.stderr]).toEqual([0, ''])
    const ran = await project.cli('run')
    expect(ran.stdout).toMatch(/3 rows in = 3 kept/)
    expect(await project.query(`SELECT id, store, city FROM silver.out ORDER BY id`)).toEqual([
      { id: 1, store: '7', city: 'São Paulo' },
      { id: 2, store: null, city: 'a/b' },
      { id: 3, store: '8', city: 'Rome' },
    ])
  })

  it('a file whose folders give a column two values is discarded, and the others are read', async () => {
    const project = await Project.create({
      'lake.ts': lake('out/**/*.csv', ''),
      'out/year=2025/a.csv': 'id\n1\n',
      'out/year=2025/copy/year=2026/b.csv': 'id\n2\n',
    })
    const { notes } = step(await project.run(), 'bronze.rows')
    expect(notes?.join()).toContain(
      "out/year=2025/copy/year=2026/b.csv can't be read and is discarded completely: lies in folders that give its column year two values: '2025' and '2026'",
    )
    const read = 'SELECT id, year FROM bronze.rows WHERE _error IS NULL'
    expect(await project.query(read)).toEqual([{ id: '1', year: '2025' }])
  })

  it('a column that a file has itself stays beside that of its folder', async () => {
    const project = await Project.create({
      'lake.ts': lake('out/**/*.csv', ''),
      'out/day=5/a.csv': 'id,Day\n1,fifth\n',
    })
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('SELECT id, "Day", day_1 FROM bronze.rows')).toEqual([
      { id: '1', Day: 'fifth', day_1: '5' },
    ])
  })
})

it('a pattern around a lake means none of its own files, and a path into it does', async () => {
  const project = await Project.create({
    'lake.ts': lake('in/*.csv', ''),
    'in/a.csv': 'id,store,city\n1,7,Rome\n',
  })
  expect((await project.run()).outcome).toBe('done')
  const of = (path: string) => project.write({ 'lake.ts': lake(path, '') })
  const other = ['--root', join(project.folder, 'other')]
  const ids = () => project.query('SELECT id FROM bronze.rows ORDER BY id')

  await of('**/*.parquet')
  const none = await project.cli('run')
  expect(none.stdout).toContain('There is no file at')
  expect(await ids()).toEqual([{ id: '1' }])
  await of('lake/**')
  const all = await project.cli('run', ...other)
  expect(all.stdout.replace(/\s+/g, ' ')).toContain(
    'lake holds a lake, whose own files are skipped',
  )
  await of('lake/bronze/rows/**/*.parquet')
  expect((await project.cli('run', ...other)).code).toBe(0)
  const asked = await project.cli('query', '--json', ...other, 'select id from bronze.rows')
  expect(JSON.parse(asked.stdout)).toEqual([{ id: '1' }])
})
