import { setTimeout as sleep } from 'node:timers/promises'
import { fullName } from '../../define/dataset.js'
import type { Bronze } from '../../define/model.js'
import type { InboxSource } from '../../define/source.js'
import type { LakeState } from '../../log/commit.js'
import type { SourceFile } from '../../source/files/source-file.js'
import {
  type Batches,
  type BatchManifest,
  columnsOf,
  describedFiles,
  type KnownFile,
  sealFiles,
} from '../../step/batches.js'
import { type RunContext, withSession } from '../../step/context.js'
import { commitRows, type NewBatch, newBatch, nothingYet } from '../batch-commit.js'
import type { Intake } from '../offer.js'
import {
  archivedBatch,
  besideBatch,
  inArchive,
  keepOriginal,
  Originals,
  type Place,
} from '../originals.js'
import { isAtFault, readAround } from '../quarantine/blame.js'
import { groupsBySuspicion, ProcessEnded, suspectsOf, whileReading } from '../quarantine/reading.js'
import { setAside } from '../quarantine/set-aside.js'
import { InboxIngest, readFile } from './ingest-files.js'
import type { Inbox, Look } from './look.js'
import { type InboxWatermark, recognized, remembered } from './remembered.js'

/** Files and bytes that are taken in as one batch. */
const TOGETHER = { files: 500, bytes: 2 ** 30 }
/** Files that are tried to find out whether any can be read. */
const TRIED = 5
/** How often is looked for a file that is being written. */
const LOOKS = 5

/** A file that can't be read, and all that came with it. */
interface Unread {
  file: SourceFile
  error: unknown
  all: readonly SourceFile[]
}

/** A batch that is about to be committed. */
interface Ingested {
  batch: NewBatch
  ingest: InboxIngest
  originals: Originals
  known: ReadonlyMap<string, KnownFile>
}

/** Ingests dropped files in groups, each of which becomes one batch. */
export class InboxBatches {
  /** Names of the objects that were there when it was last looked. */
  private there: ReadonlySet<string> = new Set()
  /** Objects that were there then, and had been taken in before. */
  private left: readonly SourceFile[] = []

  constructor(
    private readonly dataset: Bronze,
    private readonly source: InboxSource,
    private readonly inbox: Inbox,
    private readonly batches: Batches,
  ) {}

  /** What is complete and new; a file that was only just written is waited for, for a moment. */
  async look(state: LakeState, settle: number): Promise<Look> {
    for (let looks = 1; ; looks++) {
      const found = await this.inbox.look()
      if (found.unfinished > 0 && looks < LOOKS && settle > 0) {
        await sleep(settle)
        continue
      }
      if (!found.ready.some(({ remote }) => remote)) return found
      this.there = new Set(found.ready.flatMap(({ name, remote }) => (remote ? [name] : [])))
      // Objects that could not be removed.
      const before = await this.recognized(state, found.ready)
      this.left = [...before]
      return { ...found, ready: found.ready.filter((file) => !before.has(file)) }
    }
  }

  /**
   * Removes what was taken in before, where the process ended between the commit and this. A bucket
   * without versions keeps it.
   */
  async tidy(): Promise<void> {
    for (const file of this.left) {
      await file.remote?.identify()
      if (file.remote?.version === undefined) return
      await this.inbox.remove(file)
    }
  }

  private async recognized(
    state: LakeState,
    files: readonly SourceFile[],
  ): Promise<ReadonlySet<SourceFile>> {
    const known = await this.known(state)
    return recognized(files, [...known.values()], this.watermark(state))
  }

  private known(state: LakeState): Promise<Map<string, KnownFile>> {
    const { index } = this.watermark(state)
    return this.batches.knownFiles(state.batches[fullName(this.dataset)] ?? [], index)
  }

  private watermark(state: LakeState): InboxWatermark {
    return (state.watermarks[fullName(this.dataset)] ?? {}) as InboxWatermark
  }

  async ingest(
    context: RunContext,
    base: LakeState,
    files: readonly SourceFile[],
  ): Promise<Intake> {
    let done = nothingYet(base)
    const suspects = await suspectsOf(context, this.dataset)
    const nameOf = ({ name, size }: SourceFile) => `${name} (${size})`
    for (const group of groupsOf(files)) {
      context.signal.throwIfAborted()
      const claimed = await Promise.all(group.map((file) => this.inbox.claim(file)))
      const own = claimed.filter((file) => file !== undefined)
      const together = (done: Intake, files: readonly SourceFile[]) =>
        whileReading(context, this.dataset, files.map(nameOf), () =>
          this.ingestGroup(context, done, files),
        )
      const alone = (done: Intake, file: SourceFile, error: unknown) =>
        this.setAside(context, done, { file, error, all: own })
      for (const { objects, isAlone } of groupsBySuspicion(own, suspects, nameOf))
        done =
          isAlone && objects[0]
            ? await alone(done, objects[0], new ProcessEnded(objects[0].name))
            : await readAround(done, objects, together, alone)
      for (const file of own) await this.inbox.remove(file)
      done = await this.noteLeft(context, done, own)
    }
    await suspects.clear()
    return done
  }

  /**
   * Notes objects that were read and stay where they are, and of which no known file tells: zips,
   * and what came again as it was.
   */
  private async noteLeft(
    context: RunContext,
    done: Intake,
    files: readonly SourceFile[],
  ): Promise<Intake> {
    const left = files.filter(({ remote }) => remote && remote.version === undefined)
    if (left.length === 0) return done
    const before = await this.recognized(done.state, left)
    const news = left.filter((file) => !before.has(file))
    if (news.length === 0) return done
    const name = fullName(this.dataset)
    const { touched = {}, ...watermark } = this.watermark(done.state)
    const still = Object.entries(touched).filter(([object]) => this.there.has(object))
    const own = news.map(({ name, size, modified }) => [name, [size, modified]] as const)
    const changes = {
      watermarks: { [name]: { ...watermark, touched: Object.fromEntries([...still, ...own]) } },
    }
    const state = await context.log.commit(done.state, changes, {
      author: context.author,
      run: context.run,
      message: `record which objects of ${name} were read and left`,
    })
    return { ...done, state, commits: [...done.commits, state.number] }
  }

  private async ingestGroup(
    context: RunContext,
    done: Intake,
    files: readonly SourceFile[],
  ): Promise<Intake> {
    const { dataset } = this
    const known = await this.known(done.state)
    const batch = newBatch(context, done.state, dataset)
    const place = this.placeOf(batch.folder)
    const originals = new Originals(context.storage, place, context.signal)
    const ingestion = { context, dataset, source: this.source }
    const ingest = new InboxIngest(ingestion, { batch, known, originals, done })
    await withSession(context, fullName(dataset), async (session) => {
      for (const file of files) {
        context.signal.throwIfAborted()
        await ingest.file(session, file)
        context.progress(fullName(dataset), { rows: ingest.rows })
      }
    })
    return this.commit(context, done, { batch, ingest, originals, known })
  }

  /** Where files as they came are kept, once a batch has this folder. */
  private placeOf(folder: string): Place {
    const { archive, name } = this.dataset
    return archive ? inArchive(name) : besideBatch(folder)
  }

  private async setAside(
    context: RunContext,
    done: Intake,
    { file, error, all }: Unread,
  ): Promise<Intake> {
    const { dataset } = this
    const others = () => this.isAnyReadable(context, done, all, file)
    if (!(await isAtFault({ context, dataset }, done.state, error, others))) throw error
    const known = await this.known(done.state)
    const { name, size, modified } = file
    return setAside(context, done, dataset, {
      name,
      kind: 'file',
      size,
      modified,
      keep: ({ folder }) => keepOriginal(context, this.placeOf(folder), file, dataset),
      nameFor: (sha256) => {
        const before = known.get(name)
        const other = `${name}@${sha256.slice(0, 8)}`
        if (before?.sha256 === sha256 || known.has(other)) return undefined
        return before ? other : name
      },
      error,
      watermark: done.state.watermarks[fullName(dataset)] ?? {},
      ...(dataset.archive ? { archive: (batch) => archivedBatch(dataset.name, batch) } : {}),
    })
  }

  /** Whether one of the files that came with another can be read. */
  private async isAnyReadable(
    context: RunContext,
    done: Intake,
    all: readonly SourceFile[],
    unread: SourceFile,
  ): Promise<boolean> {
    const ingestion = { context, dataset: this.dataset, source: this.source }
    for (const file of all.filter((one) => one !== unread).slice(0, TRIED)) {
      const folder = `bronze/${this.dataset.name}/probe/${context.run}-${file.modified}`
      const batch = { number: 0, batch: '', folder }
      // It is tried, and not kept.
      const trial = { file, batch, done, kept: {} }
      const found = await readFile(ingestion, trial).catch(() => undefined)
      for (const { data } of found?.files ?? []) await context.storage.remove(data)
      if (found && found.files.length > 0) return true
    }
    return false
  }

  private async commit(
    context: RunContext,
    before: Intake,
    { batch, ingest, originals, known }: Ingested,
  ): Promise<Intake> {
    const { dataset } = this
    const done = { ...before, notes: [...before.notes, ...ingest.notes] }
    if (ingest.files.length === 0) return done
    const sealed = await sealFiles(context.storage, ingest.files)
    await originals.seal(dataset)
    const files = describedFiles(sealed)
    const all = new Map<string, KnownFile>([...known, ...files.map((f) => [f.name, f] as const)])
    const path = `bronze/${dataset.name}/index/${batch.batch}.json`
    const watermark = this.watermark(done.state)
    const place = { path, through: batch.number }
    const index = await this.batches.index(all, place, watermark.index, (files) =>
      remembered(files, this.there),
    )
    return commitRows(context, done, {
      dataset,
      batch,
      files,
      columns: columnsOf(ingest.files as unknown as BatchManifest[]),
      watermark: { ...watermark, ...(index ? { index } : {}) },
      more: {},
      ...(dataset.archive ? { copy: archivedBatch(dataset.name, batch.batch) } : {}),
    })
  }
}

function groupsOf(files: readonly SourceFile[]): SourceFile[][] {
  const groups: SourceFile[][] = []
  let bytes = 0
  for (const file of files) {
    const group = groups.at(-1)
    if (!group || group.length >= TOGETHER.files || bytes + file.size > TOGETHER.bytes) {
      groups.push([file])
      bytes = file.size
    } else {
      group.push(file)
      bytes += file.size
    }
  }
  return groups
}
