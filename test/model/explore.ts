import { createHash } from 'node:crypto'
import { MemoryStorage } from '../../src/storage/memory.js'
import type { StoredObject } from '../../src/storage/storage.js'
import { turn } from '../support/effort.js'
import { random } from '../support/seed.js'

/** What may become of an operation on storage. */
export type Fate = 'done' | 'answer lost' | 'request lost' | 'crash before' | 'crash after'

interface Pending {
  writer: number
  operation: string
  creates: boolean
  happen(fate: Fate): void
}

/** A world of writers over one storage, in which nothing happens until it is chosen. */
export class World {
  readonly storage = new MemoryStorage()
  readonly dead = new Set<number>()
  readonly traces: string[][]
  /** Whether writing an object may fail as well, and the answer to it be lost. */
  losesWrites = false
  private readonly pending: Pending[] = []
  /** Writers whose work has not ended, where the world is told of it. */
  private readonly running = new Set<number>()

  constructor(writers: number) {
    this.traces = Array.from({ length: writers }, () => [])
  }

  /** The storage as one writer sees it. */
  storageOf(writer: number): MemoryStorage {
    return new SeenStorage(this, writer)
  }

  /** Begins a writer's work that may take more turns than one from one operation to the next. */
  runs(writer: number, work: () => Promise<void>): void {
    this.running.add(writer)
    const ended = () => void this.running.delete(writer)
    work().then(ended, ended)
  }

  /** Lets everything run that waits for nothing but itself. */
  async settled(): Promise<void> {
    const waits = (writer: number) =>
      this.dead.has(writer) || this.pending.some((operation) => operation.writer === writer)
    do await new Promise<void>((resolve) => setImmediate(resolve))
    while (![...this.running].every(waits))
  }

  later<T>(writer: number, operation: string, creates: boolean, act: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const last = this.pending.at(-1)
      const happen = async (fate: Fate) => {
        const trace = this.traces[writer] as string[]
        if (fate === 'crash before' || fate === 'crash after') this.dead.add(writer)
        const result =
          fate === 'done' || fate.endsWith('after') || fate === 'answer lost'
            ? await act()
            : undefined
        if (this.dead.has(writer)) return
        trace.push(`${operation} ${fate === 'done' ? shown(result) : 'failed'}`)
        if (fate === 'done') resolve(result as T)
        else reject(new Error('connection reset'))
      }
      // Reads that a writer asks for together happen together: it takes them up to the first gap.
      if (last?.writer === writer && !creates && !last.creates) {
        const before = last.happen
        last.happen = (fate) => {
          before(fate)
          void happen(fate)
        }
      } else this.pending.push({ writer, operation, creates, happen })
    })
  }

  /**
   * What can happen next: the oldest operation of each living writer, with every fate it may have.
   */
  choices(faults: number): { pending: Pending; fate: Fate }[] {
    const first = new Map<number, Pending>()
    for (const operation of this.pending)
      if (!this.dead.has(operation.writer) && !first.has(operation.writer))
        first.set(operation.writer, operation)
    return [...first.values()].flatMap((pending) => {
      const bad: Fate[] = pending.creates
        ? ['answer lost', 'request lost', 'crash before', 'crash after']
        : ['request lost', 'crash before']
      return [...(['done'] as Fate[]), ...(faults > 0 ? bad : [])].map((fate) => ({
        pending,
        fate,
      }))
    })
  }

  async take({ pending, fate }: { pending: Pending; fate: Fate }): Promise<void> {
    this.pending.splice(this.pending.indexOf(pending), 1)
    pending.happen(fate)
    await this.settled()
  }

  /** Two worlds with the same key go on in the same ways. */
  key(faults: number): string {
    const objects = [...this.storage.objects].map(([path, bytes]) => `${path}=${hashOf(bytes)}`)
    const all = JSON.stringify([faults, objects, [...this.dead].sort(), this.traces])
    // Millions of states are seen: each is kept as what tells it apart.
    return createHash('sha256').update(all).digest('base64')
  }
}

function shown(result: unknown): string {
  return result instanceof Uint8Array
    ? `${result.length}:${hash(result)}`
    : (JSON.stringify(result) ?? '-')
}

const hashes = new WeakMap<Uint8Array, number>()

/** Stored bytes never change, so each is hashed once. */
function hashOf(bytes: Uint8Array): number {
  const known = hashes.get(bytes) ?? hash(bytes)
  hashes.set(bytes, known)
  return known
}

function hash(bytes: Uint8Array): number {
  let value = 2166136261
  for (const byte of bytes) value = Math.imul(value ^ byte, 16777619) >>> 0
  return value
}

/**
 * Heartbeats protect nothing: all must hold as if there were none. They differ in each world, too.
 */
const isCourtesy = (path: string) => path.startsWith('_moraine/live/')

class SeenStorage extends MemoryStorage {
  constructor(
    private readonly world: World,
    private readonly writer: number,
  ) {
    super()
  }

  override createIfAbsent(path: string, bytes: Uint8Array): Promise<boolean> {
    const { storage } = this.world
    return this.world.later(this.writer, `create ${path}`, true, () =>
      storage.createIfAbsent(path, bytes),
    )
  }

  override readIfPresent(path: string): Promise<Uint8Array | undefined> {
    const { storage } = this.world
    return this.world.later(this.writer, `read ${path}`, false, () => storage.readIfPresent(path))
  }

  override remove(path: string): Promise<void> {
    if (isCourtesy(path)) return Promise.resolve()
    return this.world.later(this.writer, `remove ${path}`, true, () =>
      this.world.storage.remove(path),
    )
  }

  override write(path: string, bytes: Uint8Array): Promise<void> {
    if (isCourtesy(path)) return Promise.resolve()
    const { storage, losesWrites } = this.world
    const write = () => storage.write(path, bytes)
    return losesWrites ? this.world.later(this.writer, `write ${path}`, true, write) : write()
  }

  override folders(prefix: string): Promise<string[]> {
    return this.world.storage.folders(prefix)
  }

  override read(path: string): Promise<Uint8Array> {
    return this.world.storage.read(path)
  }

  override async list(prefix: string) {
    return (await this.world.storage.list(prefix)).map(timeless)
  }

  /** Files of tables come and go; those of the log are only created. */
  override stat(path: string) {
    const { storage } = this.world
    const look = async () => {
      const found = await storage.stat(path)
      return found && timeless(found)
    }
    return path.startsWith('_moraine/')
      ? look()
      : this.world.later(this.writer, `stat ${path}`, false, look)
  }
}

/** Histories that differ in nothing but when they were tried are the same. */
const timeless = (object: StoredObject): StoredObject => ({ ...object, modified: 0 })

export interface Scenario {
  /** Starts the writers of a new world. */
  start(world: World): Promise<void>
  /** Throws when a finished world is not as it should be. */
  check(world: World): Promise<void>
  writers: number
  /** How many operations may go wrong in one history. */
  faults: number
  /** States after which it stops; which ones they are depends on the turn. */
  most?: number
}

/**
 * Visits every state that any interleaving leads to, or as many as are asked for; returns how many
 * there are, and how many ends.
 */
export async function explore({
  start,
  check,
  writers,
  faults,
  most = Infinity,
}: Scenario): Promise<{ states: number; ends: number }> {
  const seen = new Set<string>()
  let ends = 0
  const open: number[][] = [[]]
  const chance = random(turn)
  /** Any of those that wait where not all of them will be seen; else the last, so that few wait. */
  const pick = () => {
    if (seen.size >= most) return undefined
    const at = most < Infinity ? Math.floor(chance() * open.length) : open.length - 1
    const last = open.pop()
    if (at >= open.length) return last
    const path = open[at]
    open[at] = last as number[]
    return path
  }
  for (let path = pick(); path; path = pick()) {
    const world = new World(writers)
    await start(world)
    await world.settled()
    let left = faults
    for (const choice of path) {
      const next = world.choices(left)[choice]
      if (!next) throw new Error('the code under test does not repeat itself')
      if (next.fate !== 'done') left--
      await world.take(next)
    }
    // Goes on along the first choice as long as it leads to something new; the others wait.
    for (;;) {
      const key = world.key(left)
      if (seen.has(key)) break
      seen.add(key)
      const choices = world.choices(left)
      const [first] = choices
      if (!first) {
        ends++
        await check(world)
        break
      }
      for (let other = choices.length - 1; other > 0; other--) open.push([...path, other])
      path = [...path, 0]
      await world.take(first)
    }
  }
  return { states: seen.size, ends }
}
