import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { moraine, Project } from '../../support/project.js'
import { Served } from '../../support/served.js'

const CLIENTS = 1000
const TOKEN = 'token-of-many-clients'

const lake = `
import { bronze, defineLake, silver, z } from 'moraine'
import { ingest, secret } from 'moraine/sources'
const events = silver('events', {
  from: bronze('sent', { from: ingest({ token: secret('env:MORAINE_TOKEN') }) }), key: 'id',
  schema: z.object({ id: z.int() }),
})
export default defineLake({ name: 'many', datasets: [events] })
`

interface Answer {
  status: number | undefined
  text: string
  after: string | undefined
}

/** A request on a connection of its own. */
function send(url: string, body: object, key?: string): Promise<Answer> {
  const named = key === undefined ? {} : { 'idempotency-key': key }
  const headers = { authorization: `Bearer ${TOKEN}`, ...named }
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers, agent: false }, (answer) => {
      let text = ''
      answer.on('data', (chunk) => {
        text += chunk
      })
      answer.on('error', reject)
      answer.on('end', () =>
        resolve({ status: answer.statusCode, text, after: answer.headers['retry-after'] }),
      )
    })
    sent.on('error', reject)
    sent.end(JSON.stringify(body))
  })
}

/** The answer of a client that comes again when it is told to; what it was told is noted. */
async function patiently(told: Set<number | undefined>, ask: () => Promise<Answer>) {
  for (;;) {
    const answer = await ask()
    told.add(answer.status)
    if (answer.status !== 503 && answer.status !== 429) return answer
    expect(answer.text).toMatch(/try again|accepted now/i)
    await sleep(Number(answer.after) * 1000 + Math.random() * 2000)
  }
}

it(`${CLIENTS} clients at once are answered, or told to come again, and nothing of theirs is lost`, async () => {
  const project = await Project.create({ 'lake.ts': lake })
  const served = Served.start(project, ['--query'], { MORAINE_TOKEN: TOKEN })
  const { url } = await served.line(({ event }) => event === 'query')
  const told = new Set<number | undefined>()
  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, id) => {
      const row = () => send(`${url}/ingest/sent`, { id }, `key-${id}`)
      const taken = await patiently(told, row)
      expect(JSON.parse(taken.text)).toMatchObject({ rows: 1 })
      if (id % 20 > 0) return
      const answer = await patiently(told, () => send(`${url}/v1/query`, { sql: `select ${id}` }))
      expect(JSON.parse(answer.text).rows).toEqual([[id]])
    }),
  )
  for (const status of told) expect([200, 429, 503]).toContain(status)
  expect(await served.stop()).toBe(0)
  const run = await moraine(['-C', project.folder, 'run'], { MORAINE_TOKEN: TOKEN })
  expect(run.code).toBe(0)
  const rows = await project.query('select count(*) as n, max(id) as last from silver.events')
  expect(rows.map(({ n, last }) => [Number(n), Number(last)])).toEqual([[CLIENTS, CLIENTS - 1]])
})
