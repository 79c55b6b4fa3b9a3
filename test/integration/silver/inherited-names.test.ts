import { expect, it } from 'vitest'
import { Project } from '../../support/project.js'

/** Names that every JavaScript object knows: data may have columns of these names, too. */
const names = ['constructor', 'toString', 'valueOf', 'hasOwnProperty', 'isPrototypeOf']

const lake = (more = '', extra = '') => `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('things', { from: files('in/*.csv') })
const things = silver('things', {
  from: raw,
  schema: z.object({ id: t.int(), ${names.map((name) => `${name}: z.string()`).join(', ')}, day: t.date()${more} }),
  key: 'id',
  cursor: 'day',
})
const last = silver('last', {
  from: raw,
  schema: z.object({ id: t.int(), toString: z.string(), valueOf: t.date() }),
  select: { toString: 'constructor', valueOf: 'day' },
  severity: { toString: 'warn' },
  key: 'id', cursor: 'valueOf', history: true,
})
const counted = gold('counted', {
  query: sql\`select day as "constructor", count(*) as "toString", max("valueOf") as "valueOf" from \${things} group by 1\`,
  incremental: { by: 'constructor' },
  columns: { constructor: t.date(), toString: t.bigint(), valueOf: z.string().nullable() },
})
export default defineLake({ name: 'shop', datasets: [things, last, counted] })
${extra}`

const csv = (ids: number[], day = '2026-01-01') =>
  `id,${names.join(',')},__proto__,day\n${ids
    .map((id) => `${id},${names.map((_, i) => `v${id}.${i}`).join(',')},p,${day}`)
    .join('\n')}\n`

it('columns may have the names of what all objects inherit, through all that becomes of a lake', async () => {
  const project = await Project.create({ 'lake.ts': lake(), 'in/1.csv': csv([1, 2]) })
  const ok = async (...args: string[]) => {
    const { code, stdout, stderr } = await project.cli(...args)
    expect([args, code, code === 0 ? '' : stdout + stderr]).toEqual([args, 0, ''])
    return stdout
  }
  const rows = () => project.query(`select * from silver.things order by id`)
  const expected = (ids: number[]) =>
    ids.map((id) =>
      expect.objectContaining({
        id,
        ...Object.fromEntries(names.map((name, i) => [name, `v${id}.${i}`])),
      }),
    )
  await ok('run')
  for (const id of [3, 4]) {
    await project.write({ [`in/${id}.csv`]: csv([id], `2026-01-0${id}`) })
    await ok('run')
    expect(await rows()).toEqual(expected([1, 2, 3, 4].slice(0, id)))
  }
  await ok('run', '--full')
  expect(await rows()).toEqual(expected([1, 2, 3, 4]))
  expect(
    await project.query('select "toString", "valueOf" from gold.counted order by "constructor"'),
  ).toEqual([
    { toString: 2n, valueOf: 'v2.2' },
    { toString: 1n, valueOf: 'v3.2' },
    { toString: 1n, valueOf: 'v4.2' },
  ])
  expect(await project.query('select "toString" from history.last order by id')).toHaveLength(4)
  // A column more, then one less: what stays keeps its values.
  await project.write({ 'lake.ts': lake(', toLocaleString: z.string().optional()') })
  await ok('run')
  expect(await rows()).toEqual(expected([1, 2, 3, 4]))
  await project.write({ 'lake.ts': lake(), 'in/5.csv': csv([5], '2026-01-05') })
  await ok('run', '--allow-breaking', '--accept-definition')
  expect(await rows()).toEqual(expected([1, 2, 3, 4, 5]))
  for (const command of ['plan', 'status', 'catalog', 'optimize', 'history']) await ok(command)
  await ok('profile', 'silver.things')
  await ok('discarded', 'things')
  await ok('replay', 'silver.things')
  await ok('verify', '--deep')
  expect(await rows()).toEqual(expected([1, 2, 3, 4, 5]))
})
