/** What the definition of the storm's lake says that changes while it goes on. */
export interface Settings {
  /** Amounts from here on are discarded by a rule. */
  limit: number
  partitioned: boolean
  /** Another text of gold's query, with the same rows. */
  rewritten: number
}

/** Rows of `readings` are kept for so many days. */
export const KEPT_DAYS = 400

/** The definition, as a user writes it. */
export function definitionOf({ limit, partitioned, rewritten }: Settings, api: string): string {
  return `import { bronze, defineLake, gold, history, month, rule, silver, sql, t, z } from 'moraine'
import { files, http, inbox, ingest } from 'moraine/sources'

const columns = ['tag', 'id', 'version', 'day', 'amount', 'code', 'op'] as const
const dropped = bronze('dropped', { from: inbox({ settle: '1ms' }), archive: true })
const sent = bronze('sent', { from: ingest({ columns }) })
const items = silver('items', {
  from: [dropped, sent],
  schema: z.object({
    tag: z.string(),
    id: t.int(),
    version: t.bigint(),
    day: t.date(),
    amount: t.int().min(0),
    code: z.string().refine((code) => code === [...code].reverse().join(''), 'is no palindrome'),
  }),
  key: 'id',
  cursor: 'version',
  history: true,
  deleteWhen: sql\`op = 'D'\`,
  rules: [rule('amount is small', sql\`amount < ${limit}\`)],${partitioned ? "\n  partitionBy: [month('day')]," : ''}
})

const listed = bronze('listed', { from: files('in/*.csv') })
const asked = bronze('asked', {
  from: http('${api}', { columns: ['tag', 'id', 'version', 'at', 'amount'], cursor: { column: 'version', param: 'since' } }),
})
const readings = silver('readings', {
  from: [listed, asked],
  schema: z.object({ tag: z.string(), id: t.int(), version: t.bigint(), at: t.timestamp(), amount: t.int() }),
  key: 'id',
  cursor: 'version',
  keep: { for: '${KEPT_DAYS} days', by: 'at' },
})

const days = gold('days', {
  query: sql\`select day, count(*) as n, sum(amount)${rewritten > 0 ? ` + 0 * ${rewritten}` : ''} as amount from \${items} group by day\`,
  incremental: { by: 'day' },
})
const totals = gold('totals', {
  query: sql\`select (select count(*) from \${items}) as items, (select sum(version) from \${items}) as versions,
    (select count(*) from \${history(items)}) as history, (select count(*) from \${readings}) as readings,
    (select sum(version) from \${readings}) as reading_versions\`,
})
const dear = gold('dear', { query: sql\`select tag, id, amount from \${items} where amount > 100\`, view: true })
export default defineLake({ name: 'storm', datasets: [days, totals, dear] })
`
}
