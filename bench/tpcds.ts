import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { generate } from '../examples/tpcds/generate/main.js'
import type { Contender, Measure } from './main.js'
import { measure } from './measure.js'
import { benchFolder, repository } from './tickit.js'
import { peers } from './tpcds/peers.js'

/**
 * The folder of the 24 files: TPCDS_DATA, or one that is made at the scale, with so large a share
 * of dirt of each kind, and kept.
 */
export async function tpcdsData(scale: number, dirt = 0): Promise<string> {
  const name = dirt > 0 ? `tpcds-${scale}-dirty` : `tpcds-${scale}`
  const data = process.env.TPCDS_DATA ?? join(homedir(), '.cache/moraine-bench', name)
  if (!existsSync(join(data, 'web_sales.dat'))) await generate(data, scale, dirt)
  return data
}

/**
 * The 24 tables of TPC-DS from text to reports, beside a script written by hand for DuckDB that
 * makes the same reports and partitions as plain Parquet, or beside the same work as a project of
 * dbt, SQLMesh or Spark. The files are those in TPCDS_DATA, or are made at the scale and kept.
 *
 * @param against `script`, `dbt`, `sqlmesh`, `spark`, or `dirt`: files of which one row in a
 *   thousand is bad in each of several ways, beside the script with TRY_CAST, which makes NULL of
 *   bad values without a word.
 */
export async function tpcds(scale: number, against = 'script'): Promise<[Contender, Contender]> {
  const data = await tpcdsData(scale, against === 'dirt' ? 0.001 : 0)
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
      name: against,
      run: async () => {
        await clean()
        const measured = await measurePeer(against, join(lake, 'by-hand.mjs'), data, env)
        const stored = ['silver', 'gold'].map((tier) => bytes(join(env.OUT, tier)))
        return { ...measured, stored: stored.reduce((a, b) => a + b) }
      },
    },
  ]
}

async function measurePeer(
  name: string,
  script: string,
  data: string,
  env: { OUT: string },
): Promise<Measure> {
  if (name === 'script') return measure(process.execPath, [script], env)
  if (name === 'dirt') return measure(process.execPath, [script], { ...env, CAST: 'TRY_CAST' })
  const make = peers[name]
  if (!make) throw new Error(`--against takes script, dirt, ${Object.keys(peers).join(', ')}`)
  for (const tier of ['bronze', 'silver', 'gold'])
    await mkdir(join(env.OUT, tier), { recursive: true })
  const peer = await make(await benchFolder(), data, env.OUT)
  return measure(peer.command, peer.args, peer.env, peer.folder)
}
