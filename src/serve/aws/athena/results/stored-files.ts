import { MoraineError } from '../../../../errors.js'
import { AwsError, invalidRequest } from '../../protocol/failure.js'
import { addressIn, type LakeLink, type ObjectHead, type ObjectStore } from '../../s3/store.js'
import type { AthenaExecution, Result } from '../execution.js'
import { metadataFile } from './result-files.js'

/**
 * What a statement stores for its client: its result, what describes it, its manifest and the files
 * that it unloads. They are removed again where the statement fails.
 */
export class StoredFiles {
  private readonly stored: { bucket: string; key: string }[] = []

  constructor(private readonly store: ObjectStore) {}

  /** @throws NotStored */
  async put(url: string, bytes: AsyncIterable<Uint8Array>, head: ObjectHead = {}): Promise<number> {
    const { bucket, key } = addressOf(url)
    const { size } = await this.store.put(bucket, key, bytes, head).catch(notStored(url))
    this.stored.push({ bucket, key })
    return size
  }

  /**
   * Shows a file of a table as an object.
   *
   * @throws NotStored
   */
  async link(url: string, link: LakeLink, size: number): Promise<void> {
    const at = addressOf(url)
    await this.store.link(at, link, size).catch(notStored(url))
    this.stored.push(at)
  }

  /** Stores a result with what describes its columns. */
  async putResult(
    one: AthenaExecution,
    lines: AsyncIterable<Buffer>,
    columns: Result['columns'],
  ): Promise<void> {
    const { output } = one
    if (output === undefined) return
    const contentType = 'application/octet-stream'
    one.statistics.bytesOut = await this.put(output, lines, { contentType })
    const metadata = (async function* () {
      yield metadataFile(columns)
    })()
    await this.put(`${output}.metadata`, metadata)
  }

  /** Whether the statement itself has stored an object: what it finds there is others'. */
  has({ bucket, key }: { bucket: string; key: string }): boolean {
    return this.stored.some((one) => one.bucket === bucket && one.key === key)
  }

  async remove(): Promise<void> {
    for (const { bucket, key } of this.stored) await this.store.delete(bucket, key)
  }
}

/** A file of a result that could not be stored, on which its statement has failed. */
export class NotStored extends Error {
  /** Whether whoever asked can do something about it. */
  readonly isFull: boolean

  constructor(url: string, cause: unknown) {
    const isFull = cause instanceof AwsError
    const why = isFull ? cause.message : 'the server cannot write there now'
    super(
      `The result could not be stored as ${url}: ${why}\nNothing was changed, and no file was left. Make room there, or name another output location, and run the statement again.`,
      { cause },
    )
    this.isFull = isFull
  }
}

const notStored =
  (url: string) =>
  (error: unknown): never => {
    // What is wrong with rows that are to be written is another thing.
    throw error instanceof MoraineError ? error : new NotStored(url, error)
  }

function addressOf(url: string): { bucket: string; key: string } {
  const at = addressIn(url)
  if (!at) throw invalidRequest('The output location is not an address of S3')
  return at
}
