import type { FilesSource, InboxSource } from '../../define/source.js'
import type { Session } from '../../engine/engine.js'
import { ingestFile } from '../../source/files/ingest-file.js'
import { inspectFile } from '../../source/files/inspect-file.js'
import { settleKind } from '../../source/files/kind.js'
import type { SourceFile } from '../../source/files/source-file.js'
import { withUnpacked } from '../../source/unpack/unpack.js'
import { requestedTypes } from '../../step/requested-types.js'
import type { Ingestion } from '../ingestion.js'

/** A dropped file that was looked into. */
interface Inspected {
  /** It, unpacked. */
  readable: SourceFile
  sha256: string
  /** Writes its rows, under the name by which it is known. */
  ingest(name: string, into: Target): ReturnType<typeof ingestFile>
}

/** Where the rows of a file are written. */
interface Target {
  session: Session
  location: string
  batch: string
  note(text: string): void
}

/** Unpacks a dropped file, finds out how it is written, and hands it on to be read. */
export async function withInspected(
  { context, dataset, source: inbox }: Ingestion<InboxSource>,
  file: SourceFile,
  work: (inspected: Inspected) => Promise<void>,
): Promise<void> {
  const ending = readerOf(inbox, file.name)
  await withUnpacked(file, ending, context.signal, async (readable) => {
    const { signal, valuesFrom } = context
    const requested = requestedTypes(context.lake.datasets, dataset)
    const source = settleKind(readable, ending)
    const inspection = await inspectFile(readable, source, { signal, requested, valuesFrom })
    const large = inspection.bytes >= valuesFrom
    const ingest = (name: string, into: Target) =>
      ingestFile({
        file: { ...readable, name },
        source,
        inspection,
        target: { ...into, requested, large, signal },
      })
    await work({ readable, sha256: inspection.sha256, ingest })
  })
}

/** How a file is read: by the ending of its name, where that is known. */
export function readerOf({ readers }: InboxSource, name: string): FilesSource {
  const bare = name.toLowerCase().replace(/\.(gz|zst|zip)$/, '')
  const ending = /\.([a-z]+)$/.exec(bare)?.[1] ?? ''
  return (Object.hasOwn(readers, ending) ? readers[ending] : readers['']) as FilesSource
}
