import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Contender, Measure } from './main.js'
import { measure, used } from './measure.js'
import { benchFolder, repository } from './tickit.js'

const ROWS = 600_000
const BATCH = 500
const CLIENTS = 8
/** Rows a second, where they come steadily. */
const STEADY = 20_000

const lake = `
import { bronze, defineLake } from 'moraine'
import { ingest } from 'moraine/sources'
export default defineLake({ name: 'events', datasets: [bronze('events', { from: ingest() })] })
`

const bodyOf = (from: number) =>
  Array.from({ length: BATCH }, (_, i) =>
    JSON.stringify({
      id: from + i,
      user: (from + i) % 1000,
      page: '/products/42',
      at: '2026-01-05T10:00:00Z',
      ms: i,
    }),
  ).join('\n')

/**
 * 600,000 rows in requests of 500, from eight clients, to `moraine serve` until all are
 * acknowledged, beside writing the same requests to a file with a sync for each. What the clients
 * wait for is told on the error stream.
 *
 * @param pace `steady`: 20,000 rows a second for ten minutes (at scale 1), with the memory at the
 *   end of each of them.
 */
export async function ingestion(scale: number, pace?: string): Promise<[Contender, Contender]> {
  const steady = pace === 'steady'
  const folder = await benchFolder()
  await writeFile(join(folder, 'lake.ts'), lake)
  const rows = steady ? STEADY * 600 : ROWS
  const requests = Math.round((rows * scale) / BATCH)
  const script = `
    import { openSync, writeSync, fsyncSync } from 'node:fs'
    const file = openSync(${JSON.stringify(join(folder, 'floor'))}, 'w')
    const body = ${JSON.stringify(bodyOf(0))}
    for (let i = 0; i < ${requests}; i++) { writeSync(file, body); fsyncSync(file) }`
  return [
    {
      name: 'moraine serve',
      run: async () => {
        await rm(join(folder, 'lake'), { recursive: true, force: true })
        return send(folder, requests, steady ? STEADY / BATCH : undefined)
      },
    },
    {
      name: 'a file, synced each time',
      run: () => measure(process.execPath, ['--input-type=module', '-e', script], {}),
    },
  ]
}

/** @param rate requests a second; as many as there can be without it. */
async function send(folder: string, requests: number, rate?: number): Promise<Measure> {
  const args = [join(repository, 'bin/moraine.js'), '-C', folder, 'serve', '--port', '0']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const url = await listening(child)
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS })
  const waits: number[] = []
  let next = 0
  const start = performance.now()
  const client = async () => {
    while (next < requests) {
      const number = next++
      const body = bodyOf(number * BATCH)
      const early = rate === undefined ? 0 : start + (number * 1000) / rate - performance.now()
      if (early > 0) await sleep(early)
      const sent = performance.now()
      await post(`${url}/ingest/events`, body, agent)
      waits.push(performance.now() - sent)
    }
  }
  const memory: number[] = []
  const watch = setInterval(() => memory.push(resident(child)), 60_000)
  await Promise.all(Array.from({ length: CLIENTS }, client))
  clearInterval(watch)
  const seconds = (performance.now() - start) / 1000
  const { peak, cpu } = used(child)
  agent.destroy()
  const gone = new Promise((done) => child.once('exit', done))
  child.kill('SIGTERM')
  await gone
  waits.sort((a, b) => a - b)
  const at = (share: number) => (waits[Math.floor(waits.length * share)] ?? 0).toFixed(0)
  console.error(
    `${Math.round((requests * BATCH) / seconds)} rows/s; answers after ${at(0.5)} ms (median), ${at(0.99)} ms (99 %)`,
  )
  if (rate !== undefined) console.error(`MiB by the minute: ${memory.join(', ')}`)
  return { seconds, cpu, mebibytes: peak / 1024 }
}

/** MiB that a process has in memory now (Linux). */
function resident({ pid }: ChildProcess): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
}

function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    child.stdout?.on('data', (chunk) => {
      text += chunk
      const found = /"url":"([^"]+)"/.exec(text)?.[1]
      if (found) resolve(found)
    })
  })
}

function post(url: string, body: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent }, (answer) => {
      answer.resume()
      answer.on('end', () =>
        answer.statusCode === 200 ? resolve() : reject(new Error(`${answer.statusCode}`)),
      )
    })
    sent.on('error', reject)
    sent.end(body)
  })
}
