import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import type { TrinoEngine } from '../../../src/define/engines/trino.js'
import { type Room, TrinoSteps } from '../../../src/load/trino/trino-steps.js'
import { Project, step } from '../../support/project.js'

/*
 * Whose fault it is when Trino refuses a statement: its author's, who is led to the SQL that they
 * wrote for it, or nobody's in the lake.
 */

const lake = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.bigint() }),
})
export default defineLake({ name: 'shop', datasets: [
  gold('own', {
    query: sql\`select count(*) as n from \${orders}\`,
    dialects: [
      sql.for('trino')\`select count(*) as n from \${orders}\`,
    ],
  }),
] })
`

const refusals = {
  wrong: {
    message: "line 1:8: Column 'n' cannot be resolved",
    errorName: 'COLUMN_NOT_FOUND',
    errorType: 'USER_ERROR',
  },
  full: {
    message: 'Too many queued queries',
    errorName: 'QUERY_QUEUE_FULL',
    errorType: 'INSUFFICIENT_RESOURCES',
  },
  divided: { message: 'Division by zero', errorName: 'DIVISION_BY_ZERO', errorType: 'USER_ERROR' },
}

/** A server with Trino's protocol, which refuses statements that match. */
async function refusing(statements: RegExp, error: (typeof refusals)['wrong']) {
  const server = createServer(async (request, response) => {
    let statement = ''
    for await (const chunk of request) statement += chunk
    const columns = [{ name: 'n', type: 'bigint' }]
    const answer = statements.test(statement)
      ? { error }
      : { columns, stats: { state: 'FINISHED' } }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ id: '1', ...answer }))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

it('leads to the SQL that Trino refuses, and to none where it is not the SQL', async () => {
  const project = await Project.create({ 'lake.ts': lake, 'in/1.csv': 'id\n1\n' })
  const room: Room = {
    branch: 'run',
    token: async () => 'a token',
    show: async () => {},
    tables: async () => ({}),
    close: async () => {},
  }
  const errorOf = async (statements: RegExp, error: (typeof refusals)['wrong']) => {
    const url = await refusing(statements, error)
    const place = {
      kind: 'engine',
      engine: 'trino',
      url,
      catalog: 'lake',
      user: undefined,
    } as const
    const engine: TrinoEngine = { ...place, password: undefined, as: undefined }
    const trino = new TrinoSteps(async () => room).of(engine)
    const run = await project.run({
      worker: async (resources, dataset, task) => await trino(resources, dataset, task),
    })
    const { kind, message, hint, place: at } = step(run, 'gold.own').error ?? {}
    return { kind, message, hint, line: at?.line }
  }
  const OWN = 12
  expect(await errorOf(/LIMIT 0/, refusals.wrong)).toEqual({
    kind: 'definition',
    message: "gold.own: Trino: line 1:8: Column 'n' cannot be resolved (COLUMN_NOT_FOUND)",
    hint: "Change the SQL of sql.for('trino')`…`.",
    line: OWN,
  })
  expect(await errorOf(/LIMIT 0/, refusals.full)).toMatchObject({
    kind: 'engine',
    message: 'Trino: Too many queued queries (QUERY_QUEUE_FULL)',
    hint: undefined,
  })
  expect(await errorOf(/INSERT/, refusals.divided)).toMatchObject({
    message: 'Trino: Division by zero (DIVISION_BY_ZERO)',
    line: OWN,
  })
})
