import { fullName } from '../../define/dataset.js'
import type { FilesSource } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import type { LakeState } from '../../log/commit.js'
import { ownValue } from '../../own-value.js'
import { discoverFiles as filesOf, nothingThere } from '../../source/files/discover.js'
import type { SourceFile } from '../../source/files/source-file.js'
import { addedTo, nothingYet } from '../batch-commit.js'
import type { Ingestion, Lookup } from '../ingestion.js'
import type { Intake, Offer } from '../offer.js'
import { besideBatch, keepOriginal } from '../originals.js'
import { isAtFault, mayBeItsBytes, ObjectFailure, readAround } from '../quarantine/blame.js'
import { groupsBySuspicion, ProcessEnded, suspectsOf, whileReading } from '../quarantine/reading.js'
import { setAside } from '../quarantine/set-aside.js'
import type { Watermark } from './batch.js'
import { readingOf, textReadingOf } from './unreadable.js'
import { sameContent } from './untouched.js'

/** Files that are tried to find out whether any can be read. */
const TRIED = 5

/** Looks at a source without reading its files. */
export async function discoverFiles(
  { dataset, source, state, batches }: Lookup<FilesSource>,
  reread = false,
): Promise<Offer> {
  const name = fullName(dataset)
  const passed: string[] = []
  const offered = await filesOf(source, passed)
  const watermark = state.watermarks[name] as (Watermark & { follow?: string }) | undefined
  if (watermark?.follow !== undefined)
    throw new MoraineError('source', `${name} was followed before`, {
      hint: 'Its rows would be ingested twice. Rename the dataset, or follow it again.',
    })
  const known = await batches.knownFiles(state.batches[name] ?? [], watermark?.index)
  const touched = watermark?.touched ?? {}
  const reading = readingOf(source)
  const missing = await nothingThere(source, offered, known.size, passed)
  const added = offered.filter((file) => !known.has(file.name))
  const other = offered.filter((file) => {
    const before = known.get(file.name)
    const modified = ownValue(touched, file.name) ?? before?.modified
    const again = reread || (before?.unread !== undefined && before.unread !== reading)
    return before && (again || before.size !== file.size || modified !== file.modified)
  })
  const same = reread ? new Set() : await sameContent(other, known)
  const changed = other.filter((file) => !same.has(file))
  const files = [...added, ...changed]
  const discovery = {
    added: added.length,
    changed: changed.length,
    bytes: files.reduce((sum, file) => sum + file.size, 0),
    known: offered.length === 0 ? known.size : offered.length - files.length,
    notes: [
      ...passed,
      ...missing,
      ...readOtherwise(name, source, watermark, known.size - changed.length),
    ],
  }
  return {
    discovery,
    ingest: (context, base) => ingestAround({ context, dataset, source }, base, files),
  }
}

/** Ingests files together; those that can't be read, whatever they hold, are set aside. */
async function ingestAround(
  ingestion: Ingestion<FilesSource>,
  base: LakeState,
  files: readonly SourceFile[],
): Promise<Intake> {
  const { context, dataset } = ingestion
  // To look for new files takes less time than to load what reads them.
  const { ingestBatch } = await import('./batch.js')
  const nameOf = ({ name, size }: SourceFile) => `${name} (${size})`
  const together = (done: Intake, some: readonly SourceFile[]) =>
    whileReading(context, dataset, some.map(nameOf), () =>
      ingestBatch(ingestion, done.state, some),
    ).then((more) => addedTo(done, more))
  const aside = (done: Intake, file: SourceFile, error: unknown) =>
    setFileAside(ingestion, done, { file, error, all: files })
  // By their names, as their rows are: what is set aside parts those before it from those behind
  // it.
  const byName = () => [...files].sort((a, b) => (a.name < b.name ? -1 : 1))
  const suspects = await suspectsOf(context, dataset)
  const isSuspect = files.some((file) => suspects.together.has(nameOf(file)))
  if (!isSuspect) {
    const done = await together(nothingYet(base), files).catch((error) => {
      context.signal.throwIfAborted()
      if (!(error instanceof ObjectFailure) && !mayBeItsBytes(error)) throw error
      return readAround(nothingYet(base), byName(), together, aside)
    })
    await suspects.clear()
    return done
  }
  let done = nothingYet(base)
  for (const { objects, isAlone } of groupsBySuspicion(byName(), suspects, nameOf))
    done =
      isAlone && objects[0]
        ? await aside(done, objects[0], new ProcessEnded(objects[0].name))
        : await readAround(done, objects, together, aside)
  await suspects.clear()
  return done
}

/** A file that can't be read, and all that came with it. */
interface Unread {
  file: SourceFile
  error: unknown
  all: readonly SourceFile[]
}

async function setFileAside(
  ingestion: Ingestion<FilesSource>,
  done: Intake,
  { file, error, all }: Unread,
): Promise<Intake> {
  const { context, dataset } = ingestion
  const { storage, run } = context
  const others = async () => {
    const { readAlone } = await import('./read-again.js')
    for (const other of all.filter((one) => one !== file).slice(0, TRIED)) {
      const folder = `bronze/${dataset.name}/probe/${run}`
      const found = await readAlone(ingestion, other, { batch: '', folder }).catch(() => undefined)
      for (const { data } of found?.files ?? []) await storage.remove(data)
      if (found && found.files.length > 0) return true
    }
    return false
  }
  if (!(await isAtFault({ context, dataset }, done.state, error, others))) throw error
  const { name, size, modified } = file
  return setAside(context, done, dataset, {
    name,
    kind: 'file',
    size,
    modified,
    keep: ({ folder }) => keepOriginal(context, besideBatch(folder), file, {}),
    error,
    watermark: done.state.watermarks[fullName(dataset)],
  })
}

/** What is to be said where the definition reads files otherwise than those that the lake has. */
function readOtherwise(
  name: string,
  source: FilesSource,
  watermark: Watermark | undefined,
  files: number,
): string[] {
  if (files === 0 || watermark?.reading === undefined) return []
  if (watermark.reading === textReadingOf(source)) return []
  const stay = files === 1 ? '1 file keeps' : `${files} files keep`
  return [
    `its definition reads files differently now, but ${stay} the rows read before; to read all of them again: moraine run ${name}+ --reread ${name}`,
  ]
}
