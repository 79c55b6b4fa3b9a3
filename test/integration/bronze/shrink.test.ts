import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Held } from '../../../src/bronze/held.js'
import { isShrunk } from '../../../src/bronze/shrink.js'
import { api } from '../../support/api.js'
import { Project, step } from '../../support/project.js'
import { seed } from '../../support/seed.js'

const rowsOf = (n: number) => Array.from({ length: n }, (_, id) => ({ id }))

/** A lake of an API that gives as many rows as it is told, and of a file beside it. */
async function shrinking(options = '{}') {
  const there = { rows: 2350 }
  const { url } = await api(() => rowsOf(there.rows))
  const project = await Project.create({
    'other.csv': 'id\n1\n',
    'lake.ts': `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files, http } from 'moraine/sources'
const schema = z.object({ id: t.int() })
const rows = silver('rows', { from: bronze('rows', { from: http('${url}', ${options}) }), schema, key: 'id' })
const other = silver('other', { from: bronze('other', { from: files('other.csv') }), schema, key: 'id' })
const both = gold('both', { query: sql\`select (select count(*) from \${rows}) as rows, (select count(*) from \${other}) as others\` })
export default defineLake({ name: 'api', datasets: [rows, other, both] })
`,
  })
  const counts = async () => (await project.query('SELECT * FROM gold.both'))[0]
  return { project, there, counts }
}

describe('a full extract that has far fewer rows than the one before', () => {
  it('is held back: what was there stays, the rest of the run goes on, and a command takes it', async () => {
    const { project, there, counts } = await shrinking()
    await project.run()
    expect(await counts()).toEqual({ rows: 2350n, others: 1n })
    there.rows = 100
    await project.write({ 'other.csv': 'id\n1\n2\n' })
    const record = await project.run()
    expect(record.outcome).toBe('failed')
    expect(step(record, 'bronze.rows')).toMatchObject({
      outcome: 'held',
      reason: 'held back: 100 rows instead of 2,350',
      held: { rows: 100, before: 2350 },
      error: {
        kind: 'held',
        hint: expect.stringContaining('moraine run --accept-shrink bronze.rows'),
      },
    })
    expect(step(record, 'gold.both').outcome).toBe('done')
    expect(await counts()).toEqual({ rows: 2350n, others: 2n })
    // It is told each time, and noted once.
    const before = (await project.state()).number
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('held')
    expect((await project.state()).number).toBe(before)
    const accepted = await project.run({ acceptShrink: ['rows'] })
    expect(accepted.outcome).toBe('done')
    expect(await counts()).toEqual({ rows: 100n, others: 2n })
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
  })

  it('that is well again the next time is taken as if nothing had been, be it as before or not', async () => {
    const { project, there, counts } = await shrinking()
    await project.run()
    for (const well of [2350, 2351]) {
      there.rows = 3
      await project.run()
      expect(heldIn(await project.state())).toMatchObject({
        rows: 3,
        before: well === 2350 ? 2350 : 2350,
      })
      there.rows = well
      expect((await project.run()).outcome).toBe('done')
      expect(heldIn(await project.state())).toBeUndefined()
    }
    expect(await counts()).toEqual({ rows: 2351n, others: 1n })
  })

  it('and shrinks again before it is accepted is held back still: that is not what was accepted', async () => {
    const { project, there } = await shrinking()
    await project.run()
    there.rows = 1000
    await project.run()
    there.rows = 0
    const record = await project.run({ acceptShrink: ['bronze.rows'] })
    expect(step(record, 'bronze.rows').held).toEqual({ rows: 0, before: 2350 })
    expect((await project.run({ acceptShrink: ['bronze.rows'] })).outcome).toBe('done')
  })

  it('passes where its source says how much may go, and is held back where it says how little', async () => {
    const loose = await shrinking('{ maxShrink: 1 }')
    await loose.project.run()
    loose.there.rows = 0
    expect((await loose.project.run()).outcome).toBe('done')
    const strict = await shrinking('{ maxShrink: 0 }')
    await strict.project.run()
    strict.there.rows = 2330
    expect(step(await strict.project.run(), 'bronze.rows').outcome).toBe('held')
    strict.there.rows = 2331
    expect((await strict.project.run()).outcome).toBe('done')
  })

  it('is told by run and status on the command line, with the counts and the command', async () => {
    const { project, there } = await shrinking()
    await project.run()
    there.rows = 100
    const run = await project.cli('run')
    expect(run.code).toBe(1)
    expect(run.stdout).toContain('! bronze.rows   held back: 100 rows instead of 2,350')
    expect(run.stdout).toContain('→ If this is expected: moraine run --accept-shrink bronze.rows')
    expect(run.stdout).toContain('Held back: bronze.rows.')
    const status = await project.cli('status')
    expect(status.stdout).toContain('held back: 100 rows instead of 2,350')
    const [bronze] = JSON.parse((await project.cli('status', '--json')).stdout).datasets
    expect(bronze.held).toMatchObject({ rows: 100, before: 2350 })
    const wrong = await project.cli('run', '--accept-shrink', 'bronze.row')
    expect(wrong.code).toBe(2)
    expect(wrong.stderr).toContain("Did you mean 'bronze.rows'?")
    const accepted = await project.cli('run', '--accept-shrink', 'bronze.rows')
    expect(accepted.code).toBe(0)
    expect((await project.cli('status')).stdout).not.toContain('held back')
  })

  it('is never one whose table is small, nor one that grows, whatever the numbers', () => {
    const share = fc.double({ min: 0, max: 1, noNaN: true })
    fc.assert(
      fc.property(fc.nat(5000), fc.nat(5000), share, (rows, before, maxShrink) => {
        const held = isShrunk(rows, before, maxShrink)
        if (before - rows < 20 || maxShrink === 1) expect(held).toBe(false)
        else
          expect(held).toBe(
            rows < before * (1 - maxShrink) - 1e-9 || before - rows > before * maxShrink,
          )
      }),
      { seed },
    )
  })
})

function heldIn(state: { watermarks: Readonly<Record<string, unknown>> }): Held | undefined {
  return (state.watermarks['bronze.rows'] as { held?: Held }).held
}
