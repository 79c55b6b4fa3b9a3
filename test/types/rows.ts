/*
 * Types are part of what Moraine promises. This file is compiled by `npm run types`: a line under
 * @ts-expect-error that compiles is a failure.
 */
import { text } from '../../src/define/options/expected.js'
import { needed, type OptionList } from '../../src/define/options/options.js'
import {
  bronze,
  check,
  defineLake,
  external,
  gold,
  month,
  openLake,
  type Row,
  rule,
  silver,
  sql,
  t,
  z,
} from '../../src/index.js'
import { files } from '../../src/source/index.js'
import { datasetTest, given } from '../../src/testing/index.js'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const holds = <T extends true>(): T => true as T

const raw = bronze('orders', { from: files('orders.txt', { columns: ['id', 'amount'] }) })
holds<Same<Row<typeof raw>['amount'], string | null>>()
holds<Same<Row<typeof raw>['_source_line'], bigint>>()
// @ts-expect-error there is no such column in the file
type _NoColumn = Row<typeof raw>['nothing']

const scores = external('ml.scores', { columns: { id: t.bigint(), score: t.double().optional() } })
holds<Same<Row<typeof scores>['id'], bigint>>()
holds<Same<Row<typeof scores>['score'], number | null>>()
sql`select ${scores.columns.id} from ${scores}`
// @ts-expect-error there is no such column
scores.columns.nothing
const anything = external('ml.anything')
holds<Same<Row<typeof anything>, Record<string, unknown>>>()
given(scores, [{ id: 1n }])
// @ts-expect-error ids are bigints
given(scores, [{ id: '1' }])
silver('known', { from: [scores, raw], schema: z.object({ id: t.bigint() }) })
check.references('id', scores, 'id')

const orders = silver('orders', {
  from: raw,
  schema: z.object({
    id: t.bigint(),
    quantity: t.int(),
    amount: t.decimal(12, 2).min(0),
    weight: t.double().optional(),
    status: z.enum(['open', 'paid']),
    paid: t.boolean().nullable(),
    day: t.date(),
    at: t.timestamp(),
    moment: t.timestamptz().default('2026-01-01T00:00:00Z'),
    tags: t.list(t.string()),
    place: t.struct({ city: t.string(), zip: t.int() }),
  }),
  key: 'id',
  cursor: 'at',
  partitionBy: [month('at'), 'status'],
  rules: [rule('positive', sql`amount > 0`)],
})

holds<Same<Row<typeof orders>['id'], bigint>>()
holds<Same<Row<typeof orders>['quantity'], number>>()
holds<Same<Row<typeof orders>['amount'], string>>()
holds<Same<Row<typeof orders>['weight'], number | null>>()
holds<Same<Row<typeof orders>['status'], 'open' | 'paid'>>()
holds<Same<Row<typeof orders>['paid'], boolean | null>>()
holds<Same<Row<typeof orders>['at'], string>>()
holds<Same<Row<typeof orders>['moment'], string>>()
holds<Same<Row<typeof orders>['tags'], string[]>>()
holds<Same<Row<typeof orders>['place'], { city: string; zip: number }>>()
holds<Same<Row<typeof orders>['_loaded_at'], string>>()

sql`select ${orders.columns.amount} from ${orders} where status = ${'paid'} and id in ${[1n, 2n]}`
// @ts-expect-error there is no such column
orders.columns.nothing
// @ts-expect-error an object is not a value
sql`select ${{ a: 1 }}`

// @ts-expect-error the key is not in the schema
silver('x', { from: raw, schema: z.object({ id: t.int() }), key: 'other' })
// @ts-expect-error the cursor is not in the schema
silver('x', { from: raw, schema: z.object({ id: t.int() }), key: 'id', cursor: 'other' })
// @ts-expect-error the partition column is not in the schema
silver('x', { from: raw, schema: z.object({ id: t.int() }), partitionBy: [month('other')] })
// @ts-expect-error select makes a column that is not in the schema
silver('x', { from: raw, schema: z.object({ id: t.int() }), select: { other: 'id' } })

const small = { from: raw, schema: z.object({ id: t.int() }) }
silver('x', { ...small, rules: (c) => [rule('r', sql`${c.id} > 0`)] })
// @ts-expect-error rules see the columns of the schema only
silver('x', { ...small, rules: (c) => [rule('r', sql`${c.other} > 0`)] })
// @ts-expect-error a check names columns of the schema only
silver('x', { ...small, checks: [check.unique('other')] })
// @ts-expect-error the other dataset has no such column
check.references('id', orders, 'nothing')
// @ts-expect-error nor has this one
silver('x', { ...small, checks: [check.references('other', orders, 'id')] })
silver('x', { ...small, checks: [check.references('id', orders, 'id'), check.notEmpty()] })
// @ts-expect-error gold is kept up to date by one of its columns
gold('x', { query: sql`select 1 as n`, columns: { n: t.int() }, incremental: { by: 'm' } })
gold('x', { query: sql`select 1 as n`, incremental: { by: 'n' } })
// @ts-expect-error gold is partitioned by one of its columns
gold('x', { query: sql`select 1 as n`, columns: { n: t.int() }, partitionBy: ['m'] })

given(orders, [{ id: 1n, status: 'paid' }])
// @ts-expect-error a row that is given has the columns of its dataset
given(orders, [{ id: 1n, other: 'paid' }])
// @ts-expect-error and their types
given(orders, [{ id: 1 }])
datasetTest('x', orders, { given: [], expect: [{ amount: '1.00' }] })
// @ts-expect-error a row that is expected has the columns of the dataset
datasetTest('x', orders, { given: [], expect: [{ amout: '1.00' }] })

const untyped = gold('untyped', { query: sql`select 1 as n` })
holds<Same<Row<typeof untyped>, Record<string, unknown>>>()
const typed = gold('typed', {
  query: sql`select 1 as n`,
  columns: { n: t.int(), name: z.string().nullable() },
})
holds<Same<Row<typeof typed>, { n: number; name: string | null }>>()

export async function reads(): Promise<void> {
  const lake = await openLake(defineLake({ name: 'types', datasets: [orders, typed] }))
  const rows = await lake.read(orders, { columns: ['id', 'amount'], limit: 1 })
  holds<Same<typeof rows, Pick<Row<typeof orders>, 'id' | 'amount'>[]>>()
  // @ts-expect-error there is no such column
  await lake.read(orders, { columns: ['nothing'] })
}

// Words for how texts are read are those of the type.
t.decimal(12, 2, { decimal: ',', group: '.', currency: ['€', 'EUR'] })
t.timestamptz({ format: ['rfc2822', 'iso'], zone: 'Europe/Berlin', ambiguous: 'earlier' })
holds<Same<ReturnType<typeof t.int>['_output'], number>>()
// @ts-expect-error a whole number has no zone
t.int({ zone: 'Europe/Berlin' })
// @ts-expect-error a day has no epoch
t.date({ epoch: 's' })
// @ts-expect-error marks for decimals are a point and a comma
t.double({ decimal: ';' })

// The list of a builder's options names each of them, and says which are needed.
interface Options {
  from: string
  keep?: string
}
holds<Same<keyof OptionList<Options>, 'from' | 'keep'>>()
const complete: OptionList<Options> = { from: needed(text), keep: text }
// @ts-expect-error an option is forgotten
const forgotten: OptionList<Options> = { from: needed(text) }
const another: OptionList<Options> = {
  ...complete,
  // @ts-expect-error there is no such option
  kept: text,
}
// @ts-expect-error it is needed, which the list does not say
const optional: OptionList<Options> = { from: text, keep: text }
export const lists = [complete, forgotten, another, optional]
