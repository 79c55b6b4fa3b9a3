import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amount } from '../../support/effort.js'
import { engineSession } from '../../support/engine.js'
import { type Files, Project, step } from '../../support/project.js'
import { seed } from '../../support/seed.js'

const session = engineSession()

const lake = (source: string, silver = '') => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files, inbox } from 'moraine/sources'
const raw = bronze('events', { from: ${source} })
${silver === '' ? '' : `const events = silver('events', { from: raw, ${silver} })`}
export default defineLake({ name: 'names', datasets: [${silver === '' ? 'raw' : 'events'}] })
`

/** A container file of Avro (1.11, "Object Container Files") with one row of texts. */
function avroOf(names: readonly string[], values: readonly string[]): Buffer {
  const text = (value: string) => Buffer.from([value.length * 2, ...Buffer.from(value)])
  const long = (n: number) => {
    const bytes: number[] = []
    for (let rest = n * 2; ; rest >>>= 7) {
      bytes.push((rest & 127) | (rest > 127 ? 128 : 0))
      if (rest <= 127) return Buffer.from(bytes)
    }
  }
  const fields = names.map((name) => ({ name, type: 'string' }))
  const schema = Buffer.from(JSON.stringify({ type: 'record', name: 'r', fields }))
  const sync = Buffer.alloc(16, 7)
  const row = Buffer.concat(values.map(text))
  return Buffer.concat([
    Buffer.from('Obj\u0001'),
    long(1),
    text('avro.schema'),
    long(schema.length),
    schema,
    long(0),
    sync,
    long(1),
    long(row.length),
    row,
    sync,
  ])
}

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
    expect(notes).toEqual(['ambiguous column names: "id" is column id, "Id" is column Id_1'])
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

  it.each([
    ['equal ones', 'a,a,b,a', { a: '1', a_1: '2', b: '3', a_2: '4' }],
    ['those that differ in case', 'Id,id,ID,b', { id: '2', Id_1: '1', ID_2: '3', b: '4' }],
    [
      "Moraine's own",
      '_batch,_source_line,x_batch,_error',
      {
        x_batch: '3',
        x_source_line: '2',
        x_batch_1: '1',
        x_error: '4',
      },
    ],
    ['one that is made already', 'id,ID,id_1,Id', { id: '1', ID_3: '2', id_1: '3', Id_2: '4' }],
  ])('a header with %s', async (_, header, row) => {
    const files: [string, string, string][] = [
      ['plain', '1,2,3,4', ''],
      ['quoted', '"1","2","3","4"', ''],
      ['read carefully', '1,2,3,4', ", { comment: '#' }"],
    ]
    for (const [, line, options] of files) {
      const content = { 'in/a.csv': `${header}\n${line}\n` }
      const { rows } = await taken(`files('in/a.csv'${options})`, content)
      expect(rows).toEqual([row])
    }
    const small = Object.fromEntries(
      Array.from({ length: 12 }, (_, i) => [`in/${i}.csv`, `${header}\n1,2,3,4\n`]),
    )
    expect((await taken("files('in/*.csv')", small)).rows).toEqual(Array(12).fill(row))
    const project = await Project.create({ 'lake.ts': lake('inbox()') })
    await project.write({ 'lake/bronze/landing/events/a.csv': `${header}\n1,2,3,4\n` })
    expect(step(await project.run(), 'bronze.events').error).toBeUndefined()
    expect(await bronzeOf(project)).toEqual([row])
  })

  it('a header of several, as run tells, and as their files have them whichever come first', async () => {
    const both = 'Id,id,_id,n\nu,e,m,1\n'
    const one = 'n,Id\n2,w\n'
    const expected = [
      { id: 'e', Id_1: 'u', x_id: 'm', n: '1' },
      { id: null, Id_1: 'w', x_id: null, n: '2' },
    ]
    for (const order of [
      [both, one],
      [one, both],
    ]) {
      const project = await Project.create({ 'lake.ts': lake("files('in/*.csv')") })
      const notes: string[] = []
      for (const text of order) {
        await project.write({ [`in/${text === both ? 1 : 2}.csv`]: text })
        const done = step(await project.run(), 'bronze.events')
        expect(done.error).toBeUndefined()
        notes.push(...(done.notes ?? []))
      }
      expect(await bronzeOf(project)).toEqual(expected)
      expect(notes).toContain('ambiguous column names: "id" is column id, "Id" is column Id_1')
    }
  })

  it('declared columns of a header that has their name twice', async () => {
    const source = "files('in/a.csv', { header: true, columns: ['ID', 'second'] })"
    expect((await taken(source, { 'in/a.csv': 'id,n,Id\n1,2,3\n' })).rows).toEqual([
      { ID: '1', n: '2', second: '3' },
    ])
    const known = "files('in/a.csv', { header: true, columns: ['ID'] })"
    expect((await taken(known, { 'in/a.csv': 'id,n,Id\n1,2,3\n' })).rows).toEqual([
      { id: '1', n: '2', Id_1: '3' },
    ])
  })

  it('columns of a header that are values in large files', async () => {
    const project = await Project.create({
      'lake.ts': lake(
        "files('in/a.csv')",
        "select: { other: 'Id', own: '_batch' }, schema: z.object({ id: t.int(), other: t.int(), own: t.date() })",
      ).replace("own: '_batch'", "own: 'x_batch'"),
      'in/a.csv': `id,Id,_batch\n${Array.from({ length: 50 }, (_, i) => `${i},${2 * i},2026-01-05`).join('\n')}\n`,
    })
    const { steps } = await project.run({ valuesFrom: 1 })
    expect(steps.map(({ error }) => error?.message)).toEqual([undefined, undefined])
    expect(
      await project.query(
        'SELECT sum(id)::int AS ids, sum(other)::int AS others, min(own)::text AS own FROM silver.events',
      ),
    ).toEqual([{ ids: 1225, others: 2450, own: '2026-01-05' }])
  })

  it('Avro', async () => {
    const project = await Project.create({ 'lake.ts': lake("files('in/a.avro')"), 'in/x': '' })
    await writeFile(
      join(project.folder, 'in', 'a.avro'),
      avroOf(['id', 'Id', '_batch', 'x_batch', '_id'], ['1', '2', '3', '4', '5']),
    )
    expect(step(await project.run(), 'bronze.events').error).toBeUndefined()
    expect(await bronzeOf(project)).toEqual([
      { id: '1', Id_1: '2', x_batch: '4', x_batch_1: '3', x_id: '5' },
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
    // The engine would not write them so: a name of the same length becomes the other one
    // afterwards.
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
    { seed, numRuns: amount(3, 12), endOnFailure: true },
  )
})

it.each([
  ["files('in')", 'in'],
  ['inbox()', 'lake/bronze/landing/events'],
])('columns keep their names beside a file that can not be read: %s', async (source, folder) => {
  const project = await Project.create({
    'lake.ts': lake(source),
    [`${folder}/a.csv`]: 'a,a\n1,2\n',
  })
  await project.run()
  await writeFile(join(project.folder, folder, 'b.json'), '[{"a": 3}, ')
  await project.run()
  expect(
    await project.query("SELECT COLUMNS('^a') FROM bronze.events WHERE _error IS NULL"),
  ).toEqual([{ a: '1', a_1: '2' }])
})

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
