import { readFileSync } from 'node:fs'
import { salesLake, serveSales, TOKEN } from './served-sales.js'

const headers = { authorization: `Bearer ${TOKEN}` }

/** Asks over HTTP; the answer may be read. */
async function ask(url: string, sql: string, accept = 'application/json'): Promise<Response> {
  const body = JSON.stringify({ sql })
  const sent = { method: 'POST', headers: { ...headers, accept }, body }
  const answer = await fetch(`${url}/v1/query`, sent)
  if (!answer.ok) throw new Error(await answer.text())
  return answer
}

/**
 * How long it takes from the start of `moraine serve --query` until it listens, and until it has
 * answered its first query.
 *
 * @param scale times 100,000 rows.
 * @param pairs servers that are started, one after the other.
 */
export async function firstQuery(scale: number, pairs: number): Promise<string> {
  const project = await salesLake(scale * 100_000)
  const times: { listens: number; answers: number }[] = []
  for (let i = 0; i < pairs; i++) {
    const began = performance.now()
    const { url, stop } = await serveSales(project)
    const listens = performance.now() - began
    await (await ask(url, 'SELECT sum(amount) AS amount FROM silver.sales')).text()
    times.push({ listens, answers: performance.now() - began })
    await stop()
  }
  const middle = (numbers: number[]) =>
    (numbers.sort((a, b) => a - b)[Math.floor(pairs / 2)] as number).toFixed(0)
  const [listens, answers] = [
    middle(times.map((one) => one.listens)),
    middle(times.map((one) => one.answers)),
  ]
  return `serve --query listens after ${listens} ms, and has answered after ${answers} ms (median of ${pairs} starts)`
}

/** Bytes of a row of what is streamed: two numbers of 8 bytes, and a text of 80 with its place. */
const ROW = 8 + 8 + 80 + 4

/**
 * A result as Arrow's stream over HTTP, which is thrown away as it arrives: bytes a second, and
 * what the server held of it.
 *
 * @param scale times 1 GB.
 * @param pairs how often.
 */
export async function arrowStream(scale: number, pairs: number): Promise<string> {
  const project = await salesLake(1000)
  const { url, child, stop } = await serveSales(project)
  const rows = Math.round((scale * 1e9) / ROW)
  const sql = `SELECT range AS id, range / 7 AS part, lpad(range::VARCHAR, 80, 'x') AS text FROM range(${rows})`
  const lines: string[] = []
  try {
    await (await ask(url, 'SELECT 1 AS x')).text()
    for (let i = 0; i < pairs; i++) {
      const before = resident(child.pid)
      let [bytes, peak] = [0, 0]
      const began = performance.now()
      const answer = await ask(url, sql, 'application/vnd.apache.arrow.stream')
      for await (const part of answer.body as unknown as AsyncIterable<Uint8Array>) {
        // Each 10 MB or so: to look takes time, too.
        if (Math.floor(bytes / 1e7) !== Math.floor((bytes + part.length) / 1e7))
          peak = Math.max(peak, resident(child.pid))
        bytes += part.length
      }
      const seconds = (performance.now() - began) / 1000
      const rate = bytes / 1e6 / seconds
      lines.push(
        `${(bytes / 1e9).toFixed(2)} GB in ${seconds.toFixed(1)} s: ${rate.toFixed(0)} MB/s; the server had ${before} MiB before, and at most ${peak} MiB`,
      )
    }
    return lines.join('\n')
  } finally {
    await stop()
  }
}

/** MiB that a process has in memory (Linux). */
function resident(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024)
}
