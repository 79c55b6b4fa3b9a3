import { randomBytes } from 'node:crypto'
import { readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { filesOfAllSnapshots } from '../../../src/iceberg/all-files.js'
import { toJsonText } from '../../../src/iceberg/json.js'
import { Table } from '../../../src/iceberg/table.js'
import { externalRelations } from '../../../src/log/external.js'
import { CommitLog } from '../../../src/log/log.js'
import { catalog } from '../../../src/serve/rest/catalog.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { Project } from '../../support/project.js'

const lake = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', { from: raw, key: 'id', schema: z.object({ id: t.int() }) })
export default defineLake({ name: 'shop', datasets: [orders] })
`

/** A lake in which another engine keeps the table ml.scores: two snapshots, a file each. */
async function lakeWith(spelled: (text: string) => string = (text) => text, metadata = 'metadata') {
  const project = await Project.create({ 'lake.ts': lake, 'in/1.csv': 'id\n1\n2\n' })
  await project.run()
  const { storage } = project
  const app = catalog(storage, { token: 'x', isLocal: () => true })
  const post = async (path: string, body: object) => {
    const init = { method: 'POST', headers: { authorization: 'Bearer x' } }
    const answer = await app.request(`/v1/${path}`, { ...init, body: toJsonText(body, 0) })
    expect([answer.status, await answer.text()]).toEqual([200, expect.anything()])
  }
  let table = Table.create(storage, 'external/ml/scores').reshape({
    columns: [{ name: 'id', type: { kind: 'int' } }],
    partitions: [],
  })
  for (const name of ['a', 'b']) {
    const path = `external/ml/scores/data/${name}.parquet`
    await storage.write(path, randomBytes(100))
    const file = { path: spelled(storage.locate(path)), rows: 1, bytes: 100 }
    const added = [{ ...file, partition: [], columns: new Map() }]
    table = await table.write({ removed: new Set(), added })
  }
  const root = join(project.folder, 'lake')
  const text = await readFile(join(root, table.file as string), 'utf8')
  const first = 'external/ml/scores/metadata/00007-first.metadata.json'
  await storage.write(first, Buffer.from(spelled(text).replaceAll('/metadata/', `/${metadata}/`)))
  if (metadata !== 'metadata')
    for (const { path } of await storage.list('external/ml/scores/metadata/'))
      if (path.endsWith('.avro')) {
        const there = path.replace('/metadata/', `/${metadata}/`)
        await storage.write(there, await storage.read(path))
      }
  await post('namespaces', { namespace: ['ml'] })
  await post('namespaces/ml/register', {
    name: 'scores',
    'metadata-location': storage.locate(first),
  })
  return { project, root, table, first }
}

describe('verify', () => {
  it('finds what other engines’ tables lack, by the table’s name, and lets the lake go on', async () => {
    const { project, root, table, first } = await lakeWith()
    const whole = await project.cli('verify', '--deep')
    expect([whole.code, whole.stdout]).toEqual([0, expect.stringContaining(', 1 of other engines')])
    const [list, older] = table.metadata.snapshots.map((one) => table.pathOf(one['manifest-list']))
    const cases: [
      path: string,
      change: (path: string) => Promise<void>,
      deep: string[],
      said: string,
    ][] = [
      [first, (path) => rm(path), [], 'is missing'],
      [first, (path) => writeFile(path, '{}'), [], 'SHA-256 does not match'],
      ['external/ml/scores/data/a.parquet', (path) => rm(path), ['--deep'], 'is missing'],
      [
        'external/ml/scores/data/b.parquet',
        (path) => truncate(path, 99),
        ['--deep'],
        'has 99 bytes instead of 100',
      ],
      [list as string, (path) => rm(path), ['--deep'], list as string],
      [older as string, (path) => writeFile(path, 'Obj'), ['--deep'], 'is damaged'],
    ]
    for (const [path, change, deep, said] of cases) {
      const at = join(root, path)
      const before = await readFile(at)
      await change(at)
      const { code, stdout } = await project.cli('verify', ...deep)
      expect([path, code, stdout]).toEqual([path, 1, expect.stringContaining(said)])
      expect(stdout.split('\n')[0]).toMatch(/^✖ ml\.scores: /)
      expect(stdout).toContain('1 problem found')
      await writeFile(at, before)
    }
    await rm(join(root, first))
    await project.write({ 'in/2.csv': 'id\n3\n' })
    expect((await project.run()).outcome).toBe('done')
    const repair = await project.cli('repair', '--yes')
    expect(repair.code).toBe(1)
    expect(repair.stdout).toContain('ml.scores was written by another engine')
    expect(repair.stdout).toContain('1 problem left')
  })
})

describe('a copy of a lake', () => {
  const spellings: [string, (text: string) => string][] = [
    ['file:///', (text) => text],
    ['file:/', (text) => text.replaceAll('file:///', 'file:/')],
    ['/', (text) => text.replaceAll('file:///', '/')],
  ]
  it.each(spellings)('has tables whose files their engine begins with %s', async (_, spelled) => {
    const { project } = await lakeWith(spelled)
    const { code, stdout } = await project.cli('copy', 'there')
    expect([code, stdout]).toEqual([0, expect.not.stringContaining('✖')])
    const there = new LocalStorage(join(project.folder, 'there'))
    const state = await new CommitLog(there).head()
    const [relation] = externalRelations(state)
    // Where it came from is gone.
    await rename(join(project.folder, 'lake'), join(project.folder, 'gone'))
    const found: string[] = []
    for await (const { path } of filesOfAllSnapshots(there, relation as never)) {
      expect(await there.stat(path as string)).toBeDefined()
      if (path?.endsWith('.parquet')) found.push(path)
    }
    expect(found.sort()).toEqual([
      'external/ml/scores/data/a.parquet',
      'external/ml/scores/data/b.parquet',
    ])
    const app = catalog(there, { token: 'x', isLocal: () => true })
    const headers = { authorization: 'Bearer x' }
    const loaded = await app.request('/v1/namespaces/ml/tables/scores', { headers })
    expect([loaded.status, await loaded.text()]).toEqual([
      200,
      expect.not.stringContaining(`${project.folder}/lake`),
    ])
  })

  it('says of tables that it can’t carry that they still lead to where it comes from', async () => {
    const { project } = await lakeWith(undefined, 'manifests')
    const { code, stdout } = await project.cli('copy', 'there')
    expect(code).toBe(1)
    expect(stdout).toContain('✖ ml.scores: its metadata still name files in file://')
  })
})
