import { EventEmitter, once } from 'node:events'
import { Agent, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { snapshotAfter } from './metadata.js'

/*
 * Clients of a catalog, in a process of their own: takes a task as its one argument, and prints
 * what they have seen. They keep their connections, and take answers apart as little as they can.
 */

type Doing = 'commit' | 'load' | 'ask-again' | 'list'

/** What clients do, all at once and as fast as they are answered. */
export interface Task {
  /** Of the catalog, or of the floor that answers like one. */
  url: string
  token: string
  clients: number
  seconds: number
  doing: Doing | 'all'
  namespace: string
  /** The tables of each client; for a list, they are not needed. */
  tables: string[][]
  /** Tables on a page. */
  pageSize?: number
  /** Milliseconds that a client waits after each of its works. */
  pause?: number
}

/** What came of it. Times are milliseconds. */
export interface Outcome {
  /** What was answered as it should, and how often another was faster, or it was given up. */
  done: number
  refused: number
  givenUp: number
  seconds: number
  p50: number
  p99: number
  most: number
  /** Characters of one answer. */
  characters: number
}

interface Answer {
  status: number
  etag: string | undefined
  body: string
}

const task = JSON.parse(process.argv[2] as string) as Task
const times: number[] = []
const counts = { done: 0, refused: 0, givenUp: 0, characters: 0 }
let begun = performance.now()
const isOver = () => performance.now() - begun > task.seconds * 1000

let waiting = task.clients
const ready = new EventEmitter()
/** Resolves once all clients have come so far; the time counts from there. */
async function allReady(): Promise<void> {
  const all = once(ready, 'all')
  if (--waiting === 0) {
    begun = performance.now()
    ready.emit('all')
  }
  await all
}

async function pause(): Promise<void> {
  if (task.pause !== undefined) await sleep(task.pause)
}

class Client {
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 })

  async ask(method: string, path: string, body?: string, headers = {}): Promise<Answer> {
    const sent =
      body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const all = { authorization: `Bearer ${task.token}`, ...sent, ...headers }
    const url = `${task.url}/v1/namespaces/${task.namespace}/${path}`
    const send = async (): Promise<IncomingMessage> => {
      const asked = request(url, { method, agent: this.agent, headers: all })
      asked.end(body)
      try {
        const [answer] = (await once(asked, 'response')) as [IncomingMessage]
        return answer
      } catch (error) {
        // A server ends connections that are idle for long, which may be just now.
        if (asked.reusedSocket && (error as NodeJS.ErrnoException).code === 'ECONNRESET')
          return send()
        throw error
      }
    }
    const answer = await send()
    const { statusCode: status = 0, headers: told } = answer
    return { status, etag: told.etag, body: await text(answer) }
  }

  /** The same, which is answered with what is expected or ends all. */
  async get(path: string, headers = {}): Promise<Answer> {
    const answer = await this.ask('GET', path, undefined, headers)
    if (answer.status !== 200 && answer.status !== 304)
      throw new Error(`${path}: ${answer.status} ${answer.body.slice(0, 500)}`)
    return answer
  }

  /** Times something that was done. */
  async timed(act: () => Promise<Answer>): Promise<Answer> {
    const start = performance.now()
    const answer = await act()
    times.push(performance.now() - start)
    counts.done++
    counts.characters = answer.body.length
    await pause()
    return answer
  }

  close(): void {
    this.agent.destroy()
  }
}

/** What a client must know of a table to append to it. */
interface Known {
  uuid: string
  location: string
  snapshot: string
  sequence: number
}

/** By the text alone: numbers of JavaScript do not hold the ids. */
function knownIn(body: string): Known {
  const find = (pattern: RegExp) => pattern.exec(body)?.[1] ?? ''
  return {
    uuid: find(/"table-uuid": ?"([^"]+)"/),
    location: find(/"location": ?"([^"]+)"/),
    snapshot: find(/"current-snapshot-id": ?(\d+)/),
    sequence: Number(find(/"last-sequence-number": ?(\d+)/)),
  }
}

/** How often a commit is tried again, and for how long it is waited first, as Iceberg does it. */
const RETRIES = 4
const FIRST = 100

async function commits(client: Client, tables: readonly string[]): Promise<void> {
  const known = new Map<string, Known>()
  for (let i = 0; !isOver(); i++) {
    const name = tables[i % tables.length] as string
    const start = performance.now()
    for (let attempt = 0; ; attempt++) {
      const table = known.get(name) ?? knownIn((await client.get(`tables/${name}`)).body)
      const sequence = table.sequence + 1
      const next = snapshotAfter(table.location, sequence, table.snapshot, Date.now())
      const answer = await client.ask('POST', `tables/${name}`, commitBody(table, next))
      if (answer.status === 200) {
        known.set(name, { ...table, snapshot: next.id, sequence })
        times.push(performance.now() - start)
        counts.done++
        counts.characters = answer.body.length
        await pause()
        break
      }
      if (answer.status !== 409) throw new Error(`${answer.status} ${answer.body.slice(0, 500)}`)
      counts.refused++
      known.delete(name)
      if (attempt === RETRIES) {
        counts.givenUp++
        break
      }
      await sleep(FIRST * 2 ** attempt * (1 + Math.random() * 0.1))
    }
  }
}

const commitBody = ({ uuid, snapshot }: Known, next: { id: string; text: string }) =>
  `{"requirements":[{"type":"assert-table-uuid","uuid":"${uuid}"},{"type":"assert-ref-snapshot-id","ref":"main","snapshot-id":${snapshot}}],"updates":[{"action":"add-snapshot","snapshot":${next.text}},{"action":"set-snapshot-ref","ref-name":"main","type":"branch","snapshot-id":${next.id}}]}`

async function loads(client: Client, tables: readonly string[]): Promise<void> {
  for (let i = 0; !isOver(); i++)
    await client.timed(() => client.get(`tables/${tables[i % tables.length]}`))
}

/** Asks whether tables are still as they were. */
async function asksAgain(client: Client, tables: readonly string[]): Promise<void> {
  const etags = new Map<string, string>()
  for (const name of tables) etags.set(name, (await client.get(`tables/${name}`)).etag ?? '')
  await allReady()
  for (let i = 0; !isOver(); i++) {
    const name = tables[i % tables.length] as string
    const headers = { 'if-none-match': etags.get(name) }
    await client.timed(() => client.get(`tables/${name}`, headers))
  }
}

/** All pages of a list, again and again. */
async function lists(client: Client): Promise<void> {
  let next = ''
  while (!isOver()) {
    const path = `tables?pageSize=${task.pageSize}&pageToken=${next}`
    const { body } = await client.timed(() => client.get(path))
    next = /"next-page-token":"([^"]+)"/.exec(body)?.[1] ?? ''
  }
}

/** What clients do by turns where they do all: none waits for others to be ready. */
const ALL: readonly Doing[] = ['commit', 'load', 'commit', 'list']

async function one(i: number): Promise<void> {
  const client = new Client()
  const tables = task.tables[i] ?? []
  const doing = task.doing === 'all' ? ALL[i % ALL.length] : task.doing
  if (doing === 'commit') await commits(client, tables)
  else if (doing === 'list') await lists(client)
  else if (doing === 'load') await loads(client, tables)
  else await asksAgain(client, tables)
  client.close()
}

await Promise.all(Array.from({ length: task.clients }, (_, i) => one(i)))
times.sort((a, b) => a - b)
const at = (share: number) => times[Math.floor(times.length * share)] ?? 0
const outcome: Outcome = {
  ...counts,
  seconds: (performance.now() - begun) / 1000,
  p50: at(0.5),
  p99: at(0.99),
  most: times.at(-1) ?? 0,
}
console.log(JSON.stringify(outcome))
