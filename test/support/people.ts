import { Project } from './project.js'

/*
 * A lake with people in every layer: superseded, discarded and deleted rows, a history, an archive,
 * gold that names them, gold that counts them.
 */

export const definition = `
import { bronze, check, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files, inbox } from 'moraine/sources'
const rawPeople = bronze('people', { from: files('people/*.csv'), format: 'raw' })
export const people = silver('people', {
  from: rawPeople, key: 'id', cursor: 'v', history: true, deleteWhen: sql\`op = 'D'\`, identifies: 'email',
  schema: z.object({ id: z.string(), name: z.string(), email: z.string(), age: t.int().min(0), v: t.int() }),
})
const rawOrders = bronze('orders', { from: inbox(), archive: true })
export const orders = silver('orders', {
  from: rawOrders, key: 'order_id', checks: [check.references('person', people, 'id', { severity: 'warn' })],
  schema: z.object({ order_id: t.int(), person: z.string(), day: t.date(), amount: t.decimal(9, 2), note: z.string() }),
})
const letters = silver('letters', {
  from: bronze('letters', { from: files('letters.csv') }), identifies: ['email'],
  schema: z.object({ email: z.string(), sent: t.date() }),
})
const places = silver('places', {
  from: rawPeople, key: 'place', cursor: 'v', schema: z.object({ place: z.string(), name: z.string(), v: t.int() }),
})
const daily = gold('daily', {
  query: sql\`select day, count(*) as n, sum(amount) as amount from \${orders} group by day\`, incremental: { by: 'day' },
})
const best = gold('best', { query: sql\`select name, sum(amount) as amount from \${people} join \${orders} on person = id group by name\` })
export default defineLake({ name: 'people', datasets: [people, orders, letters, places, daily, best] })
`

/** What nobody else has: each text is of Ada alone. */
export const ada = ['ada-4711', 'Ada Lovelace', 'ada@example.org', 'Countess', 'analytical-engine']

const person = (i: number, v: number) =>
  `p-${i},Person ${i},p${i}@example.org,${20 + (i % 50)},${v},town-${i % 7},`

/** People with Ada among them, in the second version also discarded, and others. */
const peopleOf = (v: number, from: number, to: number, ofAda: string[]) =>
  [
    'id,name,email,age,v,place,op',
    ...Array.from({ length: to - from }, (_, i) => person(from + i, v)),
    ...ofAda,
    '',
  ].join('\n')

const ordersOf = (from: number, to: number, who: (i: number) => string) =>
  [
    'order_id,person,day,amount,note',
    ...Array.from(
      { length: to - from },
      (_, i) =>
        `${from + i},${who(from + i)},2026-01-0${((from + i) % 3) + 1},${i}.50,${who(from + i) === 'ada-4711' ? 'analytical-engine' : `note ${i}`}`,
    ),
    '',
  ].join('\n')

export async function lakeOfPeople(made?: Project): Promise<Project> {
  const project = made ?? (await Project.create({}))
  await project.write({
    'lake.ts': definition,
    'people/1.csv': peopleOf(1, 0, 40, [
      'ada-4711,Countess Ada,ada@example.org,36,1,London-ada-4711,',
    ]),
    'letters.csv': `email,sent\nada@example.org,2026-01-02\np1@example.org,2026-01-03\n`,
    'lake/bronze/landing/orders/1.csv': ordersOf(0, 30, (i) => (i === 4 ? 'ada-4711' : `p-${i}`)),
    'lake/bronze/landing/orders/2.csv': ordersOf(30, 40, (i) => `p-${i - 30}`),
  })
  await project.run({ rewriteUpTo: 0, keepAfter: 0 })
  await project.write({
    'people/2.csv': peopleOf(2, 5, 8, [
      'ada-4711,Ada Lovelace,ada@example.org,37,2,London-ada-4711,',
      'ada-4711,Ada Lovelace,ada@example.org,-1,3,London-ada-4711,',
    ]),
    'people/3.csv': peopleOf(4, 10, 12, ['p-9,,,,9,,D']),
    'lake/bronze/landing/orders/3.csv': ordersOf(4, 6, (i) => (i === 4 ? 'ada-4711' : 'p-1')),
  })
  await project.run({ rewriteUpTo: 0, keepAfter: 0 })
  return project
}
