import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished, vi } from 'vitest'
import type { TrinoEngine } from '../../../src/define/engines/trino.js'
import { TrinoSession } from '../../../src/engine/trino/client.js'
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
  return answering(async (request, response) => {
    let statement = ''
    for await (const chunk of request) statement += chunk
    const columns = [{ name: 'n', type: 'bigint' }]
    const answer = statements.test(statement)
      ? { error }
      : { columns, stats: { state: 'FINISHED' } }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ id: '1', ...answer }))
  })
}

async function answering(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
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
    const engine: TrinoEngine = { kind: 'engine', engine: 'trino', url, catalog: 'lake' }
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

it('takes its token nowhere that others could read it, whatever Trino says', async () => {
  const given: string[] = []
  const other = await answering((request, response) => {
    given.push(String(request.headers['x-trino-extra-credential']))
    response.end('{}')
  })
  const { signal } = new AbortController()
  const session = (url: string, allowUnencrypted?: boolean) =>
    TrinoSession.open({ url, user: 'ada', source: 'run', token: 'hush', allowUnencrypted })

  const redirecting = await answering((_, response) =>
    response.writeHead(307, { location: `${other}/v1/statement` }).end(),
  )
  await expect((await session(redirecting)).run('SELECT 1', { signal })).rejects.toThrow(
    'answered 307',
  )
  expect(given).toEqual([])

  // The client sends proxies of the environment all as it is, also what is to be encrypted.
  for (const name of ['http_proxy', 'https_proxy']) vi.stubEnv(name, other)
  onTestFinished(() => void vi.unstubAllEnvs())
  for (const url of [redirecting, redirecting.replace('http:', 'https:')])
    await expect((await session(url)).run('SELECT 1', { signal })).rejects.toThrow('Trino at')
  expect(given).toEqual([])

  // As one does behind a proxy that encrypts, and that it knows nothing of.
  const nextUri = 'http://trino.invalid:8080/v1/statement/executing/1'
  const unaware = await answering((_, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ id: '1', nextUri, stats: { state: 'QUEUED' } }))
  })
  await expect((await session(unaware)).run('SELECT 1', { signal })).rejects.toMatchObject({
    message: `Trino at ${unaware} goes on at http://trino.invalid:8080, which is unencrypted`,
    hint: expect.stringContaining('http-server.process-forwarded=true'),
  })
  // In a network that is trusted it asks there; here nobody is.
  await expect((await session(unaware, true)).run('SELECT 1', { signal })).rejects.toThrow(
    'does not answer',
  )
})
