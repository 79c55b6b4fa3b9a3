import { messageOf } from '../errors.js'
import type { DataFile, ManifestFile } from '../iceberg/spec/manifest.js'
import type { Schema } from '../iceberg/spec/types.js'
import { Table } from '../iceberg/table.js'
import type { Storage } from '../storage/storage.js'
import { Checkpoints } from './checkpoints.js'
import { type BatchPointer, emptyState, type LakeState, type TableState } from './commit.js'
import { sha256 } from './hash.js'
import { type CommitLog, checkedFold } from './log.js'
import { quarantinedIn } from './quarantined.js'

/** What was looked at, and what is wrong. */
export interface Verification {
  commits: number
  /** The oldest commit that was looked at; earlier ones were let go by vacuum. */
  since: number
  /** Tables and batches of the newest commit. */
  tables: number
  batches: number
  /** Files that the commits which were looked at refer to, and their bytes. */
  files: number
  bytes: number
  /** What could not be read and is not part of any table: it is kept, and can be put back. */
  quarantined: { dataset: string; name: string; held: boolean; reason: string }[]
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

export interface VerifyOptions {
  /** Looks at the newest commit alone, and not at what earlier ones and other branches refer to. */
  head?: boolean
  /** Reads each data file in full. */
  deep?: ReadDeep | undefined
}

/**
 * Checks that all that the log refers to is there: the chain of commits, its checkpoints, and for each commit that can
 * be seen, on all branches, its tables' metadata, manifests and data files, each batch's manifest and files, by
 * existence, size and counts. Data are only read with `deep`.
 */
export async function verifyLake(
  storage: Storage,
  log: CommitLog,
  { head = false, deep }: VerifyOptions = {},
): Promise<Verification> {
  const found = new Verifier(storage, deep)
  const state = await found.chain(log)
  if (!state) return found.report(emptyState, 0)
  await found.state(state)
  if (head) return found.report(state, state.number)
  await found.commits(log, state)
  for (const id of await storage.folders('_moraine/log/'))
    if (id !== log.branch) await found.guarded(`branch ${id}`, () => found.branch(log, id))
  return found.report(state, Math.min(state.number, Math.max(1, state.horizon ?? 1)))
}

/** What of a state is missing or damaged, by existence and size; nothing when it can be brought back. */
export async function damageOf(storage: Storage, state: LakeState): Promise<string[]> {
  const found = new Verifier(storage, undefined)
  await found.state(state)
  return found.problems
}

type DeepArguments = [rows: number, table?: { schema: Schema; file: DataFile }]

class Verifier {
  readonly problems: string[] = []
  private readonly seen = new Set<string>()
  /** Bytes of the files that were looked at, by their paths. */
  private readonly objects = new Map<string, number>()
  /** Rows of manifests that were looked at, by their paths. */
  private readonly manifests = new Map<string, number>()

  constructor(
    private readonly storage: Storage,
    private readonly deep: ReadDeep | undefined,
  ) {}

  /** Folds the whole log, as if there were no checkpoints, and holds them against it; `undefined` where it is broken. */
  async chain(log: CommitLog): Promise<LakeState | undefined> {
    const missing = await log.missing()
    for (const path of missing) this.problems.push(`the log: ${path} is missing`)
    if (missing.length > 0) return undefined
    const checkpoints = new Checkpoints(this.storage, log.branch)
    const numbers = new Set(await checkpoints.numbers())
    let state = emptyState
    try {
      for await (const entry of log.entries()) {
        state = checkedFold(state, entry)
        if (numbers.delete(state.number)) await this.checkpoint(checkpoints, state)
      }
    } catch (error) {
      this.problems.push(messageOf(error))
      return undefined
    }
    return state
  }

  private async checkpoint(checkpoints: Checkpoints, state: LakeState): Promise<void> {
    await this.guarded('log', async () => {
      const kept = await checkpoints.read(state.number)
      if (JSON.stringify(kept) !== JSON.stringify(state))
        this.problems.push(
          `${checkpoints.pathOf(state.number)} is not the state of its commit: remove it`,
        )
    })
  }

  report(state: LakeState, since: number): Verification {
    const [tables, batches] = [Object.keys(state.tables), Object.values(state.batches).flat()]
    const files = [...this.objects.values()]
    return {
      commits: state.number,
      since,
      tables: tables.length,
      batches: batches.length,
      files: files.length,
      bytes: files.reduce((sum, size) => sum + size, 0),
      quarantined: quarantinedIn(state).map(({ dataset, object: { name, held, reason } }) => {
        return { dataset, name, held, reason }
      }),
      problems: [...new Set(this.problems)],
    }
  }

  /** All that a commit shows. */
  async state({ tables, batches, watermarks }: LakeState): Promise<void> {
    await this.parts(tables, Object.values(batches).flat(), watermarks)
  }

  /** What earlier commits of a branch showed, as far back as it can be seen. */
  async commits(log: CommitLog, head: LakeState): Promise<void> {
    const first = Math.max(log.forkedAt, head.horizon ?? 0)
    if (first > log.forkedAt) await this.state(await log.stateAt(first))
    for (let number = first + 1; number < head.number; number++) {
      const entry = await log.entry(number)
      const { tables = {}, batches = [], watermarks = {} } = entry?.commit.changes ?? {}
      await this.parts(tables, batches, watermarks, ` of commit ${number}`)
    }
  }

  async branch(log: CommitLog, id: string): Promise<void> {
    const branch = await log.openBranch(id)
    if (!branch) return
    for (const path of await branch.missing())
      this.problems.push(`branch ${id}: ${path} is missing`)
    await this.state(await branch.head())
  }

  private async parts(
    tables: Readonly<Record<string, TableState | null>>,
    batches: readonly BatchPointer[],
    watermarks: Readonly<Record<string, unknown>>,
    of = '',
  ): Promise<void> {
    for (const [name, table] of Object.entries(tables))
      if (table && this.isNew(table.metadata))
        await this.guarded(`${name}${of}`, () => this.table(`${name}${of}`, table))
    for (const batch of batches)
      if (this.isNew(batch.manifest))
        await this.guarded(`${batch.dataset} batch ${batch.number}${of}`, () => this.batch(batch))
    for (const [name, watermark] of Object.entries(watermarks)) {
      const path = (watermark as { index?: { path?: string } } | null)?.index?.path
      if (path) await this.guarded(name, () => this.object(name, path))
    }
    for (const { dataset, object } of quarantinedIn({ watermarks })) {
      const what = `${object.name} in the quarantine of ${dataset}`
      if (this.isNew(object.original.path))
        await this.guarded(what, () => this.original(what, object.original))
    }
  }

  private isNew(path: string): boolean {
    const is = !this.seen.has(path)
    this.seen.add(path)
    return is
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
    const location = table.pathOf(manifest.manifest_path)
    const known = this.manifests.get(location)
    if (known !== undefined) return known
    await this.object(name, location, manifest.manifest_length)
    const live = (await table.entries(manifest)).filter((entry) => entry.status !== 'deleted')
    for (const { file } of live) {
      const path = table.pathOf(file.path)
      if (!this.isNew(path)) continue
      await this.object(name, path, file.bytes)
      await this.readDeep(name, path, file.rows, { schema: table.schema, file })
    }
    const signs = { data: 1, 'position deletes': -1, 'equality deletes': 0 }
    const rows = live.reduce((sum, { file }) => sum + signs[file.content ?? 'data'] * file.rows, 0)
    this.manifests.set(location, rows)
    return rows
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

  private async object(what: string, path: string, size?: number): Promise<void> {
    if (this.objects.has(path)) return
    const object = await this.storage.stat(path)
    this.objects.set(path, object?.size ?? 0)
    if (!object) this.problems.push(`${what}: ${path} is missing`)
    else if (size !== undefined && object.size !== size)
      this.problems.push(`${what}: ${path} has ${object.size} bytes instead of ${size}`)
  }
}
