import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { amount } from '../../support/effort.js'
import { Project } from '../../support/project.js'
import { tracesOf } from '../../support/traces.js'

/*
 * Of random lakes: what a dry run counts is what is removed then, all that is left of the person is
 * nothing, and all others have what they had.
 */

const lake = (more: string) => `
import { bronze, check, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const people = silver('people', {
  from: bronze('people', { from: files('people/*') }), key: 'id', cursor: 'v', identifies: 'email', ${more}
  schema: z.object({ id: z.string(), email: z.string(), age: t.int().min(0), v: t.int() }),
})
const orders = silver('orders', {
  from: bronze('orders', { from: files('orders/*') }), key: 'n', checks: [check.references('person', people, 'id', { severity: 'warn' })],
  schema: z.object({ n: t.int(), person: z.string(), note: z.string() }),
})
const spent = gold('spent', { query: sql\`select person, count(*) as n from \${orders} group by person\`, incremental: { by: 'person' } })
export default defineLake({ name: 'random', datasets: [people, orders, spent] })
`

interface Row {
  who: number
  keyless: boolean
  age: number
  v: number
}

const row = fc.record<Row>({
  who: fc.integer({ min: 0, max: 3 }),
  keyless: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  age: fc.integer({ min: -1, max: 4 }),
  v: fc.integer({ min: 0, max: 3 }),
})
const file = fc.record({
  kind: fc.constantFrom('csv', 'jsonl', 'json'),
  rows: fc.array(row, { minLength: 1, maxLength: 8 }),
})
const lakes = fc.record({
  more: fc.constantFrom('', 'history: true,', "history: true, onInvalidUpdate: 'remove',"),
  runs: fc.array(fc.record({ people: file, orders: file }), { minLength: 1, maxLength: 3 }),
})

const one = { kind: 'csv', rows: [{ who: 0, keyless: true, age: 0, v: 0 }] }
/** Of the person no row has a key, but an order has it. */
const unknown = { more: '', runs: [{ people: one, orders: one }] }
/** The same of two files, in JSON and in CSV. */
const twice = {
  more: '',
  runs: ['jsonl', 'csv'].map((kind) => ({ people: { ...one, kind }, orders: one })),
}

const idOf = (who: number) => `person-${who}00${who}`

function written(kind: string, rows: readonly Record<string, string | number | null>[]): string {
  if (kind === 'json') return JSON.stringify(rows)
  if (kind === 'jsonl') return rows.map((one) => `${JSON.stringify(one)}\n`).join('')
  const names = Object.keys(rows[0] ?? {})
  return [names, ...rows.map((one) => names.map((name) => one[name]))]
    .map((of) => `${of}\n`)
    .join('')
}

const others = [
  `select 'people' as a, id, email, CAST(v AS VARCHAR) as b from silver.people where id <> '${idOf(0)}'`,
  `select 'orders', person, note, CAST(n AS VARCHAR) from silver.orders where person <> '${idOf(0)}'`,
  `select 'spent', person, '', CAST(n AS VARCHAR) from gold.spent where person <> '${idOf(0)}'`,
].join(' union all ')

it('removes what the dry run counts, all of it, and nothing else', async () => {
  await fc.assert(
    fc.asyncProperty(lakes, async ({ more, runs }) => {
      const project = await Project.create({ 'lake.ts': lake(more) })
      let n = 0
      for (const [i, { people, orders }] of runs.entries()) {
        const rows = people.rows.map(({ who, keyless, age, v }) => {
          return { id: keyless ? null : idOf(who), email: `mail-${idOf(who)}`, age, v }
        })
        const made = orders.rows.map(({ who, age }) => {
          return { n: age < 0 ? 'x' : n++, person: idOf(who), note: `note of ${idOf(who)}` }
        })
        await project.write({
          [`people/${i}.${people.kind}`]: written(people.kind, rows),
          [`orders/${i}.${orders.kind}`]: written(orders.kind, made),
        })
        expect((await project.run({ rewriteUpTo: i === 1 ? 0 : 16 << 20 })).outcome).toBe('done')
      }
      const counts = async () => {
        const { tables, batches } = await project.state()
        const held = Object.entries(batches).map(([name, all]) => {
          return [name, all.reduce((sum, { rows }) => sum + rows, 0)] as const
        })
        const built = Object.entries(tables).map(([name, { rows }]) => [name, rows] as const)
        return Object.fromEntries([...held, ...built].filter(([name]) => !name.startsWith('gold')))
      }
      const [before, left] = [await counts(), await project.query(`${others} order by all`)]
      const forget = async (...how: string[]) => {
        const key = ['--key', idOf(0)]
        const told = await project.cli('--json', 'forget', 'people', ...key, ...how)
        expect([told.stderr, told.code]).toEqual(['', 0])
        return JSON.parse(told.stdout)
      }
      const dry = await forget()
      expect(await counts()).toEqual(before)
      const done = await forget('--yes')
      expect([done.rows, done.files, done.batches]).toEqual([dry.rows, dry.files, dry.batches])
      const after = await counts()
      const gone = Object.entries(before).map(
        ([name, n]) => [name, n - (after[name] ?? 0)] as const,
      )
      expect(Object.fromEntries(gone.filter(([, n]) => n > 0))).toEqual(dry.rows)
      expect(await project.query(`${others} order by all`)).toEqual(left)
      // Whose row has no key is only known by rows that have one.
      const isKnown = runs.some((run) => run.people.rows.some((r) => r.who === 0 && !r.keyless))
      const texts = isKnown ? [idOf(0)] : [`note of ${idOf(0)}`]
      expect(await tracesOf(join(project.folder, 'lake'), texts)).toEqual([])
      expect((await project.cli('verify', '--deep')).code).toBe(0)
    }),
    { numRuns: amount(2, 6, 40), examples: [[unknown], [twice]] },
  )
}, 7_200_000)
