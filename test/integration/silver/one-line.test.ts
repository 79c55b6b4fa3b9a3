import { describe, expect, it } from 'vitest'
import { Project, step } from '../../support/project.js'

/** Rows of JSON and XML may stand on one line: their line does not tell them apart. */

type Row = { id: string; n: number }

const xml = (rows: readonly Row[]) =>
  `<rows>${rows.map(({ id, n }) => `<row><id>${id}</id><n>${n}</n></row>`).join('')}</rows>`
const kinds: [kind: string, (rows: readonly Row[]) => string][] = [
  ['json', (rows) => JSON.stringify(rows)],
  ['xml', xml],
]
const schemas = ['id: z.string().min(2), n: z.string()', 'id: z.string().min(2), n: t.int()']
const cases = kinds.flatMap(([kind, of]) => schemas.map((schema) => [kind, schema, of] as const))

describe('rows of one line', () => {
  it.each(cases)(
    'of %s are discarded, superseded and kept one by one, as %s',
    async (kind, schema, of) => {
      const project = await Project.create({
        'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const x = silver('x', { from: bronze('x', { from: files('in') }), key: 'id', cursor: 'n', schema: z.object({ ${schema} }) })
export default defineLake({ name: 'lines', datasets: [x] })
`,
        [`in/1.${kind}`]: of([
          { id: 'aa', n: 1 },
          { id: 'b', n: 1 },
          { id: 'cc', n: 3 },
          { id: 'cc', n: 2 },
          { id: 'dd', n: 1 },
          { id: 'dd', n: 1 },
        ]),
      })
      const first = await project.run()
      expect(step(first, 'silver.x')?.error?.message).toBeUndefined()
      expect(step(first, 'silver.x')?.counts).toMatchObject({
        in: 6,
        kept: 3,
        discarded: 1,
        superseded: 2,
      })
      await project.write({
        [`in/2.${kind}`]: of([
          { id: 'aa', n: 5 },
          { id: 'e', n: 1 },
          { id: 'ff', n: 1 },
          { id: 'ff', n: 1 },
        ]),
      })
      const second = await project.run()
      expect(step(second, 'silver.x')?.error?.message).toBeUndefined()
      const found = await project.query('select id, n from silver.x order by id')
      expect(found.map(({ id, n }) => `${id} ${n}`)).toEqual(['aa 5', 'cc 3', 'dd 1', 'ff 1'])
      expect(await project.query('select raw from discarded.x')).toHaveLength(2)
    },
  )

  it('are told apart beside a file of lines, and those of lines after them', async () => {
    const ROWS = 60_000
    const csv = (n: number, others: readonly string[]) =>
      ['id,n', ...Array.from({ length: ROWS }, (_, i) => `k${i},${n}`), ...others, ''].join('\n')
    const project = await Project.create({
      'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const x = silver('x', { from: bronze('x', { from: files('in') }), key: 'id', cursor: 'n', schema: z.object({ id: z.string().min(2), n: t.int() }) })
export default defineLake({ name: 'lines', datasets: [x] })
`,
      'in/1.json': JSON.stringify([
        { id: 'a', n: 1 },
        { id: 'k0', n: 7 },
        { id: 'k0', n: 6 },
      ]),
      'in/2.csv': csv(1, ['b,1', 'k1,3', 'k1,2']),
    })
    const counts = (record: Awaited<ReturnType<Project['run']>>) => step(record, 'silver.x')?.counts
    expect(counts(await project.run())).toMatchObject({
      in: ROWS + 6,
      kept: ROWS,
      discarded: 2,
      superseded: 4,
    })
    await project.write({ 'in/3.csv': csv(5, ['c,1', 'k1,8', 'k1,8']) })
    expect(counts(await project.run())).toMatchObject({ in: ROWS + 3, discarded: 1 })
    const found = await project.query(
      "select id, n from silver.x where n <> 5 or id = 'k2' order by id",
    )
    expect(found.map(({ id, n }) => `${id} ${n}`)).toEqual(['k0 7', 'k1 8', 'k2 5'])
    const [{ n } = { n: 0 }] = await project.query('select count(*) as n from silver.x')
    expect(Number(n)).toBe(ROWS)
  })
})
