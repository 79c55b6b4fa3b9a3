import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { engineSession } from '../support/engine.js'
import { type Files, Project, step } from '../support/project.js'
import { seed } from '../support/seed.js'

const session = engineSession()

const lake = (source: string, silver = '') => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files, inbox } from 'moraine/sources'
const raw = bronze('events', { from: ${source} })
${silver === '' ? '' : `const events = silver('events', { from: raw, ${silver} })`}
export default defineLake({ name: 'names', datasets: [${silver === '' ? 'raw' : 'events'}] })
`

const bronzeOf = async (project: Project) => {
  const rows = await project.query(
    'SELECT * FROM bronze.events ORDER BY _source_file, _source_line',
  )
  return rows.map(({ _batch, _source_file, _source_line, _error, _raw, ...row }) => row)
}

async function taken(source: string, content: Files) {
  const project = await Project.create({ 'lake.ts': lake(source), ...content })
  const { error, notes = [] } = step(await project.run(), 'bronze.events')
  if (error) throw new Error(error.message)
  return { project, rows: await bronzeOf(project), notes }
}

describe('names that would be one column', () => {
  it('keep all of their values, each under a name of its own', async () => {
    const lines = [
      '{"id":"evt-1","Id":"user-7","Name":"login"}',
      '{"id":"evt-2","Id":"user-9","name":"logout"}',
      '{"Id":"user-9","name":"only Id"}',
    ].join('\n')
    const { rows, notes } = await taken("files('in/*.jsonl')", { 'in/events.jsonl': lines })
    // Names that no row has together are one column, as they were.
    expect(rows).toEqual([
      { id: 'evt-1', Id_1: 'user-7', name: 'login' },
      { id: 'evt-2', Id_1: 'user-9', name: 'logout' },
      { id: null, Id_1: 'user-9', name: 'only Id' },
    ])
    expect(notes).toEqual(['names that fall together: "id" is column id, "Id" is column Id_1'])
  })

  it.each([
    ['equal ones', '{"a":1,"a":{"b":[2]},"a":3}', { a: '1', a_1: '{"b":[2]}', a_2: '3' }],
    ['those that begin with _', '{"_id":"m1","x_id":"own"}', { x_id: 'own', x_id_1: 'm1' }],
    ['no name', '{"":"empty","x":"own"}', { x: 'own', x_1: 'empty' }],
    ['one that is made already', '{"id":1,"ID":2,"id_1":3}', { id: '1', ID_2: '2', id_1: '3' }],
    ['three', '{"AB":1,"aB":2,"ab":3,"Ab":4}', { ab: '3', Ab_1: '4', aB_2: '2', AB_3: '1' }],
  ])('%s', async (_, line, row) => {
    const { rows } = await taken("files('in/*.jsonl')", { 'in/a.jsonl': line })
    expect(rows).toEqual([row])
  })

  it.each([
    ['a document', "files('in/a.json')", { 'in/a.json': '[{"id":1,"ID":2},{"ID":3}]' }],
    [
      'XML',
      "files('in/a.xml')",
      { 'in/a.xml': '<r><e><id>1</id><ID>2</ID></e><e><ID>3</ID></e></r>' },
    ],
    ['pairs', "logs('in/a.log', { format: 'pairs' })", { 'in/a.log': 'id=1 ID=2\nID=3\n' }],
    [
      'small files',
      "files('in/*.jsonl')",
      {
        ...Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`in/x${i}.jsonl`, ''])),
        'in/a.jsonl': '{"id":1,"ID":2}',
        'in/b.jsonl': '{"ID":3}',
      },
    ],
  ])('%s', async (_, source, content) => {
    const project = await Project.create({
      'lake.ts': lake(source).replace('files, inbox', 'files, logs'),
      ...content,
    })
    expect(step(await project.run(), 'bronze.events').error).toBeUndefined()
    expect(await bronzeOf(project)).toEqual([
      { id: '1', ID_1: '2' },
      { id: null, ID_1: '3' },
    ])
  })

  it('pairs of a log line that come twice', async () => {
    const project = await Project.create({
      'lake.ts': lake("logs('in/a.log', { format: 'pairs' })").replace('inbox', 'logs'),
      'in/a.log': 'a=1 a="2 3"\na=4\n',
    })
    await project.run()
    expect(await bronzeOf(project)).toEqual([
      { a: '1', a_1: '2 3' },
      { a: '4', a_1: null },
    ])
  })

  it('Parquet', async () => {
    const { project } = await taken("files('in/*.jsonl')", { 'in/x.jsonl': '{}' })
    // The engine would not write them so: a name of the same length becomes the other one afterwards.
    const write = async (name: string, columns: string) => {
      const path = join(project.folder, 'in', name)
      await session().run(`COPY (SELECT ${columns}) TO '${path}'`)
      const bytes = await readFile(path, 'latin1')
      await writeFile(path, bytes.replaceAll('I~', 'ID'), 'latin1')
    }
    await write('a.parquet', `1 AS id, {'ID_1': 5} AS s, 2 AS "I~", 3 AS _u, 4 AS x_u`)
    await write('b.parquet', `6 AS "ID", 7 AS _u`)
    await write('c.parquet', `8 AS "I~", 9 AS id`)
    await project.write({ 'lake.ts': lake("files('in/*.parquet')").replace("'events'", "'pq'") })
    expect(step(await project.run(), 'bronze.pq').error).toBeUndefined()
    const rows = await project.query(
      'SELECT id, "ID_1", x_u, x_u_1, s FROM bronze.pq ORDER BY _source_file',
    )
    expect(rows).toEqual([
      { id: '1', ID_1: '2', x_u: '4', x_u_1: '3', s: '{"ID_1":5}' },
      { id: null, ID_1: '6', x_u: null, x_u_1: '7', s: null },
      { id: '9', ID_1: '8', x_u: null, x_u_1: null, s: null },
    ])
  })
})

it('columns have the same names whichever files come together, and in which order', async () => {
  const name = fc.constantFrom('id', 'Id', 'ID', '_id', 'x_id', 'v', 'V', 'id_1')
  const row = fc.array(name, { minLength: 1, maxLength: 4 })
  const groups = fc.array(fc.array(row, { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 3,
  })
  let n = 0
  await fc.assert(
    fc.asyncProperty(groups, async (files) => {
      const texts = files.map((rows) =>
        rows.map((names) => `{${names.map((key) => `${JSON.stringify(key)}:${++n}`)}}`).join('\n'),
      )
      const content = texts.map((text, i) => [`in/${i}.jsonl`, text] as const)
      const together = await taken("files('in/*.jsonl')", Object.fromEntries(content))
      const values = together.rows
        .flatMap((found) => Object.values(found))
        .filter((v) => v !== null)
      expect(values).toHaveLength(files.flat(2).length)
      for (const order of [content, [...content].reverse()]) {
        const project = await Project.create({ 'lake.ts': lake("files('in/*.jsonl')") })
        for (const [path, text] of order) {
          await project.write({ [path]: text })
          await project.run()
        }
        // How names that are one column are spelt means nothing.
        const byColumn = (rows: object[]) =>
          rows.map((found) => {
            const entries = Object.entries(found).filter(([, value]) => value !== null)
            return Object.fromEntries(entries.map(([name, value]) => [name.toLowerCase(), value]))
          })
        expect(byColumn(await bronzeOf(project))).toEqual(byColumn(together.rows))
      }
    }),
    { seed, numRuns: 12, endOnFailure: true },
  )
}, 300_000)

describe('silver', () => {
  const shape = `select: { user: 'Id' }, schema: z.object({ id: z.string().nullable(), user: z.string().nullable() })`
  const both = '{"id":"evt-1","Id":"user-7"}\n'
  const one = '{"Id":"user-9"}\n'

  it.each([
    ['together', [['in/a.jsonl', 'in/b.jsonl']]],
    ['one after the other', [['in/a.jsonl'], ['in/b.jsonl']]],
    ['the other way round', [['in/b.jsonl'], ['in/a.jsonl']]],
  ])('reads each name by what it is outside: files that come %s', async (_, runs) => {
    const all: Record<string, string> = { 'in/a.jsonl': both, 'in/b.jsonl': one }
    const project = await Project.create({ 'lake.ts': lake("files('in/*.jsonl')", shape) })
    for (const paths of runs) {
      await project.write(Object.fromEntries(paths.map((path) => [path, all[path] as string])))
      const record = await project.run()
      expect(record.steps.map(({ error }) => error?.message)).toEqual([undefined, undefined])
    }
    expect(await project.query('SELECT id, user FROM silver.events ORDER BY user')).toEqual([
      { id: 'evt-1', user: 'user-7' },
      { id: null, user: 'user-9' },
    ])
    expect((await project.run()).steps.every(({ outcome }) => outcome !== 'failed')).toBe(true)
  })

  it('keeps the columns of values that names of later files fall together with', async () => {
    const project = await Project.create({
      'lake.ts': lake(
        "files('in/*.jsonl')",
        "select: { other: 'Id' }, schema: z.object({ id: t.int().nullable(), other: t.int().nullable() })",
      ),
      'in/a.jsonl': Array.from({ length: 50 }, (_, i) => `{"Id":${i}}`).join('\n'),
    })
    await project.run({ valuesFrom: 1 })
    await project.write({ 'in/b.jsonl': '{"id":1,"Id":2}' })
    await project.run({ valuesFrom: 1 })
    const [sums] = await project.query(
      'SELECT count(*) AS n, sum(id) AS ids, sum(other) AS others FROM silver.events',
    )
    expect(sums).toEqual({ n: 51n, ids: 1n, others: 1227n })
  })
})
