import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeFiles } from '../examples/tickit/generate/files.js'
import type { Contender } from './main.js'
import { measure } from './measure.js'

export const repository = join(import.meta.dirname, '..')

/** A folder that is removed when the benchmark ends. */
export async function benchFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-bench-'))
  process.on('exit', () => execFileSync('rm', ['-rf', folder]))
  return folder
}

/**
 * The TICKIT lake, from raw files to all gold tables, beside a script written by hand for DuckDB
 * that makes the same tables as plain Parquet with the same checks, but no lineage, log or Iceberg.
 */
export async function tickit(scale: number): Promise<[Contender, Contender]> {
  const folder = await benchFolder()
  const write = join(import.meta.dirname, 'write-tickit.ts')
  // A process of its own: at ten times the size the rows take several GiB before they are written.
  const options = ['--max-old-space-size=14000', '--import', 'tsx']
  execFileSync(process.execPath, [...options, write, folder, String(scale)])
  return besideScript(folder, folder)
}

/** The same with a few lines of each file: what a run costs before there is anything to do. */
export async function overhead(): Promise<[Contender, Contender]> {
  const folder = await benchFolder()
  const data = join(folder, 'data')
  await mkdir(data)
  for (const { name, text } of makeFiles())
    await writeFile(join(data, name), `${text.split('\n').slice(0, 20).join('\n')}\n`)
  return besideScript(folder, data)
}

async function besideScript(folder: string, data: string): Promise<[Contender, Contender]> {
  const env = { TICKIT_DATA: data, OUT: join(folder, 'out'), MORAINE_ROOT: join(folder, 'lake') }
  const clean = () =>
    Promise.all(
      [env.OUT, env.MORAINE_ROOT].map((path) => rm(path, { recursive: true, force: true })),
    )
  const command = [join(repository, 'bin/moraine.js'), '-C', join(repository, 'examples/tickit')]
  return [
    {
      name: 'moraine',
      run: async () => {
        await clean()
        return measure(process.execPath, [...command, 'run'], env)
      },
    },
    {
      name: 'script',
      run: async () => {
        await clean()
        return measure(process.execPath, [join(import.meta.dirname, 'tickit-by-hand.mjs')], env)
      },
    },
  ]
}

/** The example's lake, filled once. */
export async function filledTickit(): Promise<{ command: string[]; env: NodeJS.ProcessEnv }> {
  const folder = await benchFolder()
  for (const { name, text } of makeFiles()) await writeFile(join(folder, name), text)
  const env = { TICKIT_DATA: folder, MORAINE_ROOT: join(folder, 'lake') }
  const command = [join(repository, 'bin/moraine.js'), '-C', join(repository, 'examples/tickit')]
  await measure(process.execPath, [...command, 'run'], env)
  await readFile(join(folder, 'lake/_moraine/log/main/00000000000000000001.json'))
  return { command, env }
}
