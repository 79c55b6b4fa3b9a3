import { describe, expect, it } from 'vitest'
import { api } from '../../support/api.js'
import { Project, step } from '../../support/project.js'

const names = (count: number, prefix = 'n') =>
  Array.from({ length: count }, (_, i) => `"${prefix}${i}":1`).join(',')

/**
 * Rows of one source, by a way in which they come one after the other, that no reader must stumble
 * over.
 */
const poison: Record<string, { row: string | Buffer; discarded?: string }> = {
  'a name with a NUL': {
    row: '{"a\\u0000b":1,"id":2}',
    discarded: 'line: a name in it holds a NUL',
  },
  'half a character': { row: '{"id":2,"v":"\\ud800"}', discarded: 'line: it is no JSON' },
  '2,001 names': { row: `{"id":2,${names(2001)}}` },
  '10,001 names': {
    row: `{"id":2,${names(10_001)}}`,
    discarded: 'line: it brings the number of different names to more than 10000',
  },
  'bytes that are not UTF-8': {
    row: Buffer.from('{"id":2,"v":"\xff"}', 'latin1'),
    discarded: 'line: it is not valid UTF-8',
  },
  'no JSON': { row: '{"id":2,"v":nope}', discarded: 'line: it is no JSON' },
  'a number beyond all numbers': { row: '{"id":2,"v":1e-99999999999999999999}' },
}

const lake = (from: string) => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files, http } from 'moraine/sources'
const raw = bronze('rows', { from: ${from} })
const rows = silver('rows', { from: raw, schema: z.object({ id: t.int() }) })
export default defineLake({ name: 'poison', datasets: [rows] })
`

const ids = async (project: Project) =>
  (await project.query('SELECT id FROM silver.rows ORDER BY id')).map(({ id }) => id)

describe.each(Object.entries(poison))('a row of an API with %s', (_, { row, discarded }) => {
  const body = Buffer.concat([
    Buffer.from('[{"id":1},'),
    Buffer.from(row),
    Buffer.from(',{"id":3}]'),
  ])

  it('costs itself at most, and nothing that is behind it', async () => {
    const { url } = await api((_request, url, response) => {
      const page = Number(url.searchParams.get('page'))
      response.setHeader('content-type', 'application/json')
      response.end(
        page === 1 ? '[{"id":100}]' : page === 2 ? body : page === 3 ? '[{"id":101}]' : '[]',
      )
    })
    const project = await Project.create({
      'lake.ts': lake(`http('${url}/rows', { paging: { page: 'page' } })`),
    })
    const record = await project.run()
    expect(record.outcome).toBe('done')
    expect(await ids(project)).toEqual(discarded ? [1, 3, 100, 101] : [1, 2, 3, 100, 101])
    const told = step(record, 'silver.rows').discarded ?? []
    expect(told).toEqual(discarded ? [{ reason: discarded, rows: 1 }] : [])
  })

  it('that comes alone does not hold back those that come later', async () => {
    let since: Buffer = Buffer.from('[{"id":1,"at":1}]')
    const { url } = await api((_request, _url, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(since)
    })
    const project = await Project.create({
      'lake.ts': lake(`http('${url}/rows', { cursor: { column: 'at', param: 'since' } })`),
    })
    await project.run()
    for (let i = 0; i < 2; i++) {
      // Twice: what was discarded before must not stand for another one.
      const odd = Buffer.from(row)
        .toString('latin1')
        .replace('"id":2', `"id":${2 + i}`)
      since = Buffer.from(`[${odd}]`, 'latin1')
      const record = await project.run()
      expect(step(record, 'bronze.rows').error).toBeUndefined()
      expect(step(record, 'silver.rows').counts).toMatchObject({
        in: 1,
        discarded: discarded ? 1 : 0,
      })
    }
    since = Buffer.from('[{"id":7,"at":7}]')
    expect((await project.run()).outcome).toBe('done')
    expect(await ids(project)).toContain(7)
  })
})

it('a file whose lines have too many names loses those lines, and not the others', async () => {
  const project = await Project.create({
    'lake.ts': lake("files('in/*.jsonl')"),
    'in/a.jsonl': `{"id":1}\n{"id":2,${names(10_001)}}\n{"id":3}\n`,
  })
  const record = await project.run()
  expect(step(record, 'silver.rows').counts).toMatchObject({ in: 3, kept: 2, discarded: 1 })
  // Where all of them are so, it is told where the rows may be.
  await project.write({ 'in/b.jsonl': `{${names(10_001)}}\n` })
  const next = await project.run()
  expect(step(next, 'bronze.rows').notes?.join()).toContain('its rows have 10001 different names')
})

it('texts that are too long for the name of a folder part a table all the same', async () => {
  const texts = ['x'.repeat(6000), 'x'.repeat(6001), 'é'.repeat(200), '/'.repeat(100), 'a/../../b']
  const rows = [...texts, '..', '', ' ', 'good'].map((v, id) => ({ id, v }))
  const project = await Project.create({
    'lake.ts': lake("files('in/*.jsonl')").replace(
      'schema: z.object({ id: t.int() })',
      "schema: z.object({ id: t.int(), v: z.string() }), key: 'id', partitionBy: ['v']",
    ),
    'in/a.jsonl': rows.map((row) => JSON.stringify(row)).join('\n'),
  })
  const read = () => project.query('SELECT id, v FROM silver.rows ORDER BY id')
  expect(step(await project.run(), 'silver.rows').error).toBeUndefined()
  expect(await read()).toEqual(rows)
  // The partition is what the values say, not what the folder is called.
  const [one] = await project.query(`SELECT id FROM silver.rows WHERE v = '${texts[1]}'`)
  expect(one).toEqual({ id: 1 })
  await project.write({ 'in/b.jsonl': JSON.stringify({ id: 0, v: `${texts[0]}!` }) })
  expect((await project.run()).outcome).toBe('done')
  expect(await read()).toEqual([{ id: 0, v: `${texts[0]}!` }, ...rows.slice(1)])
  expect((await project.cli('verify', '--deep')).code).toBe(0)
})
