import { expect, it } from 'vitest'
import type { DuckDBSession } from '../../../src/engine/duckdb/session.js'
import type { Engine } from '../../../src/engine/engine.js'
import { executeStep } from '../../../src/run/execute-step.js'
import type { StepWorker } from '../../../src/step/context.js'
import { Project, step } from '../../support/project.js'

/** An engine in which a query that has a text meets a mistake of the engine's own. */
const failingAt = (engine: Engine, text: string): Engine => {
  const open = async () => {
    const session = (await engine.open()) as DuckDBSession
    const { connection } = (session as never as { statements: { connection: object } }).statements
    for (const name of ['run', 'stream', 'runAndReadAll']) {
      const call = Reflect.get(connection, name)
      Object.assign(connection, {
        [name]: (sql: string, ...rest: unknown[]) =>
          sql.includes(text)
            ? Promise.reject(new Error('INTERNAL Error: Attempted to access index 7'))
            : call.call(connection, sql, ...rest),
      })
    }
    return session
  }
  return new Proxy(engine, {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      return name === 'open' ? open : typeof value === 'function' ? value.bind(target) : value
    },
  })
}

it('a query that ends the engine fails alone: others that read what it read are built', async () => {
  const project = await Project.create({
    'lake.ts': `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const sales = silver('sales', { from: bronze('sales', { from: files('*.csv') }), schema: z.object({ id: t.int() }) })
const last = gold('last', { query: sql\`select max(id) as n from \${sales}\` })
const first = gold('first', { query: sql\`select min(id) as n from \${sales} -- a mistake\` })
export default defineLake({ name: 'shop', datasets: [first, last] })
`,
    'sales.csv': 'id\n1\n2\n',
  })
  let tell = () => {}
  const failed = new Promise<void>((resolve) => {
    tell = resolve
  })
  const worker: StepWorker = async (resources, dataset, task) => {
    if (dataset.name === 'last') await failed
    const engine =
      dataset.name === 'first' ? failingAt(resources.engine, 'min(id)') : resources.engine
    return executeStep({ ...resources, engine }, dataset, task).finally(
      dataset.name === 'first' ? tell : () => {},
    )
  }
  const record = await project.run({ worker })
  expect(step(record, 'gold.first').error?.message).toContain('INTERNAL Error')
  expect(step(record, 'gold.last').error).toBeUndefined()
  expect(await project.query('from gold.last')).toEqual([{ n: 2 }])
})
