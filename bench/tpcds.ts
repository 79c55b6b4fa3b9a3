import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { generate } from '../examples/tpcds/generate/main.js'
import type { Contender } from './main.js'
import { measure } from './measure.js'
import { benchFolder, repository } from './tickit.js'

/** The folder of the 24 files: TPCDS_DATA, or one that is made at the scale and kept. */
export async function tpcdsData(scale: number): Promise<string> {
  const data = process.env.TPCDS_DATA ?? join(homedir(), '.cache/moraine-bench', `tpcds-${scale}`)
  if (!existsSync(join(data, 'web_sales.dat'))) await generate(data, scale, 0)
  return data
}

/**
 * The 24 tables of TPC-DS from text to reports, beside a script written by hand for DuckDB that makes the same reports
 * and partitions as plain Parquet. The files are those in TPCDS_DATA, or are made at the scale and kept.
 */
export async function tpcds(scale: number): Promise<[Contender, Contender]> {
  const data = await tpcdsData(scale)
  const folder = await benchFolder()
  const env = { TPCDS_DATA: data, OUT: join(folder, 'out'), MORAINE_ROOT: join(folder, 'lake') }
  const clean = () =>
    Promise.all(
      [env.OUT, env.MORAINE_ROOT].map((path) => rm(path, { recursive: true, force: true })),
    )
  const lake = join(import.meta.dirname, 'tpcds')
  const bytes = (path: string) => {
    const [kibibytes = '0'] = execFileSync('du', ['-sk', path], { encoding: 'utf8' }).split('\t')
    return Number(kibibytes) / 1024
  }
  return [
    {
      name: 'moraine',
      run: async () => {
        await clean()
        const args = [join(repository, 'bin/moraine.js'), '-C', lake, 'run']
        const measured = await measure(process.execPath, args, env)
        const stored = ['silver', 'gold'].map((tier) => bytes(join(env.MORAINE_ROOT, tier)))
        return { ...measured, stored: stored.reduce((a, b) => a + b) }
      },
    },
    {
      name: 'script',
      run: async () => {
        await clean()
        const measured = await measure(process.execPath, [join(lake, 'by-hand.mjs')], env)
        const stored = ['silver', 'gold'].map((tier) => bytes(join(env.OUT, tier)))
        return { ...measured, stored: stored.reduce((a, b) => a + b) }
      },
    },
  ]
}
