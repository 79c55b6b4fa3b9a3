import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeFiles } from '../examples/tickit/generate/files.js'
import type { Contender } from './main.js'
import { measure } from './measure.js'

/**
 * The TICKIT lake, from raw files to all gold tables, beside a script written by hand for DuckDB that
 * makes the same tables as plain Parquet with the same checks, but no lineage, log or Iceberg.
 */
export async function tickit(): Promise<[Contender, Contender]> {
  const folder = await mkdtemp(join(tmpdir(), 'moraine-bench-'))
  process.on('exit', () => void rm(folder, { recursive: true, force: true }))
  for (const { name, text } of makeFiles()) await writeFile(join(folder, name), text)
  const repository = join(import.meta.dirname, '..')
  const env = { TICKIT_DATA: folder, OUT: join(folder, 'out'), MORAINE_ROOT: join(folder, 'lake') }
  const clean = () =>
    Promise.all(
      [env.OUT, env.MORAINE_ROOT].map((path) => rm(path, { recursive: true, force: true })),
    )
  return [
    {
      name: 'moraine',
      run: async () => {
        await clean()
        return measure(
          process.execPath,
          [join(repository, 'bin/moraine.js'), '-C', join(repository, 'examples/tickit'), 'run'],
          env,
        )
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
