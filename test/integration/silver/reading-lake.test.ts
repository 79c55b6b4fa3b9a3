import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { DuckDB } from '../../../src/engine/duckdb/duckdb.js'
import { Project, step } from '../../support/project.js'

const lake = (from: string, schema: string, more = '') => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('raw', { from: files('in/*.${from}') })
const things = silver('things', { from: raw, ${more} schema: z.object({ ${schema} }) })
export default defineLake({ name: 'reading', datasets: [things] })
`

async function writeParquet(project: Project, name: string, query: string): Promise<void> {
  const engine = await DuckDB.start({ threads: 1 })
  const session = await engine.open()
  await project.write({ 'in/.keep': '' })
  await session.run(`COPY (${query}) TO '${join(project.folder, 'in', name)}' (FORMAT parquet)`)
  await engine.close()
}

describe('numbers and dates in a lake', () => {
  it('are read from the values of a Parquet file as from texts', async () => {
    const schema = `
      id: t.bigint({ zeroFraction: true, nulls: ['-1'] }).nullable(),
      day: t.date({ midnight: true }),
      at: t.timestamptz({ zone: 'Europe/Berlin' }),
      moment: t.timestamptz({ epoch: 's' }),
      amount: t.decimal(9, 2, { nulls: ['-999'] }).nullable(),`
    const project = await Project.create({ 'lake.ts': lake('parquet', schema) })
    // As pandas writes them: whole numbers with gaps are doubles, days are timestamps.
    await writeParquet(
      project,
      '1.parquet',
      `SELECT * FROM (VALUES
        (7::DOUBLE, TIMESTAMP '2024-01-31 00:00:00', TIMESTAMP '2024-07-01 12:00:00', 1700000000::BIGINT, 12.5::DECIMAL(5, 2)),
        (NULL, TIMESTAMP '2024-02-01 00:00:00', TIMESTAMP '2024-01-01 12:00:00', 0, -999.00),
        (-1, TIMESTAMP '2024-02-01 00:00:00', TIMESTAMP '2024-01-01 12:00:00', 0, NULL),
        (1.5, TIMESTAMP '2024-02-01 10:00:00', TIMESTAMP '2024-03-31 02:30:00', 0, 0)
      ) v(id, day, "at", moment, amount)`,
    )
    const { counts } = step(await project.run(), 'silver.things')
    expect(counts).toMatchObject({ in: 4, kept: 3, discarded: 1 })
    expect(
      await project.query(
        'SELECT id, day, "at", moment, amount FROM silver.things ORDER BY day, "at"',
      ),
    ).toEqual([
      {
        id: 7n,
        day: '2024-01-31',
        at: '2024-07-01T10:00:00.000000Z',
        moment: '2023-11-14T22:13:20.000000Z',
        amount: '12.50',
      },
      ...[1, 2].map(() => ({
        id: null,
        day: '2024-02-01',
        at: '2024-01-01T11:00:00.000000Z',
        moment: '1970-01-01T00:00:00.000000Z',
        amount: null,
      })),
    ])
    expect(await project.query('SELECT reasons FROM discarded.things')).toEqual([
      {
        reasons: [
          'id: not a bigint',
          'day: not a date',
          'at: a local time skipped by a clock change',
        ],
      },
    ])
  })

  it.each([0, Number.POSITIVE_INFINITY])(
    'order the versions of a key, whether bronze keeps values or texts (%s)',
    async (valuesFrom) => {
      const schema = `id: t.int({ nulls: ['0'] }), at: t.timestamptz({ format: 'rfc2822' }), n: t.int({ nulls: ['-1'] }).nullable()`
      const csv = (...rows: string[]) => ['id;at;n', ...rows, ''].join('\n')
      const project = await Project.create({
        'lake.ts': lake('csv', schema, "key: 'id', cursor: 'at',").replace(
          "'in/*.csv'",
          "'in/*.csv', { delimiter: ';' }",
        ),
        'in/1.csv': csv(
          '1;Wed, 02 Apr 2025 12:00:00 GMT;1',
          '2;Tue, 01 Apr 2025 12:00:00 +0200;-1',
          '0;Tue, 01 Apr 2025 12:00:00 GMT;3',
        ),
      })
      const rows = () => project.query('SELECT id, n FROM silver.things ORDER BY id')
      expect(step(await project.run({ valuesFrom }), 'silver.things').counts).toMatchObject({
        in: 3,
        kept: 2,
        discarded: 1,
      })
      expect(await rows()).toEqual([
        { id: 1, n: 1 },
        { id: 2, n: null },
      ])
      await project.write({
        'in/2.csv': csv('1;Tue, 01 Apr 2025 12:00:00 GMT;4', '2;Tue, 01 Apr 2025 11:00:00 GMT;5'),
      })
      await project.run({ valuesFrom })
      const after = [
        { id: 1, n: 1 },
        { id: 2, n: 5 },
      ]
      expect(await rows()).toEqual(after)
      await project.run({ full: true })
      expect(await rows()).toEqual(after)
    },
  )

  it('are read anew when it is said otherwise how they are written', async () => {
    const project = await Project.create({
      'lake.ts': lake('csv', 'n: t.decimal(9, 3)'),
      'in/1.csv': 'n\n1.234\n',
    })
    await project.run()
    expect(await project.query('SELECT n FROM silver.things')).toEqual([{ n: '1.234' }])
    const german = lake('csv', "n: t.decimal(9, 3, { decimal: ',', group: '.' })")
    await project.write({ 'lake.ts': german })
    await project.run()
    expect(await project.query('SELECT n FROM silver.things')).toEqual([{ n: '1234.000' }])
  })
})
