import { DuckDB } from '../../../src/engine/duckdb/duckdb.js'
import type { Session } from '../../../src/engine/engine.js'
import type { Project } from '../../support/project.js'
import { type Catalogs, TOKEN } from './catalogs.js'
import { duckdbHand, PyicebergHand, sparkHands, trinoHands } from './hands.js'
import { Client, CREATE, HttpHand } from './http.js'
import { type Hand, SHARED, Writer } from './writer.js'

/** How many writers of each kind there are. */
export interface Fleet {
  http: number
  pyiceberg: number
  duckdb: number
  spark: number
  trino: number
}

/** Where writers work. */
interface Place {
  project: Project
  catalogs: Catalogs
  /** Numbers from 0 to 1, another row of them for each name. */
  chanceOf: (name: string) => () => number
}

const clientOf = (catalogs: Catalogs, name: string) => new Client(catalogs.addressFor(name), TOKEN)

/** Makes the tables that all write to. */
export async function prepare(catalogs: Catalogs): Promise<void> {
  const client = clientOf(catalogs, 'first')
  await client.send('POST', 'namespaces', { namespace: ['storm'] })
  const fields = [{ 'source-id': 1, transform: 'identity', name: 'writer' }]
  for (const name of SHARED) {
    const parted = name === 'parted' ? { 'partition-spec': { fields } } : {}
    await client.send('POST', 'namespaces/storm/tables', { name, ...CREATE, ...parted })
  }
}

/** Starts engines, and gives each of their writers a name and an address of its own. */
export async function enlist(
  fleet: Fleet,
  { project, catalogs, chanceOf }: Place,
): Promise<{ writers: Writer[]; stop: () => Promise<unknown> }> {
  const writers: Writer[] = []
  const stops: (() => unknown)[] = []
  const ready: Promise<unknown>[] = []
  const named = (kind: keyof Fleet) => Array.from({ length: fleet[kind] }, (_, i) => `${kind}${i}`)
  const add = (name: string, hand: Hand) =>
    writers.push(new Writer(name, hand, chanceOf(name), () => catalogs.lossesOf(name)))
  let session: Promise<Session> | undefined
  const own = () => {
    session ??= DuckDB.start({ threads: 1 }).then((engine) => engine.open())
    return session
  }
  for (const name of named('http'))
    add(name, new HttpHand(clientOf(catalogs, name), project.storage, own))
  for (const name of [...named('pyiceberg'), ...named('duckdb')]) {
    const url = catalogs.addressFor(name)
    const hand = name.startsWith('duckdb') ? duckdbHand(url) : new PyicebergHand(url)
    stops.push(() => hand.helper.stop())
    ready.push(hand.helper.ready)
    add(name, hand)
  }
  const engines = [
    ['spark', sparkHands],
    ['trino', trinoHands],
  ] as const
  const started = engines.map(async ([kind, start]) => {
    const { hands, stop } = await start(named(kind).map((name) => catalogs.addressFor(name)))
    stops.push(stop)
    for (const [i, hand] of hands.entries()) add(named(kind)[i] as string, hand)
  })
  await Promise.all([...started, ...ready])
  return { writers, stop: () => Promise.all(stops.map((stop) => stop())) }
}
