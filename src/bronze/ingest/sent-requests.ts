import { createHash } from 'node:crypto'
import type { LakeState } from '../../log/commit.js'
import type { Batches } from '../../step/batches.js'
import { readJson } from '../../storage/checked.js'
import { sha256 } from '../../storage/checksum.js'
import type { Landed } from './landing.js'

/** For so long a request that comes again is known by its key, in milliseconds. */
export const KEPT = 24 * 3_600_000
/** Batches from one index of keys to the next. */
const APART = 50

/** What is known of a request that was accepted. */
export interface SentRequest {
  /** Of its rows; empty where an earlier version took it in. */
  hash: string
  /** When, in milliseconds since 1970. */
  at: number
}

/** What a batch of sent rows was made from, as its manifest says. */
export interface Sent {
  landed: string[]
  keys: string[]
  /** Of each key's rows. */
  hashes?: string[]
}

/** The object that lists the keys of all batches up to one. */
export interface KeyIndex {
  path: string
  through: number
  sha256?: string
}

/** The requests of the last day, and the landed objects that the newest batches were made from. */
export interface RecentlySent {
  requests: Map<string, SentRequest>
  landed: Set<string>
}

/** By which two requests with the same key are told apart. */
export function hashOfRows(rows: readonly string[]): string {
  const sum = createHash('sha256')
  for (const row of rows) sum.update(row).update('\n')
  return sum.digest('hex').slice(0, 32)
}

/** Whether a request is one that was accepted before, by its key. */
export function sameRequest({ hash }: SentRequest, rows: readonly string[]): boolean {
  return hash === '' || hash === hashOfRows(rows)
}

/** What came under keys within a day. */
export async function recentlySent(
  state: Pick<LakeState, 'batches' | 'watermarks'>,
  name: string,
  batches: Batches,
  now = Date.now(),
): Promise<RecentlySent> {
  const index = (state.watermarks[name] as { index?: KeyIndex } | undefined)?.index
  const found: [string, SentRequest][][] = []
  const landed = new Set<string>()
  let isOld = false
  for (const pointer of [...(state.batches[name] ?? [])].reverse()) {
    if (isOld || pointer.number <= (index?.through ?? 0)) break
    const { created, source, restored } = await batches.manifest(pointer)
    // What was in quarantine is as old as when it arrived; the batch that held its place has its
    // keys.
    if (restored !== undefined) continue
    const { keys = [], hashes = [], landed: paths = [] } = (source ?? {}) as Partial<Sent>
    const at = Date.parse(created)
    found.push(keys.map((key, i) => [key, { hash: hashes[i] ?? '', at }]))
    for (const path of paths) landed.add(path)
    isOld = now - at > KEPT
  }
  if (index && !isOld) {
    type Index = { requests: [string, string, number][] }
    const { requests } = await readJson<Index>(batches.storage, index.path, index.sha256)
    found.push(requests.map(([key, hash, at]) => [key, { hash, at }]))
  }
  const all = found.reverse().flat()
  return { requests: new Map(all.filter(([, { at }]) => now - at <= KEPT)), landed }
}

/**
 * Writes the keys of a day down in one object once in a while, so that a run need not read a day's
 * manifests.
 *
 * @param number of the batch that is about to be made, whose keys are not among them.
 * @returns the index that its watermark names.
 */
export async function indexKeys(
  state: Pick<LakeState, 'batches' | 'watermarks'>,
  dataset: { name: string; batch: string; number: number },
  { storage }: Batches,
  known: readonly (readonly [string, SentRequest])[],
): Promise<KeyIndex | undefined> {
  const name = `bronze.${dataset.name}`
  const before = (state.watermarks[name] as { index?: KeyIndex } | undefined)?.index
  const through = dataset.number - 1
  if (through - (before?.through ?? 0) < APART) return before
  const path = `bronze/${dataset.name}/index/${dataset.batch}.json`
  const requests = known.map(([key, { hash, at }]) => [key, hash, at])
  const bytes = new TextEncoder().encode(JSON.stringify({ format: 1, through, requests }))
  await storage.write(path, bytes)
  return { path, through, sha256: sha256(bytes) }
}

/** Whether a request's key was its sender's: others can't come again. */
export const hasOwnKey = ({ generated }: Landed): boolean => generated !== true
