import { cp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { executeStep, inParts } from '../../../src/run/execute-step.js'
import type { StepWorker } from '../../../src/step/context.js'
import type { RunRecord } from '../../../src/step/events.js'
import type { StepTask } from '../../../src/step/task/task.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { rowsOfLake } from '../../support/lake-rows.js'
import { Project } from '../../support/project.js'
import { seed } from '../../support/seed.js'

/*
 * A step that is carried out in parts, by buckets of keys or groups of files, gives what it gives
 * as a whole: rows, versions, tombstones, what was discarded and why, and counts.
 */

interface Shape {
  key: '' | 'id' | 'id, name'
  cursor: boolean
  history: boolean
  removes: boolean
  deletes: boolean
}

const lake = ({ key, cursor, history, removes, deletes }: Shape) => `
import { bronze, check, defineLake, gold, rule, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('events', { from: files('in/*.csv') })
const events = silver('events', {
  from: raw,
  schema: z.object({ id: t.bigint(), name: z.string().max(3)${key.includes('name') ? '' : '.nullable()'}, at: t.date(), amount: t.decimal(9, 2) }),
  ${key ? `key: [${key.split(', ').map((name) => `'${name}'`)}],` : ''}
  ${key && cursor ? "cursor: 'at'," : ''}
  ${key && cursor && history ? 'history: true,' : ''}
  ${key && cursor && removes ? "onInvalidUpdate: 'remove'," : ''}
  ${key && cursor && deletes ? "deleteWhen: sql`amount = '0.00'`," : ''}
  rules: [rule('amounts are known', sql\`amount <> 13\`), rule('amounts are usual', sql\`amount < 90\`, { severity: 'warn' })],
  checks: [check.rowCount({ min: 1, severity: 'warn' })],
})
const total = gold('total', { query: sql\`select count(*) as n, sum(amount) as amount from \${events}\` })
export default defineLake({ name: 'split', datasets: [total] })
`

const row = fc.record({
  id: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 0, max: 12 }) },
    { weight: 1, arbitrary: fc.constant('x') },
  ),
  name: fc.constantFrom('', 'a', 'ß', 'long'),
  at: fc.constantFrom('2026-01-01', '2026-01-02', '2026-01-03', 'soon'),
  amount: fc.constantFrom('0.00', '1.5', '13', '95', 'much', '2.505'),
})
const shape = fc.record({
  key: fc.constantFrom('' as const, 'id' as const, 'id' as const, 'id, name' as const),
  cursor: fc.boolean(),
  history: fc.boolean(),
  removes: fc.boolean(),
  deletes: fc.boolean(),
})
/** Runs of a few files each. */
const runs = fc.array(
  fc.array(fc.array(row, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 4 }),
  { minLength: 1, maxLength: 3 },
)

const csv = (rows: readonly { id: unknown; name: string; at: string; amount: string }[]) =>
  ['id,name,at,amount', ...rows.map((r) => `${r.id},${r.name},${r.at},${r.amount}`), ''].join('\n')

/** What a run says of the silver step. */
const said = ({ steps }: RunRecord) =>
  steps
    .filter(({ dataset }) => dataset === 'silver.events')
    .map(({ outcome, error, counts, discarded, warnings, checks, stale }) => {
      return { outcome, error, counts, discarded, warnings, checks, stale }
    })

describe('steps in parts', { timeout: 600_000 }, () => {
  it('give what whole steps give', async () => {
    let split = 0
    await fc.assert(
      fc.asyncProperty(shape, runs, fc.integer({ min: 2, max: 4 }), async (how, all, most) => {
        const project = await Project.create({ 'lake.ts': lake(how) })
        const copy = join(project.folder, 'in-parts')
        const asked: StepTask[] = []
        const one: StepWorker = (resources, dataset, task) => {
          asked.push(task)
          return executeStep(resources, dataset, task)
        }
        const root = join(project.folder, 'lake')
        for (const [i, files] of all.entries()) {
          for (const [j, rows] of files.entries())
            await project.write({ [`in/${i}-${j}.csv`]: csv(rows) })
          await project.run({ select: ['bronze.events'] })
          await cp(root, copy, { recursive: true })
          const whole = await project.run()
          const parts = await project.runOn(new LocalStorage(copy), { worker: inParts(most, one) })
          expect(said(parts)).toEqual(said(whole))
          expect(await rowsOfLake(copy)).toEqual(await rowsOfLake(root))
          // What comes next meets what parts have written.
          await rm(root, { recursive: true })
          await rename(copy, root)
        }
        split += asked.filter(({ part }) => part).length
      }),
      { seed, numRuns: 8 },
    )
    expect(split).toBeGreaterThan(16)
  })
})
