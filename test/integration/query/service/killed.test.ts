import { request } from 'node:http'
import { expect, it } from 'vitest'
import type { PastQuery } from '../../../../src/query/system/past-queries.js'
import { moraine, Project } from '../../../support/project.js'
import { Served } from '../../../support/served.js'

const TOKEN = 'token-of-the-killed-server'

/** A lake whose queries may read so many bytes in a day. */
const definition = (bytes: number) => `
import { bronze, defineLake, silver, t, workgroup, z } from 'moraine'
import { files } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }), key: 'id',
  schema: z.object({ id: z.int(), note: z.string() }),
})
export default defineLake({
  name: 'killed', datasets: [orders], workgroups: [workgroup('day', { maxScanPerDay: '${bytes}B' })],
})
`

/** A server of the lake, and what it is asked. */
async function serve(project: Project) {
  const served = Served.start(project, ['--query'], { MORAINE_TOKEN: TOKEN })
  const { url } = await served.line(({ event }) => event === 'query')
  const headers = { authorization: `Bearer ${TOKEN}` }
  const ask = async (sql: string) => {
    const body = JSON.stringify({ sql })
    const answer = await fetch(`${url}/v1/query`, { method: 'POST', headers, body })
    return { status: answer.status, body: (await answer.json()) as any }
  }
  /** Begins a query, and does not read it to its end. */
  const begin = (sql: string) =>
    new Promise<void>((resolve, reject) => {
      const accept = { ...headers, accept: 'application/x-ndjson' }
      const sent = request(`${url}/v1/query`, { method: 'POST', headers: accept }, (answer) => {
        answer.on('error', () => {})
        answer.once('readable', () => resolve())
      })
      sent.on('error', reject)
      sent.end(JSON.stringify({ sql }))
    })
  const history = async () => {
    const answer = await fetch(`${url}/v1/history`, { headers })
    return ((await answer.json()) as { queries: PastQuery[] }).queries
  }
  const kill = async () => {
    served.child.kill('SIGKILL')
    await served.ended
  }
  return { ask, begin, history, kill, stop: () => served.stop() }
}

it('what ran when a server was killed counts for the day, once, and is in the history', async () => {
  const lines = Array.from({ length: 500 }, (_, i) => `${i},note ${i}`)
  const project = await Project.create({
    'in/orders.csv': `id,note\n${lines.join('\n')}\n`,
    'lake.ts': definition(10 ** 9),
  })
  expect((await moraine(['-C', project.folder, 'run'])).code).toBe(0)
  const measuring = await serve(project)
  const all = 'select max(note) from silver.orders'
  const { bytesEstimated: bytes } = (await measuring.ask(all)).body.statistics
  await measuring.stop()
  // That one, one that will run when its server is killed, and one that will just have ended.
  await project.write({ 'lake.ts': definition(bytes * 4 - 1) })

  const first = await serve(project)
  await first.ask('select max(note) as ended from silver.orders')
  const endless = 'select note as killed from silver.orders, range(1000000000)'
  await first.begin(endless)
  await first.kill()

  const second = await serve(project)
  const refused = await second.ask('select min(note) from silver.orders')
  expect([refused.status, refused.body.error.message]).toEqual([
    422,
    expect.stringContaining('are allowed in a day'),
  ])
  const left = (queries: PastQuery[]) =>
    queries.filter(({ sql }) => /ended|killed/.test(sql)).map(({ sql, counted }) => [sql, counted])
  const told = await second.history()
  expect(left(told)).toContainEqual([endless, bytes])
  expect(left(told)).toHaveLength(2)
  expect(told.find(({ sql }) => sql === endless)?.error).toEqual({
    kind: 'query',
    message: 'The server was killed before the query was recorded as done',
  })
  await second.stop()

  // The next one finds it in the history, and nothing twice.
  const third = await serve(project)
  expect(left(await third.history())).toEqual(left(told))
  expect((await third.ask('select min(note) as once_more from silver.orders')).status).toBe(422)
  await third.stop()
})
