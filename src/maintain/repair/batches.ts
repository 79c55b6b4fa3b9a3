import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { readerOf } from '../../bronze/inbox/inspected.js'
import { originalOf } from '../../bronze/originals.js'
import { remakeBatch } from '../../bronze/rebuild.js'
import type { Bronze } from '../../define/model.js'
import { MoraineError, messageOf } from '../../errors.js'
import type { BatchPointer, LakeState } from '../../log/commit.js'
import type { CommitLog } from '../../log/log.js'
import type { Damage } from '../../log/verify/damage.js'
import { abortController } from '../../signals.js'
import { readerFor } from '../../source/files/kind.js'
import type { SourceFile } from '../../source/files/source-file.js'
import { Batches, type BatchFile, type BatchManifest } from '../../step/batches.js'
import { fileSha256 } from '../../storage/checksum.js'
import { isPassing } from '../../storage/passing.js'
import { backoff } from '../../storage/retry.js'
import { lost, type Mend, notMended, type RepairOptions } from './mend.js'
import type { Originals } from './originals.js'

/** How often others may be faster, before a batch is left as it is. */
const ATTEMPTS = 10

/**
 * Batches of bronze whose files are damaged: they are read again from what they were made from,
 * where that is still the same.
 */
export class BatchRepairs {
  constructor(
    private readonly options: RepairOptions,
    private readonly log: CommitLog,
    private readonly originals: Originals,
  ) {}

  async all(damaged: readonly Damage[], state: LakeState): Promise<Mend[]> {
    const batches = new Map<string, Damage[]>()
    for (const one of damaged) {
      if (one.part.kind !== 'batch') continue
      const key = `${one.part.dataset} ${one.part.number} ${one.head}`
      batches.set(key, [...(batches.get(key) ?? []), one])
    }
    const mends: Mend[] = []
    for (const of of batches.values()) mends.push(...(await this.one(of, state)))
    return mends
  }

  private async one(damaged: readonly Damage[], state: LakeState): Promise<Mend[]> {
    const [{ part, head }] = damaged as [Damage]
    if (part.kind !== 'batch') return []
    const { dataset: name, number } = part
    const pointer = state.batches[name]?.find((batch) => batch.number === number)
    const isOf = (...kinds: string[]) =>
      damaged.filter((one) => one.part.kind === 'batch' && kinds.includes(one.part.file))
    const originals = isOf('original', 'archived manifest').map((one) =>
      lost(one, `${name} has its rows, but cannot be rebuilt from this. ${FROM_BACKUP}`),
    )
    const rest = isOf('manifest', 'data')
    if (rest.length === 0) return originals
    const giveUp = (why: string) => [
      ...originals,
      ...rest.map((one) => ({
        ...lost(one, `${why}. ${lossOf(pointer, name)} ${FROM_BACKUP}`),
        ...(head
          ? { command: `moraine discard-batch ${name.slice('bronze.'.length)} ${number}` }
          : {}),
      })),
    ]
    if (!head || !pointer) return giveUp('only earlier commits refer to it')
    const dataset = this.originals.bronze(name)
    if (!dataset) return giveUp(`lake.ts has no ${name}`)
    if (isOf('manifest').length > 0) return giveUp('its manifest lists the files it was made from')
    try {
      const text = await this.remake(dataset, pointer)
      return [
        ...originals,
        ...rest.map(({ path, why }) => ({ path, why, how: 'made' as const, text })),
      ]
    } catch (error) {
      this.options.signal?.throwIfAborted()
      if (isPassing(error)) return [...originals, ...rest.map((one) => notMended(one, error))]
      return giveUp(messageOf(error))
    }
  }

  /** @returns what is done, in words. */
  private async remake(dataset: Bronze, pointer: BatchPointer): Promise<string> {
    const { lake, storage, engine, author, apply, signal } = this.options
    const manifest = await new Batches(storage).manifest(pointer)
    const { from } = dataset
    if (from.kind !== 'files' && from.kind !== 'inbox')
      throw new Error(`the rows of ${pointer.dataset} cannot be read a second time`)
    if (from.kind === 'files' && from.follow) throw new Error('a log is only read forward')
    const found = new Map<string, SourceFile>()
    for (const file of manifest.files) found.set(file.name, await this.sourceOf(pointer, file))
    const what = `its ${pointer.rows} rows are read again from ${from.kind === 'inbox' ? 'the archive' : 'their files'}`
    if (!apply) return what
    const started = new Date()
    const context = {
      lake,
      storage,
      log: this.log,
      engine,
      run: `repair-${started.toISOString().replace(/[-:.]/g, '')}-${randomBytes(2).toString('hex')}`,
      author,
      signal: signal ?? abortController().signal,
      started,
      valuesFrom: 1 << 20,
      progress: () => {},
    }
    const session = await engine.open()
    try {
      const made = await remakeBatch(
        context,
        session,
        dataset,
        pointer,
        manifest as BatchManifest,
        {
          find: async (file) => found.get(file.name) as SourceFile,
          readerOf: (file) =>
            from.kind === 'inbox' ? readerOf(from, file) : readerFor(from, file),
          exact: true,
        },
      )
      await this.replace(pointer, made.pointer)
    } finally {
      session.close()
    }
    return what
  }

  /**
   * Puts a batch in the place of the one that is damaged, before all that has come behind it, also
   * meanwhile.
   */
  private async replace(damaged: BatchPointer, made: BatchPointer): Promise<void> {
    const { dataset, number, batch, manifest } = damaged
    const message = `rebuild batch ${batch} of ${dataset}: its files were damaged`
    for (let attempt = 1; ; attempt++) {
      const base = await this.log.head()
      const all = base.batches[dataset] ?? []
      if (!all.some((one) => one.manifest === manifest))
        throw new Error('it was discarded, expired or rebuilt in the meantime')
      const later = all.filter((one) => one.number > number)
      const changes = {
        cut: { [dataset]: number - 1 },
        batches: [made, ...later],
        // What a rollback brings back is this one.
        repaired: { [manifest]: made.manifest },
      }
      try {
        await this.log.commit(base, changes, { author: this.options.author, run: null, message })
        return
      } catch (error) {
        const isBusy = error instanceof MoraineError && error.kind === 'conflict'
        if (!isBusy || attempt >= ATTEMPTS) throw error
        await sleep(backoff(attempt, 100))
      }
    }
  }

  private async sourceOf(pointer: BatchPointer, file: BatchFile): Promise<SourceFile> {
    if (file.original) return originalOf(this.options.storage, file)
    const files = await this.originals.filesOf(pointer.dataset)
    const found = files.find(({ name }) => name === file.name)
    if (!found) throw new Error(`${file.name}, which it was read from, no longer exists`)
    if (found.size !== file.size && !found.archive)
      throw new Error(`${file.name} has changed since it was ingested`)
    // Of a file that is compressed the checksum is of what is in it: it is compared once it is
    // unpacked.
    const plain = !found.remote && !found.archive && !/\.(gz|zst|zip|bz2)$/i.test(found.path)
    if (plain && file.unread === undefined && (await fileSha256(found.path)) !== file.sha256)
      throw new Error(`${file.name} has changed since it was ingested`)
    return found
  }
}

const FROM_BACKUP = 'Restore it from a backup'

function lossOf(pointer: BatchPointer | undefined, name: string): string {
  if (!pointer) return ''
  const rows = pointer.rows === 1 ? '1 row' : `${pointer.rows} rows`
  return `This would lose the ${rows} of batch ${pointer.number} in ${name}; tables built from them keep their rows until they are rebuilt from all of bronze.`
}
