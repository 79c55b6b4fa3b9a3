import { expect, it } from 'vitest'
import { allRights } from '../../../define/access/rights.js'
import { Prepared } from '../../../serve/aws/athena/named.js'
import { NamedQueries } from '../named-queries.js'
import { noRecords } from './records.js'

const sql = 's'.repeat(262_000)
const [ada, bob] = ['ada', 'bob'].map((name) => ({ name, rights: allRights })) as [Caller, Caller]
type Caller = Parameters<NamedQueries['put']>[0]

it('each principal keeps so many bytes of named queries, and may replace what it has', async () => {
  const named = new NamedQueries(noRecords, () => new Date())
  for (let i = 0; i < 64; i++) await named.put(ada, { name: `q${i}`, sql })
  await expect(named.put(ada, { name: 'more', sql })).rejects.toMatchObject({ kind: 'limit' })
  await named.put(ada, { name: 'q0', sql })
  await named.put(bob, { name: 'more', sql })
  expect([named.list(ada).length, named.list(bob).length]).toEqual([64, 1])
})

it('the same is so of prepared statements', async () => {
  const prepared = new Prepared(noRecords)
  const one = (name: string) => ({ name, workgroup: 'primary', text: sql })
  for (let i = 0; i < 64; i++) await prepared.put(ada, one(`s${i}`))
  await expect(prepared.put(ada, one('more'))).rejects.toThrow('larger than 16 MiB')
  await prepared.put(ada, one('s0'))
  await prepared.put(bob, one('more'))
  expect(prepared.list(ada, 'primary')).toHaveLength(64)
})
