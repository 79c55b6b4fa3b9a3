import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFiles } from '../examples/tickit/generate/files.js'
import { generate } from '../examples/tpcds/generate/main.js'
import { type Counter, countCpu, countInstructions } from './counted.js'
import { measuredCommits } from './figures.js'
import { benchFolder, repository } from './tickit.js'

/*
 * npm run bench -- guard [--against COMMIT] [--pairs N] [--json]: what five small works take, here
 * and in the tree of a commit (the last tag; where there is none, the commit that the guide's
 * figures were measured on last), by what depends least on the machine's mood. It shows
 * what has crept in, and fails for nothing.
 */

/** A work, as arguments of `moraine` in a tree. */
interface Work {
  name: string
  /** The folder of the lake's definition, within a tree. */
  lake: string
  args: readonly string[]
  /** Begins without a lake; otherwise with one that has all rows. */
  empty: boolean
}

const TICKIT = 'examples/tickit'
const works: readonly Work[] = [
  { name: 'TICKIT, first run', lake: TICKIT, args: ['run'], empty: true },
  { name: 'TPC-DS at 0.01, first run', lake: 'bench/tpcds', args: ['run'], empty: true },
  { name: 'TICKIT, run without news', lake: TICKIT, args: ['run'], empty: false },
  { name: 'TICKIT, plan', lake: TICKIT, args: ['plan'], empty: false },
  { name: 'TICKIT, status', lake: TICKIT, args: ['status'], empty: false },
]

interface Tree {
  name: string
  folder: string
}

/**
 * What a work took, least of all turns; without the other where there is none, or it does not know
 * the work.
 */
interface Counted {
  work: string
  here: number
  there?: number
}

/** What to compare with where nothing is said. */
function lastKnown(): string | undefined {
  try {
    return git('describe', '--tags', '--abbrev=0')
  } catch {
    const page = readFileSync(join(repository, 'docs/guide/speed.md'), 'utf8')
    const measured = measuredCommits(page).filter(isInHistory)
    return measured.length > 0 ? git('rev-list', '-1', ...measured) : undefined
  }
}

function isInHistory(commit: string): boolean {
  try {
    git('merge-base', '--is-ancestor', commit, 'HEAD')
    return true
  } catch {
    return false
  }
}

function git(...args: string[]): string {
  const stdio = ['ignore', 'pipe', 'ignore'] as const
  return execFileSync('git', args, { cwd: repository, encoding: 'utf8', stdio: [...stdio] }).trim()
}

/** The tree of a commit, built in a folder that goes when the benchmark ends. */
async function treeOf(commit: string): Promise<Tree> {
  const folder = join(await benchFolder(), 'tree')
  git('worktree', 'add', '--detach', folder, commit)
  process.on('exit', () => git('worktree', 'remove', '--force', folder))
  // `npm ci` builds the package, too.
  execFileSync('npm', ['ci', '--silent', '--prefer-offline'], { cwd: folder, stdio: 'ignore' })
  return { name: 'there', folder }
}

async function dataFolder(): Promise<NodeJS.ProcessEnv> {
  const folder = await benchFolder()
  const [tickit, tpcds] = [join(folder, 'tickit'), join(folder, 'tpcds')]
  await mkdir(tickit)
  for (const { name, text } of makeFiles()) await writeFile(join(tickit, name), text)
  await generate(tpcds, 0.01)
  return { TICKIT_DATA: tickit, TPCDS_DATA: tpcds }
}

/** Does a work once in a tree, which has its lakes to itself. */
async function once(
  count: Counter,
  { lake, args, empty }: Work,
  { name, folder }: Tree,
  env: NodeJS.ProcessEnv & { LAKES: string },
): Promise<number> {
  const root = join(env.LAKES, name, empty ? 'empty' : 'full')
  const moraine = (words: readonly string[]) => {
    const command = [join(folder, 'bin/moraine.js'), '-C', join(folder, lake), ...words]
    return count(process.execPath, command, { ...env, MORAINE_ROOT: root })
  }
  if (empty) await rm(root, { recursive: true, force: true })
  else if (!existsSync(root)) await moraine(['run'])
  return moraine(args)
}

export async function guard(
  turns: number,
  against: string | undefined,
  json: boolean,
): Promise<void> {
  const commit = against ?? lastKnown()
  const here: Tree = { name: 'here', folder: repository }
  const there = commit === undefined ? undefined : await treeOf(commit)
  const env = { ...(await dataFolder()), LAKES: await benchFolder() }
  const { count, unit } = (await countInstructions()) ?? countCpu
  const counted: Counted[] = []
  for (const work of works) {
    const least = { here: Number.POSITIVE_INFINITY, there: Number.POSITIVE_INFINITY }
    for (let turn = 0; turn < turns; turn++) {
      least.here = Math.min(least.here, await once(count, work, here, env))
      if (there)
        least.there = Math.min(
          least.there,
          await once(count, work, there, env).catch(() => Number.POSITIVE_INFINITY),
        )
    }
    const known = Number.isFinite(least.there) ? { there: least.there } : {}
    counted.push({ work: work.name, here: least.here, ...known })
  }
  const at = git('rev-parse', '--short', 'HEAD')
  if (json) {
    console.log(
      JSON.stringify({ at, against: commit ?? null, unit, turns, works: counted }, null, 2),
    )
    return
  }
  console.log(
    `${unit}, least of ${turns}; ${at} beside ${commit ?? 'no other: --against takes a commit'}`,
  )
  for (const { work, here: ours, there: theirs } of counted)
    console.log(
      `${work.padEnd(28)} ${ours.toFixed(2).padStart(8)} ${(theirs?.toFixed(2) ?? '-').padStart(8)} ${theirs ? percent(ours / theirs - 1) : ''}`,
    )
}

const percent = (share: number) =>
  `${share < 0 ? '-' : '+'}${Math.abs(share * 100).toFixed(1)} %`.padStart(9)
