import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Landing } from '../../../src/bronze/ingest/landing.js'
import { Project } from '../../support/project.js'
import { tracesOf } from '../../support/traces.js'

/* Where rows say less of what they were read from than the manifest of their batch does. */

const lakeOf = (source: string, more = '') => `
import { bronze, defineLake, silver, z } from 'moraine'
import { files, ingest } from 'moraine/sources'
const people = silver('people', {
  from: bronze('people', { from: ${source} }), key: 'id', ${more} schema: z.object({ id: z.string(), name: z.string() }),
})
export default defineLake({ name: 'people', datasets: [people] })
`
const followed = lakeOf("files('log/*.jsonl', { follow: true })")
const ada = ['ada-4711', 'Ada Lovelace']
const line = (id: string, name: string) => `${JSON.stringify({ id, name })}\n`
const three = line('ada-4711', 'Ada Lovelace') + line('bob-1', 'Bob') + line('eve-2', 'Eve')

const ids = async (project: Project) =>
  (await project.query('select id from silver.people order by id')).map(({ id }) => id)

async function forgotten(project: Project): Promise<string> {
  const done = await project.cli('forget', 'people', '--key', 'ada-4711', '--yes')
  expect([done.stderr, done.code]).toEqual(['', 0])
  expect(await tracesOf(join(project.folder, 'lake'), ada)).toEqual([])
  const verified = await project.cli('verify', '--deep')
  expect([verified.stderr, verified.code]).toEqual(['', 0])
  return done.stdout
}

it('removes a person from logs that are followed, which go on where they were', async () => {
  const project = await Project.create({
    'lake.ts': followed,
    'log/a.jsonl': three,
    'log/b.jsonl': line('zoe-3', 'Zoe'),
  })
  await project.run()
  await appendFile(join(project.folder, 'log/a.jsonl'), line('ada-4711', 'Ada Lovelace'))
  await project.run()
  expect(await forgotten(project)).toMatch(/bronze\.people +2 rows/)
  expect((await project.run()).commits).toEqual([])
  await appendFile(join(project.folder, 'log/a.jsonl'), line('kim-4', 'Kim'))
  expect((await project.run()).outcome).toBe('done')
  expect(await ids(project)).toEqual(['bob-1', 'eve-2', 'kim-4', 'zoe-3'])
  const lines = await project.query(
    'select _source_line as n from bronze.people where id = $$eve-2$$',
  )
  expect(lines).toEqual([{ n: 3n }])
})

it('removes a person from rows that were sent', async () => {
  const project = await Project.create({ 'lake.ts': lakeOf('ingest()') })
  const landing = new Landing(project.storage, 'people')
  const rows = three.trim().split('\n')
  await landing.write([
    { key: 'one', rows: rows.slice(0, 2) },
    { key: 'two', rows: rows.slice(2) },
  ])
  await project.run()
  await landing.write([{ key: 'three', rows: rows.slice(0, 1) }])
  await project.run()
  expect(await forgotten(project)).toMatch(/bronze\.people +2 rows/)
  // A request that was carried out is not carried out again.
  await landing.write([{ key: 'two', rows: rows.slice(2) }])
  await project.run()
  expect(await ids(project)).toEqual(['bob-1', 'eve-2'])
  expect(await project.query('select id from bronze.people')).toHaveLength(2)
})
