import { Table } from '../../iceberg/table.js'
import { OTHER, readJson } from '../../storage/checked.js'
import { MovedChecksums } from '../../storage/moved.js'
import { isPassing } from '../../storage/passing.js'
import type { Storage } from '../../storage/storage.js'
import { isDeletedBranch } from '../branch/ids.js'
import type { BatchPointer, LakeState, TableState } from '../commit.js'
import { emptyState } from '../fold.js'
import type { CommitLog } from '../log.js'
import { quarantinedIn } from '../quarantined.js'
import { BranchChecks } from './branch-checks.js'
import { Chain } from './chain.js'
import type { Part, ReadDeep, Verification } from './damage.js'
import { ExternalChecks } from './external-checks.js'
import { Findings } from './findings.js'
import { type Listed, listedIn, listFile, rowsOf } from './listed.js'
import { type Look, Objects } from './objects.js'
import { lookAtSealed } from './sealed-objects.js'

export interface VerifyOptions {
  /** Looks at the newest commit alone, and not at what earlier ones and other branches refer to. */
  head?: boolean
  /** Reads each object in full, and holds it against its checksum; and each data file's values. */
  deep?: ReadDeep | undefined
  /** Notes the checksums of what has none and can be read, as it is now. */
  record?: boolean
}

/**
 * Checks that all that the log refers to is there: the chain of commits, its checkpoints, and for
 * each commit that can be seen, on all branches, its tables' metadata, manifests and data files,
 * each batch's manifest and files, by existence, size and counts. Data are only read with `deep`.
 */
export async function verifyLake(
  storage: Storage,
  log: CommitLog,
  { head = false, deep, record = false }: VerifyOptions = {},
): Promise<Verification> {
  const found = new Verifier(storage, deep)
  const state = await found.chain.fold(log)
  if (!state) return found.report(emptyState, 0)
  await found.whole(state)
  await found.beside()
  if (!head) await found.all(log, state, storage)
  if (record) await found.record()
  const since = head ? state.number : Math.min(state.number, Math.max(1, state.horizon ?? 1))
  return found.report(state, since)
}

/**
 * SHA-256 of all objects that commits refer to, by path; of those that have none, and of what
 * damaged ones refer to, nothing is said.
 */
export async function checksumsOf(
  storage: Storage,
  log: CommitLog,
): Promise<ReadonlyMap<string, string>> {
  const found = new Verifier(storage, undefined, 'none')
  const state = await log.head()
  await found.state(state)
  await found.all(log, state, storage)
  return new Map([...found.checksums, ...(await externalChecksums(log))])
}

/** Of metadata files of other engines. */
async function externalChecksums(log: CommitLog): Promise<Map<string, string>> {
  const sums = new Map<string, string>()
  for await (const { commit } of log.entries())
    for (const relation of Object.values(commit.changes.external?.relations ?? {}))
      if (relation) sums.set(relation.metadata, relation.sha256)
  return sums
}

/**
 * What of a state is missing or damaged, by existence and size; nothing when it can be brought
 * back.
 *
 * @param suspicious objects of which all bytes are looked at.
 */
export async function damageOf(
  storage: Storage,
  state: LakeState,
  suspicious: ReadonlySet<string> = new Set(),
): Promise<Pick<Verification, 'problems' | 'unread'>> {
  const found = new Verifier(storage, undefined, 'sizes', suspicious)
  await found.state(state)
  return found.findings
}

/** Files of a batch, as its manifest tells of them. */
interface BatchFiles {
  files: {
    data: string
    rows: number
    bytes: number
    dataSha256?: string
    original?: { path: string; bytes: number; sha256: string }
  }[]
}

class Verifier {
  readonly findings = new Findings()
  readonly chain: Chain
  /** How many checksums were noted. */
  private recorded: number | undefined
  private readonly seen = new Set<string>()
  private readonly objects: Objects
  private readonly external: ExternalChecks
  /** Manifests that were looked at, by their paths. */
  private readonly manifests = new Map<string, Listed>()

  constructor(
    private readonly storage: Storage,
    private readonly deep: ReadDeep | undefined,
    private readonly look: Look = deep ? 'bytes' : 'sizes',
    suspicious?: ReadonlySet<string>,
  ) {
    this.chain = new Chain(storage, this.findings)
    this.objects = new Objects(storage, look, suspicious)
    const lookAt = this.object.bind(this)
    this.external = new ExternalChecks(storage, this.findings, lookAt, deep !== undefined)
  }

  get checksums(): ReadonlyMap<string, string> {
    return this.objects.expected
  }

  /** Checksums that do not stand where they belong. */
  async beside(): Promise<void> {
    for (const path of await this.objects.damagedChecksums()) {
      const why = 'is damaged: its content does not match its checksum'
      this.findings.found(`${path} ${why}`, {
        path,
        is: 'damaged',
        why,
        part: { kind: 'checksums' },
      })
    }
    if (!this.deep) return
    for await (const { path, part, error } of lookAtSealed(this.storage)) {
      const why = `is damaged: ${OTHER}`
      if (error) this.findings.notRead('', path, error)
      else this.findings.found(`${path} ${why}`, { path, is: 'damaged', why, part })
    }
  }

  report(state: LakeState, since: number): Verification {
    const [tables, batches] = [Object.keys(state.tables), Object.values(state.batches).flat()]
    const external = Object.keys(state.external?.relations ?? {})
    return {
      commits: state.number,
      since,
      tables: tables.length,
      batches: batches.length,
      ...(external.length > 0 ? { external: external.length } : {}),
      ...this.objects.totals,
      ...(this.recorded === undefined ? {} : { recorded: this.recorded }),
      quarantined: quarantinedIn(state).map(({ dataset, object: { name, held, reason } }) => {
        return { dataset, name, held, reason }
      }),
      ...(state.forgotten ? { forgotten: state.forgotten } : {}),
      problems: [...new Set(this.findings.problems)],
      problemsNow: new Set(
        this.findings.problems.slice(0, this.findings.headEnds ?? this.findings.problems.length),
      ).size,
      damaged: this.findings.damaged,
      unread: this.findings.unread,
    }
  }

  /** All that a commit shows. */
  async state({ tables, batches, watermarks }: LakeState): Promise<void> {
    await this.parts(tables, Object.values(batches).flat(), watermarks)
  }

  /** The same, and what other engines keep. */
  async whole(state: LakeState): Promise<void> {
    await this.state(state)
    if (this.look !== 'none') await this.external.state(state)
  }

  /** What earlier commits of a branch showed, as far back as it can be seen. */
  async commits(log: CommitLog, head: LakeState): Promise<void> {
    const first = Math.max(log.forkedAt, head.horizon ?? 0)
    if (first > log.forkedAt) await this.whole(await log.stateAt(first))
    for (let number = first + 1; number < head.number; number++) {
      const entry = await log.entry(number)
      const { tables = {}, batches = [], watermarks = {}, external } = entry?.commit.changes ?? {}
      const of = ` of commit ${number}`
      await this.parts(tables, batches, watermarks, of)
      if (this.look !== 'none') await this.external.changes(external, of)
    }
  }

  /** What earlier commits and other branches show. */
  async all(log: CommitLog, head: LakeState, storage: Storage): Promise<void> {
    this.findings.headEnds = this.findings.problems.length
    await this.commits(log, head)
    const branches = new BranchChecks(storage, this.findings, this.chain)
    for (const id of await storage.folders('_moraine/log/'))
      if (id !== log.branch && !isDeletedBranch(id, head))
        await this.findings.guarded(`branch ${id}`, { kind: 'log', branch: id }, async () => {
          const state = await branches.check(log, id)
          if (state) await this.whole(state)
        })
  }

  async record(): Promise<void> {
    const damaged = new Set(this.findings.damaged.map(({ path }) => path))
    this.recorded = await this.objects.record(damaged)
  }

  private async parts(
    tables: Readonly<Record<string, TableState | null>>,
    batches: readonly BatchPointer[],
    watermarks: Readonly<Record<string, unknown>>,
    of = '',
  ): Promise<void> {
    for (const [name, table] of Object.entries(tables))
      if (table && this.isNew(table.metadata)) await this.table(name, `${name}${of}`, table)
    for (const batch of batches) if (this.isNew(batch.manifest)) await this.batch(batch, of)
    for (const [dataset, watermark] of Object.entries(watermarks)) {
      const { index } = (watermark ?? {}) as { index?: { path?: string; sha256?: string } }
      if (index?.path === undefined) continue
      const { path, sha256 } = index
      await this.object(dataset, { kind: 'index', dataset }, path, { sha256 })
    }
    for (const { dataset, object } of quarantinedIn({ watermarks })) {
      const { path, ...original } = object.original
      const what = `${object.name} in the quarantine of ${dataset}`
      await this.object(what, { kind: 'quarantine', dataset, name: object.name }, path, original)
    }
  }

  private isNew(path: string): boolean {
    const is = !this.seen.has(path)
    this.seen.add(path)
    return is
  }

  async table(name: string, what: string, state: TableState): Promise<void> {
    const part = { kind: 'table', table: name } as const
    const { metadata, sha256 } = state
    if (!(await this.object(what, { ...part, file: 'metadata' }, metadata, { sha256 }))) return
    await this.findings.guarded(what, { ...part, file: 'metadata' }, async () => {
      const table = await Table.load(this.storage, state)
      const rows = table.snapshot ? await this.snapshot(part, what, table, table.snapshot) : 0
      if (rows !== undefined && rows !== state.rows)
        this.findings.problems.push(
          `${what}: its files have ${rows} rows, but the log says ${state.rows}`,
        )
      await this.tagged(part, what, table)
    })
  }

  /** What tags of a table lead to, and its statistics. */
  private async tagged(part: TablePart, what: string, table: Table): Promise<void> {
    for (const { tag, snapshot } of table.tagged)
      await this.snapshot({ ...part, tag }, `${what} (tag ${tag})`, table, snapshot)
    for (const path of table.statistics())
      await this.object(what, { ...part, file: 'statistics' }, path, {})
  }

  /** The rows of a snapshot; `undefined` where not all that it leads to can be read. */
  private async snapshot(
    part: TablePart,
    what: string,
    table: Table,
    snapshot: NonNullable<Table['snapshot']>,
  ): Promise<number | undefined> {
    const listed = { ...part, file: 'manifest list' } as const
    const { path, sha256 } = listFile(table, snapshot)
    if (!(await this.object(what, listed, path, { sha256 }))) return undefined
    let rows: number | undefined
    await this.findings.guarded(what, listed, async () => {
      const all: (Listed | undefined)[] = []
      for (const manifest of await table.manifests(snapshot))
        all.push(await this.manifest(part, what, table, manifest))
      if (all.every((one) => one !== undefined)) rows = rowsOf(all)
    })
    return rows
  }

  /** What a manifest lists; `undefined` where it can't be read. */
  private async manifest(
    of: TablePart,
    what: string,
    table: Table,
    manifest: ManifestFile,
  ): Promise<Listed | undefined> {
    const location = table.pathOf(manifest.manifest_path)
    const known = this.manifests.get(location)
    if (known !== undefined) return known
    const part = { ...of, file: 'manifest' } as const
    const { manifest_length: bytes, sha256 } = manifest
    if (!(await this.object(what, part, location, { bytes, sha256 }))) return undefined
    await this.findings.guarded(what, part, async () => {
      const live = (await table.entries(manifest)).filter((entry) => entry.status !== 'deleted')
      for (const { file } of live) {
        const path = table.pathOf(file.path)
        if (!this.isNew(path)) continue
        const of = { ...part, file: 'data' } as const
        if (await this.object(what, of, path, file))
          await this.readDeep(what, of, path, file.rows, { schema: table.schema, file })
      }
      this.manifests.set(location, listedIn(live.map(({ file }) => file)))
    })
    return this.manifests.get(location)
  }

  async batch(pointer: BatchPointer, of = ''): Promise<void> {
    const what = `${pointer.dataset} batch ${pointer.number}${of}`
    const { dataset, number, manifest: path, sha256 } = pointer
    const part = { kind: 'batch', dataset, number } as const
    const described = { ...part, file: 'manifest' } as const
    if (!(await this.object(what, described, path, { sha256 }))) return
    await this.findings.guarded(what, described, async () => {
      const manifest = await readJson<BatchFiles>(this.storage, path, sha256)
      await this.batchFiles(what, part, pointer, manifest)
    })
    await this.archived(what, part, pointer)
  }

  private async batchFiles(
    what: string,
    part: { kind: 'batch'; dataset: string; number: number },
    pointer: BatchPointer,
    { files }: BatchFiles,
  ): Promise<void> {
    // Small source files share one Parquet file, which the first of them describes.
    const kept = new Map<string, { bytes: number; rows: number; sha256: string | undefined }>()
    let rows = 0
    for (const file of files) {
      const { data, original } = file
      const before = kept.get(data) ?? { bytes: 0, rows: 0, sha256: undefined }
      kept.set(data, {
        bytes: before.bytes + file.bytes,
        rows: before.rows + file.rows,
        sha256: before.sha256 ?? file.dataSha256,
      })
      if (original) await this.object(what, { ...part, file: 'original' }, original.path, original)
      rows += file.rows
    }
    for (const [path, file] of kept) {
      const of = { ...part, file: 'data' } as const
      if (await this.object(what, of, path, file)) await this.readDeep(what, of, path, file.rows)
    }
    if (rows !== pointer.rows)
      this.findings.problems.push(
        `${what}: its files have ${rows} rows, but the log says ${pointer.rows}`,
      )
  }

  /** What the archive says of a batch. */
  private async archived(
    what: string,
    part: { kind: 'batch'; dataset: string; number: number },
    { archived }: BatchPointer,
  ): Promise<void> {
    if (!archived) return
    await this.object(what, { ...part, file: 'archived manifest' }, archived.path, archived)
  }

  private async readDeep(what: string, part: Part, path: string, ...of: DeepArguments) {
    const { deep } = this
    if (!deep) return
    try {
      for (const why of await deep(this.storage.locate(path), ...of))
        this.findings.found(`${what}: ${path}: ${why}`, { path, is: 'wrong', why, part })
    } catch (error) {
      this.findings.notRead(what, path, error)
    }
  }

  /** Looks at an object, once; tells whether it is as it should be, as far as it was looked at. */
  private async object(
    what: string,
    part: Part,
    path: string,
    { bytes, sha256 }: { bytes?: number; sha256?: string | undefined },
  ): Promise<boolean> {
    const wrong = await this.objects.check(path, bytes, sha256).catch((error) => {
      if (!isPassing(error)) throw error
      this.findings.notRead(what, path, error)
      return 'unread' as const
    })
    if (!wrong) return true
    if (wrong === 'unread') return false
    // In a lake that was copied the log says what metadata were before.
    const sum = (await MovedChecksums.of(this.storage).get(path)) ?? sha256
    this.findings.found(`${what}: ${path} ${wrong.why}`, {
      path,
      ...wrong,
      part,
      ...(sum ? { sha256: sum } : {}),
      ...(bytes === undefined ? {} : { bytes }),
    })
    return false
  }
}

type ManifestFile = Awaited<ReturnType<Table['manifests']>>[number]

/** Of which table something is, and of which tag of it, where only that leads to it. */
type TablePart = Pick<Part & { kind: 'table' }, 'kind' | 'table' | 'tag'>

type DeepArguments = Parameters<ReadDeep> extends [string, ...infer Rest] ? Rest : never
