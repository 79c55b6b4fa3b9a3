import { fullName } from '../../define/dataset.js'
import type { FilesSource } from '../../define/source.js'
import type { QuarantinedObject } from '../../log/quarantined.js'
import type { SourceFile } from '../../source/files/source-file.js'
import { Batches, type BatchManifest, columnsOf, describedFiles } from '../../step/batches.js'
import { withSession } from '../../step/context.js'
import type { NewBatch } from '../batch-commit.js'
import type { Ingestion } from '../ingestion.js'
import type { Intake } from '../offer.js'
import { originalOf } from '../originals.js'
import type { ReadAgain } from '../quarantine/retry.js'
import { columnsBefore, type Watermark } from './batch.js'
import { FileColumns, type KnownColumns } from './columns.js'
import { FileIngest } from './ingest.js'

/** Reads one file as a batch of its own, without what is known of others. */
export async function readAlone(
  ingestion: Ingestion<FilesSource>,
  file: SourceFile,
  batch: Pick<NewBatch, 'batch' | 'folder'>,
  before: KnownColumns = { columns: [], latest: [] },
): Promise<FileIngest> {
  const { context, dataset, source } = ingestion
  return withSession(context, fullName(dataset), async (session) => {
    const columns = new FileColumns(dataset, source.drift ?? 'evolve', before)
    const ingest = new FileIngest(ingestion, session, { batch, known: new Map(), columns })
    await ingest.all([file])
    return ingest
  })
}

/** Reads a file that was in quarantine. */
export async function readFileAgain(
  ingestion: Ingestion<FilesSource>,
  object: QuarantinedObject,
  batch: NewBatch,
  { state }: Intake,
): Promise<ReadAgain> {
  const { context, dataset } = ingestion
  const name = fullName(dataset)
  const before = state.watermarks[name] as Watermark | undefined
  const batches = new Batches(context.storage)
  const pointers = state.batches[name] ?? []
  const versions = (await batches.manifests(pointers)).flatMap((manifest) =>
    manifest.files.some((file) => file.name === object.name) ? [manifest.batch] : [],
  )
  if (versions.some((version) => version > object.batch))
    return { files: [], columns: [], notes: [], outdated: true }
  const { size, modified } = object
  const file = { ...(await originalOf(context.storage, object)), name: object.name }
  const known = await columnsBefore(batches, pointers, before)
  const { files, notes, seen } = await readAlone(ingestion, file, batch, known)
  return {
    files: describedFiles(files).map((one) => ({ ...one, size, modified })),
    columns: columnsOf(files as unknown as BatchManifest[]),
    notes,
    ...(versions.length > 0 ? { replaces: true } : {}),
    ...(before ? { watermark: { ...before, columns: seen.columns } } : {}),
  }
}
