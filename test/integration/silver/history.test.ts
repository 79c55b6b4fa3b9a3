import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amount } from '../../support/effort.js'
import { Project } from '../../support/project.js'
import { seed } from '../../support/seed.js'

const lake = (more = '') => `
import { bronze, defineLake, gold, history, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv', { columns: ['id', 'at', 'status', 'op'], header: true }) })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.int(), at: t.int(), status: z.enum(['new', 'paid', 'sent']) }),
  key: 'id', cursor: 'at', history: true,
  deleteWhen: sql\`op = 'D'\`,
})
const steps = gold('steps', {
  query: sql\`select status, lead(status) over (partition by id order by valid_from) as following, count(*) over () as versions from \${history(orders)}\`,
})
export default defineLake({ name: 'shop', datasets: [orders, steps] ${more} })
`

interface Change {
  id: number
  at: number
  status: string
  op: string
}

const csv = (changes: readonly Change[]) =>
  [
    'id,at,status,op',
    ...changes.map(({ id, at, status, op }) => [id, at, status, op].join()),
    '',
  ].join('\n')

/**
 * What the history of these changes is, in the order in which they came: of two at the same time
 * the later one counts.
 */
function expected(changes: readonly Change[]): unknown[] {
  const byKey = new Map<number, Map<number, Change>>()
  for (const change of changes) {
    if (change.op !== 'D' && !['new', 'paid', 'sent'].includes(change.status)) continue
    const times = byKey.get(change.id) ?? new Map<number, Change>()
    times.set(change.at, change)
    byKey.set(change.id, times)
  }
  return [...byKey]
    .sort(([a], [b]) => a - b)
    .flatMap(([id, times]) => {
      const ordered = [...times.values()].sort((a, b) => a.at - b.at)
      return ordered.flatMap(({ at, status, op }, i) =>
        op === 'D' ? [] : [{ id, status, valid_from: at, valid_to: ordered[i + 1]?.at ?? null }],
      )
    })
}

const versions = (project: Project) =>
  project.query(
    'SELECT id, status, valid_from, valid_to FROM history.orders ORDER BY id, valid_from',
  )

describe('a silver dataset with history', () => {
  it('keeps each version from when to when it held, also those that come late', async () => {
    const project = await Project.create({
      'lake.ts': lake(),
      'in/1.csv': csv([
        { id: 1, at: 1, status: 'new', op: '' },
        { id: 1, at: 5, status: 'sent', op: '' },
        { id: 2, at: 2, status: 'lost', op: '' },
        { id: 2, at: 3, status: 'new', op: '' },
      ]),
    })
    await project.run()
    await project.write({
      'in/2.csv': csv([
        { id: 1, at: 3, status: 'paid', op: '' },
        { id: 2, at: 9, status: '', op: 'D' },
      ]),
    })
    expect((await project.run()).outcome).toBe('done')
    expect(await versions(project)).toEqual([
      { id: 1, status: 'new', valid_from: 1, valid_to: 3 },
      { id: 1, status: 'paid', valid_from: 3, valid_to: 5 },
      { id: 1, status: 'sent', valid_from: 5, valid_to: null },
      { id: 2, status: 'new', valid_from: 3, valid_to: 9 },
    ])
    expect(await project.query('SELECT id, status FROM silver.orders')).toEqual([
      { id: 1, status: 'sent' },
    ])
    const asOf =
      'SELECT id, status FROM history.orders WHERE valid_from <= 4 AND (valid_to IS NULL OR valid_to > 4) ORDER BY id'
    expect(await project.query(asOf)).toEqual([
      { id: 1, status: 'paid' },
      { id: 2, status: 'new' },
    ])
    expect(
      await project.query(
        'SELECT status, following, versions FROM gold.steps WHERE following IS NOT NULL ORDER BY 1',
      ),
    ).toEqual([
      { status: 'new', following: 'paid', versions: 4n },
      { status: 'paid', following: 'sent', versions: 4n },
    ])
  })

  it('is the same however the changes come, batch by batch or all at once', async () => {
    const change = fc.record({
      id: fc.integer({ min: 1, max: 3 }),
      at: fc.integer({ min: 1, max: 6 }),
      status: fc.constantFrom('new', 'paid', 'sent', 'sent', 'broken'),
      op: fc.constantFrom('', '', '', 'D'),
    })
    const batches = fc.array(fc.array(change, { minLength: 1, maxLength: 5 }), {
      minLength: 1,
      maxLength: 4,
    })
    await fc.assert(
      fc.asyncProperty(batches, async (parts) => {
        const project = await Project.create({ 'lake.ts': lake() })
        for (const [i, part] of parts.entries()) {
          await project.write({ [`in/${i}.csv`]: csv(part) })
          const record = await project.run()
          expect(record.steps.map(({ error }) => error)).toEqual(record.steps.map(() => undefined))
        }
        const found = await versions(project)
        await project.run({ full: true })
        expect(await versions(project)).toEqual(found)
        expect(found).toEqual(expected(parts.flat()))
      }),
      { numRuns: amount(3, 15), seed, endOnFailure: true },
    )
  })

  it('writes nothing for what comes again as it was', async () => {
    const change = { id: 1, at: 1, status: 'new', op: '' }
    const project = await Project.create({ 'lake.ts': lake(), 'in/1.csv': csv([change]) })
    await project.run()
    const before = (await project.state()).tables['history.orders']?.metadata
    await project.write({ 'in/2.csv': csv([change, change]) })
    await project.run()
    expect((await project.state()).tables['history.orders']?.metadata).toBe(before)
  })
})
