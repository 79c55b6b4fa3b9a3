import { type ClientRequest, request } from 'node:http'
import { expect, it, onTestFinished } from 'vitest'
import { Project } from '../../support/project.js'
import { Served } from '../../support/served.js'

const lake = `
import { bronze, defineLake } from 'moraine'
import { ingest } from 'moraine/sources'
export default defineLake({ name: 'events', datasets: [bronze('events', { from: ingest() })] })
`
const MIB = 2 ** 20

/** A request that announces 5 MiB, sends all but the end of them, and waits. */
function hold(url: string): { sent: ClientRequest; status: Promise<[number, number]> } {
  const sent = request(`${url}/ingest/events`, {
    method: 'POST',
    headers: { 'content-length': 5 * MIB },
  })
  const status = new Promise<[number, number]>((resolve) => {
    sent.on('response', (answer) => {
      answer.resume()
      resolve([answer.statusCode ?? 0, Number(answer.headers['retry-after'])])
    })
    sent.on('error', () => resolve([0, 0]))
  })
  sent.write(Buffer.alloc(5 * MIB - 10, 32))
  onTestFinished(() => void sent.destroy())
  return { sent, status }
}

it('requests that are held take no more memory than they may, and others are asked to come again', async () => {
  const project = await Project.create({ 'lake.ts': lake })
  const served = Served.start(project, ['--buffer', '32'])
  const url = String((await served.line(({ event }) => event === 'listening')).url)
  const metric = async (name: string) => {
    const text = await (await fetch(`${url}/metrics`)).text()
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]) / MIB
  }
  const before = await metric('process_resident_memory_bytes')
  const held = Array.from({ length: 100 }, () => hold(url))
  const answers: [number, number][] = []
  for (const { status } of held) void status.then((answer) => answers.push(answer))
  // 32 MiB are room for six of them; all others are answered although they are not done.
  await expect.poll(() => answers.length).toBeGreaterThan(90)
  // One that goes on sending may find its connection closed before it reads why.
  for (const [status, retry] of answers) if (status !== 0) expect([status, retry]).toEqual([503, 1])
  expect(answers.filter(([status]) => status === 503).length).toBeGreaterThan(10)
  await expect.poll(() => metric('moraine_ingest_held_bytes')).toBeGreaterThan(20)
  expect(await metric('moraine_ingest_held_bytes')).toBeLessThanOrEqual(32)
  const after = await metric('process_resident_memory_bytes')
  // Twice what may be held, and what the sockets buffer.
  expect(after - before).toBeLessThan(160)
  // Whoever goes away leaves room for others.
  for (const { sent } of held) sent.destroy()
  await expect.poll(() => metric('moraine_ingest_held_bytes')).toBe(0)
  const answer = await fetch(`${url}/ingest/events`, { method: 'POST', body: '{"id":1}' })
  expect(answer.status).toBe(200)
  expect(await served.stop()).toBe(0)
  expect(await project.query('SELECT id FROM bronze.events')).toEqual([{ id: '1' }])
})
