import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'

import { loadLake } from '../../../src/load/load.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { turn } from '../../../test/support/effort.js'
import { Explained } from '../../../test/support/explained.js'

const example = join(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'orders-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('plays a day of the shop, and holds the lake against everything that landed', async () => {
  const tsx = createRequire(import.meta.url).resolve('tsx/cli')
  const env = {
    ...process.env,
    NO_COLOR: '1',
    ORDERS_SECONDS: '12',
    MORAINE_ROOT: join(folder, 'lake'),
  }
  const { stdout, stderr, status } = spawnSync(process.execPath, [tsx, 'demo.ts'], {
    cwd: example,
    env,
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout.match(/the process is killed/g)).toHaveLength(2)
  expect(stdout).toMatch(/✔ silver has the newest valid version of each of [\d,]+ orders/)
  expect(stdout).toMatch(/file: is a zip/)
  expect(stdout).toMatch(/landing is empty: 0 files/)
  const known = stdout.match(/(\d[\d,]*) versions of/)?.[1]?.replace(',', '')
  expect(Number(known)).toBeGreaterThan(100)
  const lake = await loadLake(join(example, 'lake.ts'))
  await using explained = await Explained.open(lake, new LocalStorage(env.MORAINE_ROOT))
  await explained.explainGold(turn)
})
