import { randomBytes } from 'node:crypto'
import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import type { LakeState } from '../../log/commit.js'
import type { SourceFile } from '../../source/files/source-file.js'
import type { Batches, KnownFile } from '../../step/batches.js'
import type { FileIndexWatermark } from '../files/batch.js'

/** What an inbox has read; visible in the same commit as its rows. */
export interface InboxWatermark extends FileIndexWatermark {
  /** Objects that were left where they are, where no known file tells when: zips, for one. */
  touched?: Readonly<Record<string, readonly [size: number, modified: number]>>
}

/** Files that are known when they come again, at least. */
const REMEMBERED = 50_000

/**
 * The files that an inbox goes on knowing: the last ones, and all that are still there, as what is
 * not known is ingested.
 *
 * @param there names of objects that could not be removed.
 */
export function remembered(
  files: readonly KnownFile[],
  there: ReadonlySet<string>,
  most = REMEMBERED,
): KnownFile[] {
  const isThere = ({ name }: KnownFile) => objectsOf(name).some((object) => there.has(object))
  const gone = files.filter((file) => !isThere(file))
  const forgotten = new Set(gone.slice(0, Math.max(0, gone.length - most)))
  return files.filter((file) => !forgotten.has(file))
}

/** The objects that were read before, by their names, sizes and times. */
export function recognized(
  objects: readonly SourceFile[],
  known: readonly KnownFile[],
  { touched = {} }: InboxWatermark,
): ReadonlySet<SourceFile> {
  const there = new Map(objects.map((object) => [object.name, object]))
  const found = new Set<SourceFile>()
  const look = (name: string, size: number, modified: number) => {
    const object = there.get(name)
    if (object?.size === size && object.modified === modified) found.add(object)
  }
  for (const { name, size, modified } of known) {
    look(name, size, modified)
    look(name.replace(SUFFIX, ''), size, modified)
  }
  for (const [name, [size, modified]] of Object.entries(touched)) look(name, size, modified)
  return found
}

/** What the name of a file ends with, when another one of that name came before. */
const SUFFIX = /@[0-9a-f]{8}$/

/**
 * The objects that a file may be of: another one of the same name has a suffix, and one that is
 * packed has the name of its archive.
 */
const objectsOf = (name: string): string[] => [
  name,
  name.replace(SUFFIX, ''),
  ...[...name.matchAll(/\.zip(?=\/)/gi)].map(({ index }) => name.slice(0, index + 4)),
]

/**
 * Writes down which files inboxes have read, where the batches that tell so expire; their
 * watermarks with that.
 *
 * @param expire the last batch of each dataset that expires.
 */
export async function rememberedOfExpired(
  datasets: readonly Bronze[],
  { state, batches }: { state: LakeState; batches: Batches },
  expire: Readonly<Record<string, number>>,
): Promise<Record<string, FileIndexWatermark>> {
  const found: Record<string, FileIndexWatermark> = {}
  for (const dataset of datasets) {
    const name = fullName(dataset)
    const last = expire[name]
    const watermark = (state.watermarks[name] ?? {}) as FileIndexWatermark
    const { index: before } = watermark
    if (dataset.from.kind !== 'inbox' || last === undefined || last <= (before?.through ?? 0))
      continue
    const pointers = state.batches[name] ?? []
    const known = await batches.knownFiles(pointers, before)
    const through = Math.max(...pointers.map(({ number }) => number))
    const path = `bronze/${dataset.name}/index/${through}-${randomBytes(4).toString('hex')}.json`
    const index = await batches.writeIndex([...known.values()], { path, through })
    found[name] = { ...watermark, index }
  }
  return found
}
