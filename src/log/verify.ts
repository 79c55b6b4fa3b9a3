import { messageOf } from '../errors.js'
import type { ManifestFile } from '../iceberg/spec/manifest.js'
import { Table } from '../iceberg/table.js'
import type { Storage } from '../storage/storage.js'
import type { BatchPointer, LakeState, TableState } from './commit.js'
import type { CommitLog } from './log.js'

/** What was looked at, and what is wrong. */
export interface Verification {
  commits: number
  tables: number
  batches: number
  files: number
  /** Bytes of all data files that the last commit refers to. */
  bytes: number
  problems: string[]
}

/**
 * Checks that all that the log refers to is there: the chain of commits, and for the last one each
 * table's metadata, manifests and data files, each batch's manifest and files, by existence, size and
 * counts. It reads no data.
 */
export async function verifyLake(storage: Storage, log: CommitLog): Promise<Verification> {
  const found = new Verifier(storage)
  let state: LakeState
  try {
    state = await log.head()
  } catch (error) {
    found.problems.push(messageOf(error))
    return found.report(0, 0, 0)
  }
  const tables = Object.entries(state.tables)
  for (const [name, table] of tables) await found.guarded(name, () => found.table(name, table))
  const batches = Object.values(state.batches).flat()
  for (const batch of batches)
    await found.guarded(`${batch.dataset} batch ${batch.number}`, () => found.batch(batch))
  return found.report(state.number, tables.length, batches.length)
}

class Verifier {
  readonly problems: string[] = []
  private files = 0
  private bytes = 0

  constructor(private readonly storage: Storage) {}

  report(commits: number, tables: number, batches: number): Verification {
    const { files, bytes, problems } = this
    return { commits, tables, batches, files, bytes, problems }
  }

  async guarded(what: string, check: () => Promise<void>): Promise<void> {
    try {
      await check()
    } catch (error) {
      this.problems.push(`${what}: ${messageOf(error)}`)
    }
  }

  async table(name: string, state: TableState): Promise<void> {
    const table = await Table.load(this.storage, state.metadata)
    let rows = 0
    for (const manifest of await table.manifests())
      rows += await this.manifest(name, table, manifest)
    if (rows !== state.rows)
      this.problems.push(`${name}: its files hold ${rows} rows, but the log says ${state.rows}`)
  }

  private async manifest(name: string, table: Table, manifest: ManifestFile): Promise<number> {
    await this.object(name, table.pathOf(manifest.manifest_path), manifest.manifest_length)
    const live = (await table.entries(manifest)).filter((entry) => entry.status !== 'deleted')
    for (const { file } of live) await this.object(name, table.pathOf(file.path), file.bytes)
    return live.reduce((sum, { file }) => sum + file.rows, 0)
  }

  async batch(pointer: BatchPointer): Promise<void> {
    const what = `${pointer.dataset} batch ${pointer.number}`
    const manifest = JSON.parse(new TextDecoder().decode(await this.storage.read(pointer.manifest)))
    let rows = 0
    for (const file of manifest.files) {
      await this.object(what, file.data, file.bytes)
      rows += file.rows
    }
    if (rows !== pointer.rows)
      this.problems.push(`${what}: its files hold ${rows} rows, but the log says ${pointer.rows}`)
  }

  private async object(what: string, path: string, size: number): Promise<void> {
    const object = await this.storage.stat(path)
    this.files++
    this.bytes += object?.size ?? 0
    if (!object) this.problems.push(`${what}: ${path} is missing`)
    else if (object.size !== size)
      this.problems.push(`${what}: ${path} has ${object.size} bytes instead of ${size}`)
  }
}
