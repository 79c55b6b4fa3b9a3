import { messageOf } from '../errors.js'
import type { DataFile, ManifestFile } from '../iceberg/spec/manifest.js'
import type { Schema } from '../iceberg/spec/types.js'
import { Table } from '../iceberg/table.js'
import type { Storage } from '../storage/storage.js'
import { Checkpoints } from './checkpoints.js'
import { type BatchPointer, emptyState, fold, type LakeState, type TableState } from './commit.js'
import { sha256 } from './hash.js'
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
 * Reads a data file in full; returns what is wrong with it. `file` is what a manifest says of it, for
 * files of tables.
 */
export type ReadDeep = (
  location: string,
  rows: number,
  table?: { schema: Schema; file: DataFile },
) => Promise<string[]>

/**
 * Checks that all that the log refers to is there: the chain of commits, its checkpoints, and for the
 * last commit each table's metadata, manifests and data files, each batch's manifest and files, by
 * existence, size and counts. Data are only read with `deep`.
 */
export async function verifyLake(
  storage: Storage,
  log: CommitLog,
  deep?: ReadDeep,
): Promise<Verification> {
  const found = new Verifier(storage, deep)
  let state: LakeState
  try {
    state = await found.chain(log)
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

type DeepArguments = [rows: number, table?: { schema: Schema; file: DataFile }]

class Verifier {
  readonly problems: string[] = []
  private files = 0
  private bytes = 0

  constructor(
    private readonly storage: Storage,
    private readonly deep: ReadDeep | undefined,
  ) {}

  /** Folds the whole log, as if there were no checkpoints, and holds them against it. */
  async chain(log: CommitLog): Promise<LakeState> {
    const checkpoints = new Checkpoints(this.storage, log.branch)
    const numbers = new Set(await checkpoints.numbers())
    let state = emptyState
    for await (const { commit, hash } of log.entries()) {
      if (commit.number !== state.number + 1 || commit.previous !== state.hash)
        throw new Error(
          `commit ${state.number + 1} does not follow from the one before it: an object of the log was changed or replaced`,
        )
      state = fold(state, commit, hash)
      if (numbers.delete(commit.number))
        await this.guarded('log', async () => {
          const kept = await checkpoints.read(commit.number)
          if (JSON.stringify(kept) !== JSON.stringify(state))
            this.problems.push(
              `${checkpoints.pathOf(commit.number)} is not the state of its commit: remove it`,
            )
        })
    }
    for (const number of numbers)
      this.problems.push(
        `commit ${state.number + 1} is missing: there is a checkpoint of commit ${number}`,
      )
    return state
  }

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
    for (const { file } of live) {
      const path = table.pathOf(file.path)
      await this.object(name, path, file.bytes)
      await this.readDeep(name, path, file.rows, { schema: table.schema, file })
    }
    const signs = { data: 1, 'position deletes': -1, 'equality deletes': 0 }
    return live.reduce((sum, { file }) => sum + signs[file.content ?? 'data'] * file.rows, 0)
  }

  async batch(pointer: BatchPointer): Promise<void> {
    const what = `${pointer.dataset} batch ${pointer.number}`
    const manifest = JSON.parse(new TextDecoder().decode(await this.storage.read(pointer.manifest)))
    // Small source files share one Parquet file, which the first of them describes.
    const kept = new Map<string, { bytes: number; rows: number }>()
    let rows = 0
    for (const file of manifest.files) {
      const { data } = file
      const before = kept.get(data) ?? { bytes: 0, rows: 0 }
      kept.set(data, { bytes: before.bytes + file.bytes, rows: before.rows + file.rows })
      if (file.original) await this.original(what, file.original)
      rows += file.rows
    }
    for (const [path, file] of kept) {
      await this.object(what, path, file.bytes)
      await this.readDeep(what, path, file.rows)
    }
    if (rows !== pointer.rows)
      this.problems.push(`${what}: its files hold ${rows} rows, but the log says ${pointer.rows}`)
  }

  /** A file as it came: in a deep look its bytes are held against their checksum. */
  private async original(
    what: string,
    { path, bytes, sha256: sum }: { path: string; bytes: number; sha256: string },
  ): Promise<void> {
    await this.object(what, path, bytes)
    if (!this.deep) return
    await this.guarded(what, async () => {
      if (sha256(await this.storage.read(path)) !== sum)
        this.problems.push(`${what}: ${path} is not what was taken in: its SHA-256 is another`)
    })
  }

  private async readDeep(what: string, path: string, ...[rows, table]: DeepArguments) {
    if (!this.deep) return
    await this.guarded(what, async () => {
      const wrong = await this.deep?.(this.storage.locate(path), rows, table)
      for (const problem of wrong ?? []) this.problems.push(`${what}: ${path}: ${problem}`)
    })
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
