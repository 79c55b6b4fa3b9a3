import { Console } from 'node:console'
import { Command, CommanderError } from 'commander'
import { nearest } from '../define/nearest.js'
import { MoraineError } from '../errors.js'
import { program as version } from '../log/program.js'
import { endDespiteWork, exitNow, isAtWork } from '../process/end-now.js'
import { repeating } from './branch/again.js'
import { readValues } from './option-values.js'
import { errorJson, exitCodeOf, renderError } from './output/errors.js'
import { toJson } from './output/format.js'
import { show } from './output/terminal.js'
import { tellWaits } from './output/waits.js'
import type { GlobalOptions } from './project.js'

/** For whoever runs several command lines in one process. */
export { isAtWork }

/** Adds a command; `run` is only loaded when it is called. */
export interface CommandModule {
  define(program: Command): Command
  run(command: Command): Promise<number>
}

export const commands: [name: string, load: () => Promise<CommandModule>, summary: string][] = [
  [
    'init',
    () => import('./commands/define/init.js'),
    'create a small working lake in a new folder',
  ],
  ['plan', () => import('./commands/build/plan.js'), 'show what a run would do, and why'],
  ['run', () => import('./commands/build/run.js'), 'bring the lake up to date'],
  [
    'dev',
    () => import('./commands/build/dev.js'),
    'rerun on each save, in a development copy of the lake',
  ],
  [
    'status',
    () => import('./commands/read/status.js'),
    'show the datasets: rows, sizes, what is out of date',
  ],
  [
    'runs',
    () => import('./commands/read/runs.js'),
    'show the runs: what they did, and what failed',
  ],
  ['history', () => import('./commands/read/history.js'), 'show the commits of the lake'],
  [
    'audit',
    () => import('./commands/read/audit.js'),
    'show who called the catalog, what for, and what was refused',
  ],
  ['query', () => import('./commands/read/query.js'), 'run one SELECT over the lake'],
  [
    'catalog',
    () => import('./commands/read/catalog.js'),
    'describe the datasets: columns, lineage, sizes; search',
  ],
  [
    'crawl',
    () => import('./commands/define/crawl.js'),
    'find the tables of a database or folder, and write definitions',
  ],
  [
    'serve',
    () => import('./commands/build/serve.js'),
    'run the daemon: scheduled jobs, and ingestion over HTTP',
  ],
  [
    'schedule',
    () => import('./commands/build/schedule.js'),
    'show what runs when; pause and resume jobs',
  ],
  [
    'deploy',
    () => import('./commands/deploy/deploy.js'),
    'deploy the lake to AWS; show what would change; remove it',
  ],
  [
    'preview',
    () => import('./commands/read/preview.js'),
    'show the first rows of a dataset or of a raw file',
  ],
  [
    'discarded',
    () => import('./commands/read/discarded.js'),
    'show which rows were discarded, and why',
  ],
  [
    'profile',
    () => import('./commands/read/profile.js'),
    'show statistics of the columns of a dataset',
  ],
  [
    'export',
    () => import('./commands/build/export.js'),
    'bring the tables of warehouses up to date with the lake',
  ],
  ['replay', () => import('./commands/build/replay.js'), 'validate discarded rows again'],
  [
    'quarantine',
    () => import('./commands/maintain/quarantine.js'),
    'show what could not be read and is in quarantine; try again',
  ],
  [
    'rebuild',
    () => import('./commands/build/rebuild.js'),
    'rebuild datasets from their archived files',
  ],
  [
    'rename',
    () => import('./commands/define/rename.js'),
    'rename a dataset, keeping its rows and history',
  ],
  [
    'drop',
    () => import('./commands/define/drop.js'),
    'drop a dataset that has been removed from lake.ts',
  ],
  [
    'discard-batch',
    () => import('./commands/maintain/discard-batch.js'),
    'remove the rows of one batch from the lake',
  ],
  [
    'forget',
    () => import('./commands/maintain/forget.js'),
    'remove a person from every layer, earlier states, the archive and records',
  ],
  [
    'rollback',
    () => import('./commands/maintain/rollback.js'),
    'restore an earlier state, as a new commit',
  ],
  [
    'branch',
    () => import('./commands/branch/branch.js'),
    'list, create, show, rename, refresh and delete branches',
  ],
  [
    'diff',
    () => import('./commands/branch/diff.js'),
    'show what differs between branches, commits or times, row by row',
  ],
  [
    'why',
    () => import('./commands/branch/why.js'),
    'show which rows a value of gold was made of, and their files and lines',
  ],
  [
    'bisect',
    () => import('./commands/branch/bisect.js'),
    'find the commit at which a condition became true or false',
  ],
  [
    'review',
    () => import('./commands/branch/review.js'),
    'build a change on a branch, compare it with main, and print the result as Markdown, for CI',
  ],
  [
    'promote',
    () => import('./commands/branch/promote.js'),
    'publish what was built on a branch, as it was reviewed',
  ],
  [
    'bundle',
    () => import('./commands/build/bundle.js'),
    'write an archive that brings workers to the executors of a cluster',
  ],
  [
    'mcp',
    () => import('./commands/read/mcp.js'),
    'let an agent ask about the lake (Model Context Protocol, on standard input)',
  ],
  [
    'worker',
    () => import('./commands/build/worker.js'),
    'carry out steps for a run that started it',
  ],
  [
    'spark-job',
    () => import('./commands/build/spark-job.js'),
    'run a job of the lake for a program that Spark has started',
  ],
  ['test', () => import('./commands/build/test.js'), 'run the unit tests of datasets'],
  ['optimize', () => import('./commands/maintain/optimize.js'), 'compact small files of tables'],
  [
    'vacuum',
    () => import('./commands/maintain/vacuum.js'),
    'find and remove files that nothing refers to',
  ],
  [
    'lifecycle',
    () => import('./commands/maintain/lifecycle.js'),
    "show or apply lifecycle rules for the lake's bucket",
  ],
  [
    'copy',
    () => import('./commands/maintain/copy.js'),
    'copy the lake to another folder or bucket',
  ],
  [
    'project',
    () => import('./commands/maintain/project.js'),
    'show the lake in the Glue Data Catalog, for Athena and other engines',
  ],
  [
    'verify',
    () => import('./commands/maintain/verify.js'),
    'check that every file that the log refers to is there',
  ],
  [
    'repair',
    () => import('./commands/maintain/repair.js'),
    'repair damaged files as far as possible',
  ],
]

/** Runs a command line; returns the exit code: 0 good, 1 a run or check failed, 2 a mistake. */
export async function main(argv: readonly string[]): Promise<number> {
  const code = await commandLine(argv)
  endDespiteWork()
  return code
}

async function commandLine(argv: readonly string[]): Promise<number> {
  if (!process.stdout.listeners('error').includes(endQuietly))
    process.stdout.on('error', endQuietly)
  // What a definition logs must not stand among what is printed for programs.
  globalThis.console = new Console(process.stderr, process.stderr)
  // Progress of a run has a place of its own for it, and serve tells it as its log does.
  const words = argv
    .slice(2)
    .filter((arg, i, all) => !arg.startsWith('-') && !takesValue(all[i - 1]))
  const [wanted] = words
  const quiet = wanted === 'run' || wanted === 'serve' ? undefined : tellWaits()
  let exit = 0
  const json = argv.includes('--json')
  const isHelp = argv.includes('--help') || argv.includes('-h')
  const said: string[] = []
  const program = new Command('moraine')
    .description('A medallion data lake in one typed file.')
    .version(version)
    .option('-C, --directory <dir>', "the project's folder", '.')
    .option('--root <url>', 'where the lake is stored; overrides lake.ts and MORAINE_ROOT')
    .option('--env <name>', 'an environment of lake.ts: its root, branch and sources')
    .option('--branch <name>', 'the branch to work on; overrides MORAINE_BRANCH (default: main)')
    .option('--json', 'print one JSON value')
    .showHelpAfterError(
      '(moraine --help lists the commands, moraine COMMAND --help shows examples)',
    )
    // Each command's help shows the options that all take.
    .configureHelp({ showGlobalOptions: true })
    .configureOutput(json ? { writeOut: (text) => said.push(text), writeErr() {} } : {})
    .exitOverride()
  for (const [name, load, summary] of commands) {
    if (name === wanted || wanted === 'help') {
      const module = await load()
      const command = module.define(program.command(name).description(summary))
      readValues(command, isHelp)
      command.exitOverride().action(async (...args) => {
        exit = await module.run(args.at(-1) as Command)
      })
    } else program.command(name).description(summary)
  }
  const line = { given: () => givenTo(program), commands: new Set(commands.map(([name]) => name)) }
  return repeating(line, async () => {
    try {
      refuseUnknownTopic(words, argv, line.commands)
      await program.parseAsync(wanted === 'query' ? argv.map(sqlNotOption) : [...argv])
      return exit
    } catch (error) {
      if (error instanceof CommanderError) {
        if (json) tellAsJson(error, said)
        return error.exitCode === 0 ? 0 : 2
      }
      report(error, json)
      return exitCodeOf(error)
    } finally {
      quiet?.()
    }
  })
}

/** Help about what is no command is that of all, which would pass for an answer. */
function refuseUnknownTopic(
  [first, second]: readonly string[],
  argv: readonly string[],
  known: ReadonlySet<string>,
): void {
  const isAsked = argv.includes('--help') || argv.includes('-h')
  const topic = first === 'help' ? second : isAsked ? first : undefined
  if (topic === undefined || topic === 'help' || known.has(topic)) return
  const similar = nearest(topic, [...known])
  throw new MoraineError('usage', `Unknown command '${topic}'`, {
    hint: similar ? `Did you mean '${similar}'?` : 'List the commands with: moraine --help',
  })
}

/** What is said of the command line itself, for programs; help stays a text. */
function tellAsJson({ code, message, exitCode }: CommanderError, said: readonly string[]): void {
  if (code === 'commander.version') show(`${toJson({ version }, 2)}\n`)
  else if (exitCode === 0) show(said.join(''))
  else {
    const text = code === 'commander.help' ? 'No command is given' : message.replace(/^error: /, '')
    const hint = 'moraine --help lists the commands, moraine COMMAND --help shows examples.'
    report(new MoraineError('usage', text, { hint }), true)
  }
}

/** The options of all commands that stand in the command line. */
function givenTo(program: Command): Partial<GlobalOptions> {
  const all = Object.entries(program.opts<GlobalOptions>())
  return Object.fromEntries(all.filter(([name]) => program.getOptionValueSource(name) === 'cli'))
}

/** A reader that has seen enough (`| head`) is no error. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') exitNow(0)
}

/** SQL may begin with a comment, which is no option: no option has white space in its name. */
function sqlNotOption(arg: string): string {
  return /^--[^=\s]*\s/.test(arg) ? ` ${arg}` : arg
}

function takesValue(arg: string | undefined): boolean {
  return ['-C', '--directory', '--root', '--env', '--branch'].includes(arg ?? '')
}

function report(error: unknown, json: boolean): void {
  if (json) show(`${toJson(errorJson(error), 2)}\n`)
  else show(`${renderError(error)}\n`, process.stderr)
}
