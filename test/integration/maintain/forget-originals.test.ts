import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { DuckDB } from '../../../src/engine/duckdb/duckdb.js'
import { sample } from '../../support/effort.js'
import { Project, temporaryFolder } from '../../support/project.js'
import { tracesOf } from '../../support/traces.js'
import { zip } from '../../support/zip.js'

/* Files that came in any way: what was kept of them, and what they are for the next run. */

const lakeOf = (from: string, more: string) => `
import { bronze, defineLake, silver, z } from 'moraine'
import { files, inbox } from 'moraine/sources'
const raw = bronze('people', { from: ${from}, ${more} })
const people = silver('people', { from: raw, schema: z.object({ id: z.string(), name: z.string() }), key: 'id' })
export default defineLake({ name: 'kinds', datasets: [people] })
`
const ada = ['ada-4711', 'Ada Lovelace']
const rows = [
  { id: 'ada-4711', name: 'Ada Lovelace' },
  { id: 'p-1', name: 'One' },
  { id: 'p-2', name: 'Two' },
]
const others = [{ id: 'p-3', name: 'Three' }]

type Row = (typeof rows)[number]
const csv = (of: readonly Row[]) =>
  `id,name\n${of.map(({ id, name }) => `${id},${name}\n`).join('')}`
const xml = (of: readonly Row[]) =>
  `<rows>${of.map(({ id, name }) => `<row><id>${id}</id><name>${name}</name></row>`).join('')}</rows>`
const lines = (of: readonly Row[]) => of.map((row) => `${JSON.stringify(row)}\n`).join('')

async function copied(of: readonly Row[], how: string): Promise<Uint8Array> {
  const { readFile } = await import('node:fs/promises')
  const file = join(await temporaryFolder(), 'x')
  const engine = await DuckDB.start({ threads: 1 })
  try {
    const session = await engine.open()
    const values = of.map(({ id, name }) => `('${id}', '${name}')`).join(', ')
    await session.run(`COPY (FROM (VALUES ${values}) AS v(id, name)) TO '${file}' (${how})`)
    return await readFile(file)
  } finally {
    await engine.close()
  }
}

/** A file of a kind with some rows; all on one line where the kind allows that. */
const kinds: [name: string, of: (rows: readonly Row[]) => Uint8Array | Promise<Uint8Array>][] = [
  ['people.csv.gz', (of) => gzipSync(csv(of))],
  ['people.csv.zst', (of) => copied(of, 'FORMAT csv, COMPRESSION zstd')],
  ['people.json', (of) => Buffer.from(JSON.stringify(of))],
  ['people.jsonl', (of) => Buffer.from(lines(of))],
  ['people.xml', (of) => Buffer.from(xml(of))],
  ['people.parquet', (of) => copied(of, 'FORMAT parquet')],
  [
    'people.zip',
    (of) =>
      zip({
        'a.csv': csv(of.slice(0, 1)),
        'b/c.jsonl': lines(of.slice(1, 2)),
        'd.csv': csv(of.slice(2)),
      }),
  ],
]

const left = (project: Project) => project.query('select id, name from silver.people order by id')

async function forgotten(project: Project): Promise<string> {
  const done = await project.cli('forget', 'people', '--key', 'ada-4711', '--yes')
  expect([done.stderr, done.code]).toEqual(['', 0])
  expect(await left(project)).toEqual([...rows.slice(1), ...others])
  expect((await project.cli('verify', '--deep')).stdout).toContain('✔')
  return done.stdout
}

describe('forget, and files as they came', () => {
  it.each(sample(kinds, 4))(
    'removes an archived %s, and leaves the other rows and files',
    async (name, of) => {
      const project = await Project.create({
        'lake.ts': lakeOf("inbox({ path: 'drop', settle: '0ms' })", 'archive: true'),
        [`drop/${name}`]: await of(rows),
      })
      expect((await project.run()).outcome).toBe('done')
      await project.write({ [`drop/other-${name}`]: await of(others) })
      expect((await project.run()).outcome).toBe('done')
      const lake = join(project.folder, 'lake')
      const before = await tracesOf(lake, ada)
      expect(before.some((found) => found.startsWith('archive/'))).toBe(true)
      expect(await forgotten(project)).toMatch(/\d files? of the archive/)
      expect(await tracesOf(lake, ada)).toEqual([])
      const archived = await project.storage.list('archive/people/files/')
      expect(archived.map(({ path }) => path)).toEqual([expect.stringContaining(`other-${name}`)])
      // The archive makes bronze anew without them.
      const rebuilt = await project.cli('rebuild', 'people', '--from', 'archive')
      expect([rebuilt.stderr, rebuilt.code]).toEqual(['', 0])
      await project.run()
      expect(await left(project)).toEqual([...rows.slice(1), ...others])
      expect(await tracesOf(lake, ada)).toEqual([])
    },
  )

  it.each(sample(kinds, 2, 4))(
    'removes a %s that was kept as it came, and does not read it again',
    async (name, of) => {
      const project = await Project.create({
        'lake.ts': lakeOf("files('in')", "format: 'raw'"),
        [`in/${name}`]: await of(rows),
        [`in/other-${name}`]: await of(others),
      })
      expect((await project.run()).outcome).toBe('done')
      const lake = join(project.folder, 'lake')
      expect((await tracesOf(lake, ada)).some((found) => found.includes('/raw/'))).toBe(true)
      const said = await forgotten(project)
      expect(said).toContain('bronze.people: in (read again when a file changes, or with --reread)')
      expect(await tracesOf(lake, ada)).toEqual([])
      expect((await project.run()).commits).toEqual([])
      expect(await tracesOf(lake, ada)).toEqual([])
    },
  )
})
