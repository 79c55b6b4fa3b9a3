import { execFile } from 'node:child_process'
import { existsSync, type FSWatcher, watch } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import type { Lake } from '../../../define/lake.js'
import type { Engine } from '../../../engine/engine.js'
import { MoraineError } from '../../../errors.js'
import { Lakehouse } from '../../../load/lakehouse.js'
import { findLakeFile, loadLake } from '../../../load/load.js'
import { isSameRoot, resolvedRoot, rootOf, rootsIn } from '../../../load/root.js'
import { Threads } from '../../../load/threads.js'
import type { CommitLog } from '../../../log/log.js'
import type { Limits } from '../../../query/limits.js'
import { queryRows } from '../../../query/query.js'
import { besideOf } from '../../../run/own/beside.js'
import { abortController } from '../../../signals.js'
import type { RunRecord } from '../../../step/events.js'
import type { Storage } from '../../../storage/storage.js'
import { startEngine, withMemory } from '../../engine.js'
import { examples } from '../../examples.js'
import colors from '../../output/colors.js'
import { renderError } from '../../output/errors.js'
import { PlainView } from '../../output/plain.js'
import { printSteps } from '../../output/plan.js'
import { textTable } from '../../output/table.js'
import { ESC, show } from '../../output/terminal.js'
import { makePlan } from '../../planned.js'
import { type GlobalOptions, print } from '../../project.js'
import { limitsBeside } from '../../query-limits.js'

export function define(command: Command): Command {
  return withMemory(command)
    .argument('[dataset...]', 'datasets to run (default: all)')
    .option('--sample <rows>', 'rows to read of each source of silver', '10000')
    .option('--full', 'read all rows')
    .addOption(new Option('--engine <engine>').hideHelp())
    .addHelpText(
      'after',
      examples(
        ['try out definitions while you write them', 'moraine dev'],
        ['one dataset and what it needs, with all rows', 'moraine dev +gold.daily_revenue --full'],
      ),
    )
}

interface Options extends GlobalOptions {
  sample: number
  full?: boolean
  engine?: string
}

/** Milliseconds after a save in which others may follow. */
const TOGETHER = 80
/** Folders that are watched at most. */
const MOST = 500

/**
 * Shows what definitions do as they are written. What is built lies in a lake of its own: the real
 * one is not touched.
 */
export async function run(command: Command): Promise<number> {
  const options = command.optsWithGlobals<Options>()
  if (options.engine !== undefined && options.engine !== 'duckdb')
    throw new MoraineError(
      'usage',
      `moraine dev builds in its own process, without --engine ${options.engine}`,
      {
        hint: `It tries samples, which are not worth another engine; the rows would be the same. All rows on another engine, in a lake beside the real one: moraine run --root ./lake-dev --engine ${options.engine}`,
      },
    )
  const folder = resolve(options.directory)
  const file = findLakeFile(folder)
  const sample = options.full ? undefined : options.sample
  const abort = abortController()
  const trial = new Trial(file, command.args, sample, options.root, (house) =>
    startEngine(command, house),
  )
  const saved = new Saves(folder)
  const stopped = new Promise<void>((done) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => done())
  }).then(() => abort.abort())
  while (!abort.signal.aborted) {
    await saved.watch()
    await trial.once(abort.signal)
    if (abort.signal.aborted) break
    print(colors.dim('\nWaiting for changes; press Ctrl-C to stop.'))
    await Promise.race([saved.next(), stopped])
  }
  saved.close()
  return 0
}

/** One definition after the other, as it is saved. */
class Trial {
  constructor(
    private readonly file: string,
    private readonly selectors: readonly string[],
    private readonly sample: number | undefined,
    private readonly root: string | undefined,
    private readonly startEngine: (house: Lakehouse) => Promise<Engine>,
  ) {}

  /**
   * Says what is wrong, or what the definition gives; what was built before stays where it fails.
   */
  async once(signal: AbortSignal): Promise<void> {
    if (process.stdout.isTTY) show(`${ESC}[2J${ESC}[3J${ESC}[H`)
    print(colors.dim(`${new Date().toLocaleTimeString('en-GB')}  ${this.file}\n`))
    const types = checkTypes(resolve(this.file, '..'))
    try {
      const { lake, notes } = besideOf(await loadLake(this.file))
      const house = Lakehouse.at(this.rootFor(lake), { folder: resolve(this.file, '..') })
      const { storage, log } = house
      const planned = await makePlan({ lake, storage, log }, this.selectors, false)
      printSteps(planned)
      for (const note of notes(storage)) print(colors.dim(note))
      if (planned.stages.some(({ decision }) => decision.action !== 'none')) {
        print('')
        const record = await this.run(lake, house, signal)
        await this.show(record, storage, log, limitsBeside(lake))
      } else print('\nThe result is unchanged.')
      for (const problem of Object.values(planned.problems))
        show(`\n${renderError(problem)}\n`, process.stderr)
    } catch (error) {
      show(`${renderError(error)}\n`, process.stderr)
      print(colors.dim('\nThe previous build is still in place.'))
    }
    const found = await types
    if (found) print(`\n${colors.red('Types')}\n${found}`)
  }

  private async run(lake: Lake, house: Lakehouse, signal: AbortSignal) {
    const engine = await this.startEngine(house)
    const javascript = new Threads(this.file)
    const view = new PlainView()
    try {
      return await house.run(lake, {
        engine,
        ownEngine: true,
        javascript,
        signal,
        // Whoever tries things goes back and forth.
        acceptDefinition: true,
        allowBreaking: true,
        select: this.selectors,
        ...(this.sample === undefined ? {} : { sample: this.sample }),
        onEvent: (event) => view.event(event),
      })
    } finally {
      await javascript.close()
      await engine.close()
    }
  }

  /** The first rows of what was built. */
  private async show(
    record: RunRecord,
    storage: Storage,
    log: CommitLog,
    limits: Limits,
  ): Promise<void> {
    const built = record.steps.filter(
      ({ dataset, outcome }) => outcome === 'done' && !dataset.startsWith('bronze.'),
    )
    const state = await log.head()
    for (const { dataset } of built) {
      if (!state.tables[dataset]) continue
      const [tier, name] = dataset.split('.')
      const rows = await queryRows(storage, state, `SELECT * FROM ${tier}."${name}" LIMIT 3`, {
        limits: { ...limits, rows: 3 },
      })
      const names = Object.keys(rows[0] ?? {}).filter((column) => !column.startsWith('_'))
      print(`\n${colors.bold(dataset)}`)
      print(
        rows.length === 0
          ? 'no rows'
          : textTable(
              names.map((n) => ({ name: n })),
              rows,
            ),
      )
    }
  }

  /** A lake beside the real one, for samples and for all rows another one. */
  private rootFor(lake: Lake): string {
    const kind = this.sample === undefined ? 'all' : `sample-${this.sample}`
    const folder = resolve(this.file, '..')
    if (this.root !== undefined) return besideAll(lake, folder, resolvedRoot(this.root, folder))
    const root = rootOf(lake, folder)
    if (/^(?!file:)[a-z][a-z0-9+.-]+:\/\//i.test(root))
      throw new MoraineError(
        'usage',
        `The lake at ${root.split('?')[0]} cannot be used for development`,
        {
          hint: 'Use another folder: moraine dev --root ./lake-dev',
        },
      )
    return join(`${root.replace(/\/$/, '')}-dev`, kind)
  }
}

/**
 * @throws MoraineError of kind `usage` for the root of a real lake: it would lack the other rows.
 */
function besideAll(lake: Lake, folder: string, root: string): string {
  const same = rootsIn(lake, folder).find((one) => isSameRoot(root, one.root))
  if (!same) return root
  throw new MoraineError(
    'usage',
    `moraine dev tries things, and ${root.split('?')[0]} is the lake of ${same.by}`,
    { hint: 'Leave --root out, or use another folder: moraine dev --root ./lake-dev' },
  )
}

/** What TypeScript says of a project, where it is installed there. */
async function checkTypes(folder: string): Promise<string | undefined> {
  const program = join(folder, 'node_modules/.bin/tsc')
  if (!existsSync(program) || !existsSync(join(folder, 'tsconfig.json'))) return undefined
  return new Promise((done) => {
    execFile(program, ['--noEmit', '--pretty', 'false'], { cwd: folder }, (error, stdout) =>
      done(error ? stdout.trim() : undefined),
    )
  })
}

/** Tells when files of a project are saved: code, SQL and data. */
class Saves {
  private readonly watchers = new Map<string, FSWatcher>()
  private told = () => {}
  private saved = false

  constructor(private readonly folder: string) {}

  /** Watches folders that are new. */
  async watch(): Promise<void> {
    for (const folder of await foldersIn(this.folder, MOST)) {
      if (this.watchers.has(folder)) continue
      const watcher = watch(folder, (_, name) => {
        if (name === null || /(^\.|~$|\.tmp$|-dev$)/.test(name)) return
        this.saved = true
        setTimeout(() => this.told(), TOGETHER)
      })
      watcher.on('error', () => this.watchers.delete(folder))
      this.watchers.set(folder, watcher)
    }
  }

  async next(): Promise<void> {
    if (!this.saved)
      await new Promise<void>((done) => {
        this.told = done
      })
    this.saved = false
  }

  close(): void {
    for (const watcher of this.watchers.values()) watcher.close()
  }
}

/** A folder and those in it, but packages, hidden ones, and lakes. */
async function foldersIn(folder: string, most: number): Promise<string[]> {
  const found = [folder]
  for (let i = 0; i < found.length && found.length < most; i++) {
    const parent = found[i] as string
    const entries = await readdir(parent, { withFileTypes: true }).catch(() => [])
    for (const entry of entries) {
      if (!entry.isDirectory() || entry.name.startsWith('.')) continue
      const path = join(parent, entry.name)
      const other = entry.name === 'node_modules' || entry.name === 'dist'
      if (!other && !/-dev$/.test(entry.name) && !existsSync(join(path, '_moraine')))
        found.push(path)
    }
  }
  return found.slice(0, most)
}
