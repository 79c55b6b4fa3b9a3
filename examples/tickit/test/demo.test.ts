import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadLake } from '../../../src/load/load.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { turn } from '../../../test/support/effort.js'
import { Explained } from '../../../test/support/explained.js'
import { makeFiles } from '../generate/files.js'

const example = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'tickit-'))
const env = {
  ...process.env,
  NO_COLOR: '1',
  TICKIT_DATA: join(folder, 'data'),
  MORAINE_ROOT: join(folder, 'lake'),
}
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const tsx = createRequire(import.meta.url).resolve('tsx/cli')

function run(...args: string[]): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, [tsx, ...args], {
    cwd: example,
    env,
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout
}

describe('the TICKIT example', () => {
  it('makes files of the sizes of the originals, the same ones each time', () => {
    const files = makeFiles()
    const rows = (table: string) => {
      const { dirt } = files.find((file) => file.table === table) as (typeof files)[0]
      return dirt.rows - dirt.superseded - Object.values(dirt.discarded).reduce((a, b) => a + b, 0)
    }
    expect(['users', 'venue', 'category', 'date', 'event', 'listing', 'sales'].map(rows)).toEqual([
      49_990, 202, 11, 365, 8_798, 192_497, 172_456,
    ])
    expect(makeFiles().map((file) => file.text)).toEqual(files.map((file) => file.text))
  })

  it('goes from raw files to the answers, and proves that every row is accounted for', () => {
    run('generate/main.ts', env.TICKIT_DATA)
    const out = run('demo.ts')
    expect(out).toMatch(/silver\.sales +172,833 +172,456 +308 +69 +yes, exactly/)
    expect(out.match(/yes, exactly/g)).toHaveLength(7)
    expect(out).toContain('Which sellers sold the most tickets?')
    expect(out).toMatch(/South +[\d,]+ +[\d,]+ +\$/)

    const again = run('demo.ts')
    expect(again).toContain('Nothing to do: no source has new data, and no definition has changed.')
  })

  it('says of which sales a number is made, and in which lines they came', async () => {
    const lake = await loadLake(join(example, 'lake.ts'))
    await using explained = await Explained.open(lake, new LocalStorage(env.MORAINE_ROOT))
    await explained.explainGold(turn)
  })
})
