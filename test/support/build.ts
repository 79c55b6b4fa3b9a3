import { execFileSync } from 'node:child_process'
import type { TestProject } from 'vitest/node'
import { isBuilt } from './built.js'
import { turn } from './effort.js'
import { openMemoryFolder } from './memory-folder.js'

/**
 * The command line and a query's process run from the build, so tests begin with a fresh one,
 * unless they have it, or it is said so. Says which sample they draw, for whoever wants it again.
 */
export default function setup(project: TestProject): (() => void) | undefined {
  const folder = project.config.env?.TMPDIR
  const close = folder === undefined ? undefined : openMemoryFolder(folder)
  // Each project of tests asks for it.
  if (process.env.MORAINE_SET_UP) return close
  process.env.MORAINE_SET_UP = '1'
  // It is the same for all files, also where a day ends meanwhile.
  process.env.MORAINE_TURN ??= String(turn)
  if (process.env.MORAINE_SEED === 'random') {
    process.env.MORAINE_SEED = String(Date.now() % 2 ** 31)
    console.log(`Again with MORAINE_SEED=${process.env.MORAINE_SEED}`)
  }
  console.log(`Samples and properties of turn ${turn} (again with MORAINE_TURN=${turn})`)
  if (!process.env.MORAINE_BUILT && !isBuilt(project.config.root))
    execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' })
  return close
}
