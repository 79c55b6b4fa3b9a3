import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Lake } from '../define/lake.js'
import type { Engine, Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import { Lakehouse } from '../load/lakehouse.js'
import { findLakeFile, loadLake } from '../load/load.js'
import type { CommitLog } from '../log/log.js'
import { parsePoint } from '../log/point.js'
import { IDENTITY } from '../log/reading/identity.js'
import { stopSignal } from '../process/stop-signal.js'
import { variable } from '../settings.js'
import type { JavaScript } from '../step/javascript.js'
import type { Patience } from '../storage/retry.js'
import type { RetryingStorage } from '../storage/retrying.js'
import { Staging } from '../storage/staging.js'
import { type Left, onBranch, placed, readEnvironment } from './branch/place.js'
import { type Shares, startEngine } from './engine.js'
import { toJson } from './output/format.js'
import { show } from './output/terminal.js'

/** Options that every command takes. */
export interface GlobalOptions {
  directory: string
  root?: string
  json?: boolean
  branch?: string
  env?: string
}

/**
 * A project as commands use it, each in the same way: the lake, what works on it until the command
 * ends, how it is stopped, and how its result is shown. What it opens is closed with it.
 */
export class Project<L extends Lake | undefined = Lake> implements AsyncDisposable {
  readonly storage: RetryingStorage
  readonly log: CommitLog
  readonly folder: string
  readonly json: boolean
  /** What of the definition is not done where the command works, and why. */
  left: Left = {}
  private readonly closing: (() => unknown)[] = []

  constructor(
    private readonly command: Command,
    /** The definition; of a command that needs none it may not have been read. */
    readonly lake: L,
    /** Where the lake lies, as it was said. */
    readonly root: string,
    readonly house: Lakehouse<RetryingStorage>,
  ) {
    const { directory, json = false } = command.optsWithGlobals<GlobalOptions>()
    this.storage = house.storage
    this.log = house.log
    this.folder = resolve(directory)
    this.json = json
  }

  /** What runs leave out of that, in sentences. */
  get leftByRuns(): string[] {
    const { exports, inboxes } = this.left
    return [exports, inboxes].filter((line) => line !== undefined)
  }

  /** The file that defines the lake. */
  get file(): string {
    return findLakeFile(this.folder)
  }

  /** Where processes find the lake that read one object each. */
  get trialPlace() {
    const { lake, house } = this
    const said = this.command.optsWithGlobals<GlobalOptions>().env
    const env = lake && readEnvironment(lake, said, house)
    return { file: this.file, root: this.storage.address ?? this.storage.url, env }
  }

  /** An engine for the command, within the memory that its options say. */
  async engine(shares?: Shares): Promise<Engine> {
    const engine = await startEngine(this.command, this.house, shares)
    this.closing.push(() => engine.close())
    return engine
  }

  /** A session of an engine for the command. */
  async session(): Promise<Session> {
    const session = await (await this.engine()).open()
    this.closing.push(() => session.close())
    return session
  }

  /** Threads that run the JavaScript of the definition. */
  async javascript(): Promise<JavaScript> {
    const { Threads } = await import('../load/threads.js')
    const threads = new Threads(this.file)
    this.closing.push(() => threads.close())
    return threads
  }

  /** Is aborted by Ctrl-C, and by SIGTERM; who says it once more ends the process at once. */
  stopped(): AbortSignal {
    const stop = stopSignal()
    this.closing.push(() => stop[Symbol.dispose]())
    return stop.signal
  }

  /**
   * Whether there is a lake: one that has commits, or where a run has begun, or rows have been
   * sent.
   */
  async hasLake(): Promise<boolean> {
    const commits = await this.log.head().then(
      ({ number }) => number,
      // One that is damaged is there.
      (error) => {
        if (error instanceof MoraineError && error.kind === 'storage') throw error
        return 1
      },
    )
    if (commits > 0) return true
    const begun = ['_moraine/', 'bronze/landing/'].map((path) => this.storage.list(path))
    // A server that waits for rows has said where a disk is mounted later.
    return (await Promise.all(begun)).flat().some(({ path }) => path !== IDENTITY)
  }

  /**
   * For commands that would find nothing to do where a disk is not mounted, and succeed.
   *
   * @throws MoraineError of kind `storage` when there is no lake.
   */
  async needsLake(): Promise<void> {
    if (await this.hasLake()) return
    throw new MoraineError('storage', `There is no lake at ${this.place} yet`, {
      hint: 'If there should be one, check that its disk is mounted and that the path is right (see --root). Otherwise create it with: moraine run',
    })
  }

  /** Where the lake lies, as people write it. */
  get place(): string {
    return this.storage.url.replace(/^file:\/\//, '')
  }

  /** Shows a result: as JSON where that is asked for, otherwise as lines for people. */
  show(value: unknown, lines: () => Iterable<string>): void {
    if (this.json) print(toJson(value, 2))
    else for (const line of lines()) print(line)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const close of this.closing.splice(0).reverse()) await close()
  }
}

export interface Opening {
  /** How long storage is waited for where it does not answer; ten seconds. */
  patience?: Patience
  /** That of an engine which is started beside. */
  staging?: Staging
}

/** Loads the project that the command's options choose. */
export async function openProject(
  command: Command,
  { patience, staging = new Staging() }: Opening = {},
): Promise<Project> {
  const options = command.optsWithGlobals<GlobalOptions>()
  const folder = resolve(options.directory)
  const lake = await loadLake(findLakeFile(folder))
  const { root, house, left } = await placed(command, lake, { folder, patience, staging })
  const project = new Project(command, lake, root, house)
  project.left = left
  return project
}

/**
 * The lake's log and storage; the definition is only read when nothing else says where the lake
 * lies.
 */
export async function openLog(command: Command): Promise<Project<Lake | undefined>> {
  const { root = variable('MORAINE_ROOT'), env } = command.optsWithGlobals<GlobalOptions>()
  if (!root || env !== undefined) return openProject(command)
  return new Project(command, undefined, root, await onBranch(command, Lakehouse.at(root)))
}

export function print(text: string): void {
  show(`${text}\n`)
}

/** A commit's number or a time, as an option gives it. */
export function pointOf(option: string, text: string): number | Date {
  const point = parsePoint(text)
  if (point !== undefined) return point
  throw new MoraineError('usage', `${option} ${text} is neither a commit nor a time`, {
    hint: 'Give a commit number (see moraine history) or a time such as 2026-01-31T12:00:00Z.',
  })
}
