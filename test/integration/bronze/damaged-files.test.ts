import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Project } from '../../support/project.js'

const definition = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }), key: 'id',
  schema: z.object({ id: t.int(), note: z.string() }),
})
const notes = gold('notes', { query: sql\`select note, count(*) as n from \${orders} group by note\` })
export default defineLake({ name: 'shop', datasets: [notes] })
`

async function filled(): Promise<Project> {
  const rows = Array.from({ length: 500 }, (_, i) => `${i},note ${i % 7}`)
  const project = await Project.create({
    'lake.ts': definition,
    'in/1.csv': `id,note\n${rows.join('\n')}\n`,
  })
  expect((await project.run()).outcome).toBe('done')
  return project
}

async function findFile(project: Project, folder: string, ending: string): Promise<string> {
  const names = await readdir(join(project.folder, 'lake', folder), { recursive: true })
  const found = names.filter((name) => name.endsWith(ending)).sort()
  return join('lake', folder, found.at(-1) as string)
}

type Damage = (path: string) => Promise<void>
const remove: Damage = (path) => rm(path)
const truncate: Damage = async (path) => writeFile(path, (await readFile(path)).subarray(0, 90))
const scribble: Damage = async (path) => {
  const bytes = await readFile(path)
  await writeFile(path, bytes.fill(0x5a, 4, bytes.length - 700))
}

// Whatever is wrong with a file: which table, which file, and the command that brings it back.
it.each([
  [
    'gold/notes',
    '.parquet',
    remove,
    'is missing',
    'from gold.notes',
    ['run', 'gold.notes', '--full'],
  ],
  [
    'gold/notes',
    '.parquet',
    truncate,
    'is damaged',
    'from gold.notes',
    ['run', 'gold.notes', '--full'],
  ],
  [
    'gold/notes/metadata',
    'm0.avro',
    remove,
    'is missing',
    'from gold.notes',
    ['run', 'gold.notes', '--full'],
  ],
  [
    'gold/notes/metadata',
    'm0.avro',
    truncate,
    'is damaged',
    'from gold.notes',
    ['run', 'gold.notes', '--full'],
  ],
  [
    'silver/orders',
    '.parquet',
    remove,
    'is missing',
    'from silver.orders',
    ['run', 'silver.orders', '--full'],
  ],
  [
    'silver/orders',
    '.parquet',
    scribble,
    'is damaged',
    'from silver.orders',
    ['run', 'silver.orders', '--full'],
  ],
  [
    'silver/orders/metadata',
    'm0.avro',
    remove,
    'is missing',
    'from silver.orders',
    ['run', 'silver.orders', '--full'],
  ],
  ['bronze/orders', '.parquet', remove, 'is missing', 'from bronze.orders', undefined],
] as const)('%s: a %s that %o, %s', async (folder, ending, damage, said, sql, remedy) => {
  const project = await filled()
  const query = ['--json', 'query', sql.replace('from', 'select max(note) as n from')]
  const before = remedy && (await project.query(`${sql} order by all`))
  const path = await findFile(project, folder, ending)
  await damage(join(project.folder, path))
  const { code, stdout } = await project.cli(...query)
  const { error } = JSON.parse(stdout)
  expect(code).toBe(1)
  expect(error).toMatchObject({
    message: expect.stringContaining(
      damage === scribble
        ? `A file of silver.orders ${said}`
        : `${path.replace('lake/', '')} ${said}`,
    ),
  })
  expect(error.message).not.toMatch(/Error:|LINE|read_parquet/)
  expect(error.hint).toContain(
    damage === scribble
      ? 'moraine verify --deep'
      : remedy
        ? `moraine ${remedy.join(' ')}`
        : 'moraine rebuild orders --from archive',
  )
  if (!remedy) {
    const record = await project.run({ full: true })
    expect(record.steps.find(({ dataset }) => dataset === 'silver.orders')?.error).toMatchObject({
      kind: 'corrupt',
      message: `${path.replace('lake/', '')} is missing`,
    })
    return
  }
  const run = await project.cli(...remedy)
  expect([run.code, run.stderr]).toEqual([0, ''])
  expect(await project.query(`${sql} order by all`)).toEqual(before)
  expect((await project.cli('verify', '--head', '--deep')).code).toBe(0)
})
