import { open, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { Table } from '../../src/iceberg/table.js'
import { folderOf } from './deliveries.js'
import { Fault, type Round } from './round.js'

/** Objects that the newest commit leads to, by their kinds. */
async function objects(round: Round): Promise<{ kind: string; path: string }[]> {
  const { storage, log } = round
  const state = await log.head()
  const found: { kind: string; path: string }[] = []
  for (const { metadata } of Object.values(state.tables)) {
    const table = await Table.load(storage, metadata)
    found.push({ kind: 'metadata', path: metadata })
    const list = table.snapshot?.['manifest-list']
    if (list) found.push({ kind: 'manifest list', path: table.pathOf(list) })
    for (const manifest of await table.manifests()) {
      found.push({ kind: 'manifest', path: table.pathOf(manifest.manifest_path) })
      for (const { status, file } of await table.entries(manifest))
        if (status !== 'deleted') found.push({ kind: 'table data', path: table.pathOf(file.path) })
    }
  }
  for (const { manifest } of Object.values(state.batches).flat()) {
    found.push({ kind: 'batch manifest', path: manifest })
    const { files } = JSON.parse(new TextDecoder().decode(await storage.read(manifest)))
    for (const { data, original } of files) {
      found.push({ kind: 'batch data', path: data })
      if (original) found.push({ kind: 'archive', path: original.path })
    }
  }
  for (const { path } of await storage.list('_moraine/log/')) found.push({ kind: 'log', path })
  for (const { path } of await storage.list('_moraine/checkpoints/'))
    found.push({ kind: path.endsWith('.json') ? 'checkpoint' : 'anchor', path })
  return [...new Map(found.map((one) => [one.path, one])).values()]
}

/** Changes one bit of an object, and gives what brings it back. */
async function change(round: Round, path: string, at: number, bit: number) {
  const { storage } = round
  const folder = folderOf(storage)
  const before = await storage.read(path)
  const write = async (bytes: Uint8Array) => {
    if (folder === undefined) {
      await storage.remove(path)
      await storage.write(path, bytes)
      return
    }
    const file = await open(join(folder, path), 'r+')
    const { atime, mtime } = await file.stat()
    await file.write(bytes, at, 1, at)
    await file.close()
    await utimes(join(folder, path), atime, mtime)
  }
  const flipped = Uint8Array.from(before)
  flipped[at] = (flipped[at] as number) ^ (1 << bit)
  await write(flipped)
  return () => write(before)
}

/**
 * Rot: one bit of one object is another. `verify --deep` is content before and after, and finds it.
 */
export async function flip(round: Round): Promise<void> {
  const { counts } = round
  await round.command(['verify', '--deep'])
  const all = await objects(round)
  const kinds = [...new Set(all.map(({ kind }) => kind))]
  const kind = round.pick(kinds)
  const { path } = round.pick(all.filter((one) => one.kind === kind))
  const size = (await round.storage.read(path)).length
  const [at, bit] = [round.below(size), round.below(8)]
  const restore = await change(round, path, at, bit)
  try {
    const { code, text } = await (await round.start(['verify', '--deep'])).end
    counts.flips++
    if (code === 70 || code === undefined) throw new Fault(`verify --deep fails:\n${text}`)
    if (code === 0)
      throw new Fault(
        `verify --deep misses bit ${bit} of byte ${at} of ${size} of ${path} (${kind})`,
      )
    counts.flipsFound++
  } finally {
    await restore()
  }
}
