import { expect, it } from 'vitest'
import { Project } from '../../support/project.js'

const lake = (name: string, history = false) => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv', { columns: ['id', 'v', 'status'], header: true }) })
const orders = silver('orders', {
  from: raw, select: { ${name}: 'status' },
  schema: z.object({ id: t.int(), v: t.int(), ${name}: z.string() }),
  key: 'id', cursor: 'v', ${history ? 'history: true,' : ''}
})
export default defineLake({ name: 'shop', datasets: [orders] })
`

const csv = (...rows: string[]) => ['id,v,status', ...rows, ''].join('\n')

it.each([false, true])(
  'a column gets another name while new rows come (with history: %s)',
  async (history) => {
    const project = await Project.create({
      'lake.ts': lake('status', history),
      'in/1.csv': csv('1,1,new', '2,1,new', '3,1,new'),
    })
    await project.run()
    await project.write({ 'lake.ts': lake('state', history) })
    expect((await project.run({ allowBreaking: true })).steps.map(({ error }) => error)).toEqual([
      undefined,
      undefined,
    ])
    await project.write({
      'lake.ts': lake('phase', history),
      'in/2.csv': csv('1,2,paid', '4,1,new'),
    })
    const record = await project.run({ allowBreaking: true })
    expect(record.steps.map(({ error }) => error)).toEqual([undefined, undefined])
    const rows = () => project.query('SELECT id, v, phase FROM silver.orders ORDER BY id')
    const expected = [
      { id: 1, v: 2, phase: 'paid' },
      { id: 2, v: 1, phase: 'new' },
      { id: 3, v: 1, phase: 'new' },
      { id: 4, v: 1, phase: 'new' },
    ]
    expect(await rows()).toEqual(expected)
    if (!history) return
    const versions = () =>
      project.query(
        'SELECT id, phase, valid_from, valid_to FROM history.orders ORDER BY id, valid_from',
      )
    const found = await versions()
    expect(found).toEqual([
      { id: 1, phase: 'new', valid_from: 1, valid_to: 2 },
      { id: 1, phase: 'paid', valid_from: 2, valid_to: null },
      { id: 2, phase: 'new', valid_from: 1, valid_to: null },
      { id: 3, phase: 'new', valid_from: 1, valid_to: null },
      { id: 4, phase: 'new', valid_from: 1, valid_to: null },
    ])
    await project.run({ full: true })
    expect(await versions()).toEqual(found)
    expect(await rows()).toEqual(expected)
  },
)

it.each([false, true])(
  'a column is added while new rows come (with history: %s)',
  async (history) => {
    const more = (definition: string) =>
      definition.replace('v: t.int(),', 'v: t.bigint(), note: z.string().optional(),')
    const project = await Project.create({
      'lake.ts': lake('status', history),
      'in/1.csv': csv('1,1,new', '2,1,new', '3,1,new'),
    })
    await project.run()
    await project.write({
      'lake.ts': more(lake('status', history)),
      'in/2.csv': csv('1,2,paid', '4,1,new'),
    })
    const record = await project.run()
    expect(record.steps.map(({ error }) => error)).toEqual([undefined, undefined])
    expect(
      await project.query('SELECT id, v, note, status FROM silver.orders ORDER BY id'),
    ).toEqual([
      { id: 1, v: 2n, note: null, status: 'paid' },
      { id: 2, v: 1n, note: null, status: 'new' },
      { id: 3, v: 1n, note: null, status: 'new' },
      { id: 4, v: 1n, note: null, status: 'new' },
    ])
    if (history)
      expect(
        await project.query('SELECT count(*) AS n, count(valid_to) AS ended FROM history.orders'),
      ).toEqual([{ n: 5n, ended: 1n }])
  },
)
