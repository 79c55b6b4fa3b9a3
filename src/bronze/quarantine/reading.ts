import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import type { Bronze } from '../../define/model.js'
import { isEngineLost } from '../../engine/sql-error.js'
import { messageOf } from '../../errors.js'
import { heardOf } from '../../log/live.js'
import type { RunContext } from '../../step/context.js'
import { beginningOf, boot, isThere, ownIdentity } from '../../storage/alive.js'
import { encodeSealed, parseSealed } from '../../storage/sealed.js'
import type { Storage } from '../../storage/storage.js'

/**
 * What a process is about to read; it is there for as long as the process does, and longer only if
 * that was killed.
 */
interface Note {
  format: 1 | 2
  host: string
  /** Where its process id is one; earlier versions did not say it. */
  machine?: string
  pid: number
  /** Tells the process from another of its number. */
  process: string
  /** Tells the machine from itself before it was started again. */
  boot: string
  time: string
  /** What is read together, by name. */
  objects: string[]
  /** The engine has ended with it, and the process goes on. */
  ended?: true
}

/**
 * What was being read when processes ended: how many objects together, at least, by the name of
 * each.
 */
export interface Suspects {
  together: ReadonlyMap<string, number>
  /** Removes what was left behind, once all of it was read or set aside. */
  clear(): Promise<void>
}

/**
 * Milliseconds after which what another machine or container reads is taken to have ended, where
 * nothing is heard of its run.
 */
const PATIENCE = 10 * 60_000
/** Objects that were being read when a process ended are read in so many parts by the next. */
const PARTS = 8

const own = randomBytes(8).toString('hex')

/** Of a branch it is another one: what is read there says nothing of main's files. */
const folderOf = (dataset: Bronze, branch?: string) =>
  `_moraine/reading/${dataset.name}${branch === undefined ? '' : `@${branch}`}/`

/**
 * Reads objects with a durable note of it: if the process ends while it does, whatever of, the next
 * one finds the note. An error or a stop by a signal that can be heard removes it.
 */
export async function whileReading<T>(
  { storage, run, branch }: RunContext,
  dataset: Bronze,
  objects: readonly string[],
  read: () => Promise<T>,
): Promise<T> {
  const note: Note = {
    format: 2,
    ...ownIdentity(),
    process: `${own} ${beginningOf(process.pid) ?? ''}`,
    boot,
    time: new Date().toISOString(),
    objects: [...objects],
  }
  const path = `${folderOf(dataset, branch)}${run}-${randomBytes(4).toString('hex')}.json`
  await storage.write(path, encodeSealed(note))
  try {
    return await read()
  } catch (error) {
    // Nothing else can be read by this engine to find out what was at fault: the next one does.
    if (isEngineLost(error) && !/previous fatal error/i.test(messageOf(error))) {
      const left = encodeSealed({ ...note, ended: true } satisfies Note)
      await storage.write(path.replace(/json$/, 'ended.json'), left)
    }
    throw error
  } finally {
    // What can't be removed now is forgotten by a later run: the process that it names is there, or
    // the objects are not.
    await storage.remove(path).catch(() => {})
  }
}

/**
 * What processes left behind that ended while they read. That the machine was started again is no
 * fault of what was read, and of what another machine or container reads it is only known after a
 * while that it has ended.
 */
export async function suspectsOf(
  { storage, branch }: Pick<RunContext, 'storage' | 'branch'>,
  dataset: Bronze,
): Promise<Suspects> {
  const together = new Map<string, number>()
  const left: string[] = []
  let heard: Promise<string[]> | undefined
  const isHeard = async (path: string) => {
    heard ??= heardOf(storage).then((all) =>
      all.map(({ id }) => `${folderOf(dataset, branch)}${id}-`),
    )
    return (await heard).some((start) => path.startsWith(start))
  }
  for (const { path } of await storage.list(folderOf(dataset, branch))) {
    const note = await noteAt(storage, path)
    if (note && (isAtWork(note) ?? (isRecent(note) || (await isHeard(path))))) continue
    left.push(path)
    if (!note || isRestarted(note)) continue
    for (const name of note.objects)
      together.set(name, Math.min(note.objects.length, together.get(name) ?? Infinity))
  }
  const clear = async () => {
    for (const path of left) await storage.remove(path)
  }
  return { together, clear }
}

async function noteAt(storage: Storage, path: string): Promise<Note | undefined> {
  const bytes = await storage.readIfPresent(path)
  const note = bytes && parseSealed<Note>(bytes)?.head
  return note && note.format <= 2 && Array.isArray(note.objects) ? note : undefined
}

/** Whether who wrote it reads; `undefined` when its process says nothing. */
function isAtWork({ machine = '', pid, process: of, ended }: Note): boolean | undefined {
  if (ended) return false
  const [token, began] = of.split(' ')
  if (token === own) return true
  const is = isThere({ machine, pid, ...(began ? { process: began } : {}) })
  return is && pid !== process.pid
}

const isRecent = ({ time }: Note): boolean => Date.now() - Date.parse(time) < PATIENCE

const isRestarted = ({ host, boot: at }: Note): boolean => host === hostname() && at !== boot

/**
 * Objects in the groups in which they are to be read: all together, but those that were being read
 * when a process ended in parts of what it read, so that a few such ends lead to the one that
 * causes them. That one is a group by itself.
 */
export function groupsBySuspicion<T>(
  objects: readonly T[],
  { together }: Suspects,
  name: (object: T) => string,
): { objects: T[]; isAlone: boolean }[] {
  const groups: { objects: T[]; isAlone: boolean; most: number }[] = []
  for (const object of objects) {
    const n = together.get(name(object))
    const most = n === undefined ? Infinity : Math.ceil(n / PARTS)
    const last = groups.at(-1)
    if (n !== 1 && last && !last.isAlone && last.most === most && last.objects.length < most)
      last.objects.push(object)
    else groups.push({ objects: [object], isAlone: n === 1, most })
  }
  return groups
}

/** Why an object is set aside that processes ended at. */
export class ProcessEnded extends Error {
  /** @param how the process ended: a signal or a code, where that is known. */
  constructor(object: string, how?: string) {
    super(
      how
        ? `a process that only read ${object} ended by ${how}`
        : `the process ended while reading ${object}`,
    )
  }
}
