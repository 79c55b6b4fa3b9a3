import { describe, expect, it } from 'vitest'
import type { RunEvent } from '../../../src/step/events.js'
import { api } from '../../support/api.js'
import { Project, step } from '../../support/project.js'

/*
 * Silver of a source that was read is built while another source still is, where workers carry its
 * steps out.
 */

/** The columns are known before a row is read, unless the definition leaves that open. */
const lake = (url: string, select = '') => `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files, http } from 'moraine/sources'
const quick = silver('quick', {
  from: bronze('quick', { from: files('quick/*.csv') }),
  schema: z.object({ id: t.int() }), key: 'id',
})
const slow = silver('slow', {
  from: bronze('slow', { from: http('${url}', { paging: { page: 'p' } }) }),
  schema: z.object({ id: t.int() }), key: 'id', ${select}
})
const both = gold('both', { query: sql\`select id, 'quick' as side from \${quick} union all select id, 'slow' from \${slow}\` })
export default defineLake({ name: 'two', datasets: [both] })
`

/** A lake with a source that gives its second page when it is told to. */
async function lakeOfTwo(select = '') {
  let open = () => {}
  const told = new Promise<void>((resolve) => {
    open = resolve
  })
  const { url } = await api(async (_, asked) => {
    const page = Number(asked.searchParams.get('p'))
    if (page === 2) await told
    return page < 3 ? [{ id: page }] : []
  })
  const project = await Project.create({
    'lake.ts': lake(url, select),
    'quick/1.csv': 'id\n1\n2\nbad\n',
  })
  return { project, open }
}

const both = (project: Project) => project.query('from gold.both order by side, id')
const rows = (...ids: number[]) => [
  ...ids.map((id) => ({ id, side: 'quick' })),
  { id: 1, side: 'slow' },
  { id: 2, side: 'slow' },
]
const ended = (event: RunEvent, name: string) =>
  event.type === 'step-finished' && event.result.dataset === name

describe('silver, while another source is still being read', () => {
  it('is built, and published with everything else in one commit', async () => {
    const { project, open } = await lakeOfTwo()
    const names: string[] = []
    const record = await project.run({
      elsewhere: () => true,
      onEvent: (event) => {
        if (event.type === 'step-finished') names.push(event.result.dataset)
        // Without it, the source would wait for ever.
        if (ended(event, 'silver.quick')) open()
      },
    })
    expect(record.steps.flatMap(({ error }) => error ?? [])).toEqual([])
    expect(names.indexOf('silver.quick')).toBeLessThan(names.indexOf('bronze.slow'))
    expect(await both(project)).toEqual(rows(1, 2))
    // Two batches, and one commit of all tables.
    expect((await project.state()).number).toBe(3)
    const { 'silver.quick': quick } = (await project.state()).tables
    expect(quick?.counts).toEqual({ in: 3, kept: 2, discarded: 1, superseded: 0 })
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    // Nothing is left to be done.
    const again = await project.run({ elsewhere: () => true })
    expect(step(again, 'silver.quick').outcome).toBe('unchanged')
  })

  it('is not published over what another run has published meanwhile', async () => {
    const { project, open } = await lakeOfTwo()
    let other: Promise<unknown> | undefined
    const record = await project.run({
      elsewhere: () => true,
      onEvent: (event) => {
        if (!ended(event, 'silver.quick')) return
        other ??= project
          .write({ 'quick/2.csv': 'id\n3\n' })
          .then(() => project.run({ select: ['bronze.quick', 'silver.quick'] }))
          .finally(open)
      },
    })
    expect(await other).toMatchObject({ outcome: 'done' })
    expect(record.error).toMatchObject({ kind: 'conflict' })
    expect(await project.query('from silver.quick select id order by id')).toEqual(
      [1, 2, 3].map((id) => ({ id })),
    )
    expect((await project.run({ elsewhere: () => true })).outcome).toBe('done')
    expect(await both(project)).toEqual(rows(1, 2, 3))
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('waits where SQL may be found to be wrong once the source has shown its columns', async () => {
    const { project, open } = await lakeOfTwo('select: { id: sql`number` },')
    const names: string[] = []
    const { error } = await project.run({
      elsewhere: () => true,
      onEvent: (event) => {
        if (event.type === 'step-started') names.push(event.dataset)
        if (ended(event, 'bronze.quick')) open()
      },
    })
    expect(error?.problems?.[0]?.message).toContain('number')
    expect(names.filter((name) => name.startsWith('silver.'))).toEqual([])
    expect(Object.keys((await project.state()).tables)).toEqual([])
  })
})
