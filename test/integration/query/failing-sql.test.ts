import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amount } from '../../support/effort.js'
import { Project, step } from '../../support/project.js'
import { seed } from '../../support/seed.js'

interface Parts {
  select?: string
  more?: string
  schema?: string
}

const lake = ({ select = '', more = '', schema = '' }: Parts) => `
import { bronze, defineLake, rule, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('raw', { from: files('in/*.csv') })
export const shops = silver('shops', {
  from: bronze('shops', { from: files('shops.csv') }),
  schema: z.object({ code: t.int(), city: z.string() }), key: 'code',
})
const things = silver('things', {
  from: raw,
  select: { ${select} },
  schema: z.object({ id: t.int(), ${schema} }),
  ${more}
})
export default defineLake({ name: 'failing', datasets: [things] })
`
const shops = 'code,city\n1,Berlin\n2,Bonn\n'
const csv = (...rows: string[]) => ['id,a,b', ...rows, ''].join('\n')
const discarded = (project: Project) =>
  project.query(
    'SELECT _source_file AS file, _source_line AS line, reasons FROM discarded.things ORDER BY ALL',
  )

describe('SQL that fails on a row', () => {
  it('discards the row with its reason, and keeps what is NULL by right', async () => {
    const project = await Project.create({
      'lake.ts': lake({
        select: "n: sql`cast(a as integer) * 2`, day: sql`strptime(b, '%d.%m.%Y')::date`",
        schema: 'n: t.int().nullable(), day: t.date().nullable()',
      }),
      'in/1.csv': csv('1,5,1.2.2026', '2,x,1.2.2026', '3,,', '4,y,31.2.2026', '5,7,'),
      'shops.csv': shops,
    })
    const { counts } = step(await project.run(), 'silver.things')
    expect(counts).toMatchObject({ in: 5, kept: 3, discarded: 2 })
    expect(await project.query('SELECT id, n, day FROM silver.things ORDER BY id')).toEqual([
      { id: 1, n: 10, day: '2026-02-01' },
      { id: 3, n: null, day: null },
      { id: 5, n: 14, day: null },
    ])
    expect(await discarded(project)).toEqual([
      { file: 'in/1.csv', line: 3n, reasons: ['n: its SQL fails on this row'] },
      {
        file: 'in/1.csv',
        line: 5n,
        reasons: ['n: its SQL fails on this row', 'day: its SQL fails on this row'],
      },
    ])
    expect(await project.query('SELECT raw FROM discarded.things ORDER BY _source_line')).toEqual([
      { raw: '{"id":"2","a":"x","b":"1.2.2026"}' },
      { raw: '{"id":"4","a":"y","b":"31.2.2026"}' },
    ])
  })

  it('costs that row alone, however often the same part of it fails', async () => {
    const project = await Project.create({
      'lake.ts': lake({
        select: 'n: sql`cast(a as integer)`, twice: sql`cast(a as integer) + cast(a as integer)`',
        schema: 'n: t.int(), twice: t.int(), b: z.string()',
        more: "rules: [rule('b is small', sql`cast(b as integer) > 0 and cast(b as integer) < 9`)],",
      }),
      'in/1.csv': csv('1,5,1', '2,x,1', '3,5,y', '4,5,10'),
      'shops.csv': shops,
    })
    const { counts } = step(await project.run(), 'silver.things')
    expect(counts).toMatchObject({ in: 4, kept: 1, discarded: 3 })
    expect((await discarded(project)).map((row) => row.reasons)).toEqual([
      ['n: its SQL fails on this row', 'twice: its SQL fails on this row'],
      ['rule: b is small: its SQL fails on this row'],
      ['rule: b is small'],
    ])
  })

  it('is one reason for a required value, not two', async () => {
    const project = await Project.create({
      'lake.ts': lake({ select: 'n: sql`cast(a as integer)`', schema: 'n: t.int()' }),
      'in/1.csv': csv('1,x,', '2,,'),
      'shops.csv': shops,
    })
    await project.run()
    expect((await discarded(project)).map((row) => row.reasons)).toEqual([
      ['n: its SQL fails on this row'],
      ['n: required, but it is missing'],
    ])
  })

  it('is a reason where a rule or deleteWhen fails', async () => {
    const project = await Project.create({
      'lake.ts': lake({
        schema: 'a: z.string(), b: z.string().nullable()',
        more: `key: 'id', deleteWhen: sql\`cast(b as integer) = 1\`,
          rules: [rule('a is positive', sql\`cast(a as integer) > 0\`)],`,
      }),
      'in/1.csv': csv('1,5,', '2,x,', '3,-1,', '4,5,?', '5,x,1', '6,6,0'),
      'shops.csv': shops,
    })
    const { counts } = step(await project.run(), 'silver.things')
    expect(counts).toMatchObject({ in: 6, kept: 2, discarded: 3, deleted: 1 })
    expect((await discarded(project)).map((row) => [row.line, row.reasons])).toEqual([
      [3n, ['rule: a is positive: its SQL fails on this row']],
      [4n, ['rule: a is positive']],
      [5n, ['deleteWhen: its SQL fails on this row']],
    ])
  })

  it('is found though the row lost to a newer one of its key, and nothing asks about its value', async () => {
    const project = await Project.create({
      'lake.ts': lake({
        select: 'n: sql`cast(a as integer)`',
        schema: 'n: t.int().nullable(), w1: z.string().optional(), w2: z.string().optional()',
        more: "key: 'id',",
      }),
      'in/1.csv': csv('1,x,', '1,5,'),
      'shops.csv': shops,
    })
    // As it would be, had the rows come one after the other.
    expect(step(await project.run(), 'silver.things').counts).toMatchObject({
      in: 2,
      kept: 1,
      discarded: 1,
      superseded: 0,
    })
  })

  it('is said with the row and a way out where rows can not be tried one by one', async () => {
    const project = await Project.create({
      'lake.ts': lake({
        select: 'city: sql`(select city from ${shops} where code = cast(a as integer))`',
        schema: 'city: z.string().nullable()',
      }),
      'in/1.csv': csv('1,1,', '2,2,'),
      'in/2.csv': csv('3,1,', '4,x,', '5,y,'),
      'shops.csv': shops,
    })
    const record = await project.run()
    const { error } = step(record, 'silver.things')
    expect(error?.message).toBe(
      "silver.things: the select of 'city' fails at in/2.csv:3: Could not convert string 'x' to INT32 when casting from source column a",
    )
    expect(error?.hint).toContain('try_cast(')
    expect(error?.place?.line).toBe(11)
    await project.write({
      'lake.ts': lake({
        select: 'city: sql`(select city from ${shops} where code = try_cast(a as integer))`',
        schema: 'city: z.string().nullable()',
      }),
    })
    expect(step(await project.run(), 'silver.things').counts).toMatchObject({ in: 5, kept: 5 })
  })

  it('of a rule that is new is no reason to take discarded rows alone', async () => {
    const rules = (more: string) =>
      lake({
        schema: 'a: z.string(), b: z.string()',
        more: `rules: [rule('b is y', sql\`b = 'y'\`)${more}],`,
      })
    const project = await Project.create({
      'lake.ts': rules(''),
      'in/1.csv': csv('1,x,y', '2,3,n'),
      'shops.csv': shops,
    })
    await project.run()
    await project.write({
      'lake.ts': rules(", rule('a is positive', sql`cast(a as integer) > 0`)"),
    })
    const replay = { replay: { dataset: 'silver.things' }, select: ['silver.things'] }
    const { error } = step(await project.run(replay), 'silver.things')
    expect(error?.message).toBe(
      "the discarded rows of silver.things cannot be replayed on their own: the rule 'a is positive' fails on rows of the table",
    )
    await project.run()
    expect((await discarded(project)).map(({ line, reasons }) => [line, reasons])).toEqual([
      [2n, ['rule: a is positive: its SQL fails on this row']],
      [3n, ['rule: b is y']],
    ])
  })

  it('makes the same rows in full runs, increments and replays', async () => {
    const value = fc.oneof(
      { weight: 5, arbitrary: fc.nat(9).map(String) },
      fc.constantFrom('', 'x', '99999999999', '0'),
    )
    const load = fc.array(fc.tuple(fc.nat(6).map(String), value, value), {
      minLength: 1,
      maxLength: 8,
    })
    const definition = (allowed: string) =>
      lake({
        // Of `n` nobody asks anything: whether it fails must not depend on whether its row is a
        // key's newest.
        select: 'n: sql`cast(a as integer)`, m: sql`100 // cast(b as smallint)`',
        schema: 'n: t.int().nullable(), m: t.int().nullable().optional(), b: z.string().nullable()',
        more: `key: 'id', rules: [rule('b is allowed', sql\`cast(b as integer) not in (${allowed})\`)],`,
      })
    await fc.assert(
      fc.asyncProperty(fc.array(load, { minLength: 2, maxLength: 3 }), async (loads) => {
        const contents = async (project: Project) =>
          project.reading(async (rows) => [
            await rows('SELECT id, n, m, b FROM silver.things ORDER BY id'),
            await rows(
              'SELECT _source_file, _source_line, reasons, raw FROM discarded.things ORDER BY ALL',
            ),
          ])
        const project = await Project.create({ 'lake.ts': definition('3'), 'shops.csv': shops })
        const other = await Project.create({ 'lake.ts': definition('4'), 'shops.csv': shops })
        for (const [i, rows] of loads.entries()) {
          const file = { [`in/${i}.csv`]: csv(...rows.map((row) => row.join(','))) }
          await Promise.all([project.write(file), other.write(file)])
          for (const each of [project, other])
            expect(step(await each.run(), 'silver.things').error).toBe(undefined)
        }
        const increments = await contents(project)
        expect(step(await project.run({ full: true }), 'silver.things').error).toBe(undefined)
        expect(await contents(project)).toEqual(increments)
        await other.write({ 'lake.ts': definition('3') })
        const replay = { replay: { dataset: 'silver.things' }, select: ['silver.things'] }
        const [kept, replayed] = [increments[0], await other.run(replay)]
        // A rule that rows of the table break is for a run.
        if (step(replayed, 'silver.things').error) await other.run()
        expect((await contents(other))[0]).toEqual(kept)
      }),
      { numRuns: amount(1, 3, 8), seed },
    )
  })
})
