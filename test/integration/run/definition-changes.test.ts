import { describe, expect, it } from 'vitest'
import { Project, step } from '../../support/project.js'

/*
 * What a changed definition costs: nothing where no row could differ, a rebuild where one could,
 * and a refusal where readers would break.
 */

const base = {
  columns: 'id: t.int(), amount: t.decimal(9, 2), note: z.string().nullable(),',
  options: "key: 'id',",
  gold: 'select note, sum(amount) as amount from ${orders} group by 1',
}

const lake = (changed: Partial<typeof base> = {}) => {
  const { columns, options, gold } = { ...base, ...changed }
  return `
import { bronze, defineLake, gold, identity, month, rule, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
export const raw = bronze('orders', { from: files('in/*.csv') })
export const orders = silver('orders', { from: raw, schema: z.object({ ${columns} }), ${options} })
export const totals = gold('totals', { query: sql\`${gold}\` })
export default defineLake({ name: 'changes', datasets: [totals] })
`
}

const rows = 'id,amount,note\n1,1.50,a\n2,2.50,\n'

async function built(files: Record<string, string> = { 'in/1.csv': rows }): Promise<Project> {
  const project = await Project.create({ 'lake.ts': lake(), ...files })
  await project.run()
  return project
}

/** What a run with a changed definition does for silver, and why. */
async function change(project: Project, changed: Partial<typeof base>) {
  const before = (await project.state()).tables['silver.orders']?.metadata
  await project.write({ 'lake.ts': lake(changed) })
  const run = await project.run({ allowBreaking: true })
  expect([run.error, ...run.steps.map((s) => s.error)].filter(Boolean)).toEqual([])
  const silver = step(run, 'silver.orders')
  const after = (await project.state()).tables['silver.orders']?.metadata
  return { reason: silver.reason, read: silver.counts?.in, changed: before !== after, run }
}

describe('a changed definition', () => {
  it.each([
    [
      'formatting and comments in SQL',
      {
        gold: '-- why\n  SELECT note,\n sum( amount ) as amount from ${orders} /* all */ group by 1'.replace(
          'SELECT',
          'select',
        ),
      },
    ],
    ['a description', { options: "key: 'id', description: 'All orders.'," }],
    [
      'a rule that only warns',
      { options: "key: 'id', rules: [rule('small', sql`amount < 100`, { severity: 'warn' })]," },
    ],
  ])('of %s costs nothing', async (_, changed) => {
    const project = await built()
    const { changed: built2, run } = await change(project, changed)
    expect(built2).toBe(false)
    expect(run.steps.map((s) => s.outcome)).toEqual(['unchanged', 'unchanged', 'unchanged'])
  })

  it.each([
    [
      'a new column that no row has had so far',
      { columns: `${base.columns} city: z.string().optional(),` },
      "column 'city' was added, NULL in all rows so far; no rows need to be read again",
    ],
    [
      'partitioning',
      { options: "key: 'id', partitionBy: ['note']," },
      'its partitioning changed; no rows need to be read again',
    ],
    [
      'the order of columns',
      { columns: 'amount: t.decimal(9, 2), id: t.int(), note: z.string().nullable(),' },
      'its columns are in another order; no rows need to be read again',
    ],
    [
      'a wider type',
      { columns: 'id: t.bigint(), amount: t.decimal(12, 2), note: z.string().nullable(),' },
      "column 'id' is now bigint instead of int, column 'amount' is now decimal(12,2) instead of decimal(9,2); no rows need to be read again",
    ],
    [
      'a column that is gone',
      {
        columns: 'id: t.int(), amount: t.decimal(9, 2),',
        gold: 'select count(*) as n from ${orders}',
      },
      "column 'note' was removed; no rows need to be read again",
    ],
    [
      'the name of a column',
      {
        columns: 'id: t.int(), amount: t.decimal(9, 2), remark: z.string().nullable(),',
        options: "key: 'id', select: { remark: 'note' },",
        gold: 'select remark, sum(amount) as amount from ${orders} group by 1',
      },
      "column 'note' is now called 'remark'; no rows need to be read again",
    ],
  ])('of %s keeps the rows as they are', async (_, changed, reason) => {
    const project = await built()
    const found = await change(project, changed)
    expect([found.reason, found.read]).toEqual([reason, 0])
    // Old and new rows are read together, as a rebuild has them.
    await project.write({ 'in/2.csv': 'id,amount,note,city\n3,3.50,c,Bern\n' })
    await project.run()
    const before = await project.query(
      'select * exclude (_loaded_at) from silver.orders order by id',
    )
    await project.run({ full: true })
    expect(
      await project.query('select * exclude (_loaded_at) from silver.orders order by id'),
    ).toEqual(before)
    expect(before).toHaveLength(3)
  })

  it.each([
    [
      'a new column that the files have',
      { columns: `${base.columns} city: z.string().nullable(),` },
      "column 'city' was added",
    ],
    [
      'a check',
      { columns: base.columns.replace('t.int()', 't.int().min(2)') },
      "column 'id' is read or checked differently",
    ],
    [
      'what a column is computed from',
      { options: "key: 'id', select: { note: sql`upper(note)` }," },
      "column 'note' is computed differently",
    ],
    [
      'what a column is computed from, and its check',
      {
        columns: base.columns.replace('z.string()', 'z.string().max(9)'),
        options: "key: 'id', select: { note: sql`upper(note)` },",
      },
      "column 'note' is computed and checked differently",
    ],
    [
      'a rule',
      { options: "key: 'id', rules: [rule('r', sql`amount < 2`)]," },
      "rule 'r' was added",
    ],
    ['the key', { options: '' }, 'its key was removed'],
  ])('of %s builds everything again', async (_, changed, reason) => {
    const project = await built({ 'in/1.csv': 'id,amount,note,city\n1,1.50,a,Bern\n2,2.50,,\n' })
    const found = await change(project, changed)
    expect([found.reason, found.read]).toEqual([reason, 2])
  })

  it('that would bring discarded rows back builds everything again', async () => {
    const project = await built({ 'in/1.csv': 'id,amount,note\n1,1.50,a\n9999999999,2,b\n' })
    expect(await project.query('from silver.orders')).toHaveLength(1)
    const found = await change(project, {
      columns: 'id: t.bigint(), amount: t.decimal(9, 2), note: z.string().nullable(),',
    })
    expect(found.read).toBe(2)
    expect(await project.query('from silver.orders')).toHaveLength(2)
  })

  it('that breaks readers is shown by plan, refused by run, and done when asked for', async () => {
    const project = await built()
    const columns = 'id: t.int(), amount: t.int(),'
    await project.write({
      'lake.ts': lake({ columns, gold: 'select count(*) as n from ${orders}' }),
    })
    const plan = await project.cli('plan')
    expect(plan.code).toBe(1)
    expect(plan.stdout).toContain('- note string  breaks readers')
    expect(plan.stdout).toContain('~ amount decimal(9,2) → int  breaks readers')
    const run = await project.cli('run')
    expect(run.code).toBe(1)
    expect(run.stdout + run.stderr).toContain('moraine run silver.orders+ --allow-breaking')
    expect(await project.query('select note from silver.orders')).toHaveLength(2)
    await project.cli('run', '--allow-breaking')
    expect(Object.keys((await project.query('from silver.orders'))[0] ?? {})).not.toContain('note')
  })
})
