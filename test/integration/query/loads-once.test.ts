import { createHash, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { allRights } from '../../../src/define/access/rights.js'
import { toJsonText } from '../../../src/iceberg/json.js'
import { createdMetadata } from '../../../src/iceberg/spec/updates/create.js'
import type { ExternalState } from '../../../src/log/commit.js'
import { LEVEL } from '../../../src/log/external.js'
import { CommitLog } from '../../../src/log/log.js'
import { ShownTypes } from '../../../src/query/service/shown-types.js'
import { visibleTables } from '../../../src/query/service/visible.js'
import { externalTable, ownTable } from '../../../src/query/tables.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { Project } from '../../support/project.js'

/** Nobody here has masks. */
const unmasked = new ShownTypes(() => Promise.reject(new Error('nothing is masked')))

/** A folder that counts how often each file of metadata is read. */
class Counting extends LocalStorage {
  readonly reads: string[] = []

  private note(path: string): void {
    if (path.endsWith('.metadata.json')) this.reads.push(path)
  }

  override read(path: string): Promise<Uint8Array> {
    this.note(path)
    return super.read(path)
  }

  override readIfPresent(path: string): Promise<Uint8Array | undefined> {
    this.note(path)
    return super.readIfPresent(path)
  }
}

const lake = `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const own = ['a', 'b'].map((name) =>
  silver(name, { from: bronze(name, { from: files(name + '.csv') }), schema: z.object({ id: t.int() }), key: 'id' }))
export default defineLake({ name: 'shop', datasets: own })
`
const info = { author: 'spark', run: null, message: 'commit to a table' }
const TABLES = 40

describe('tables that many queries ask for', () => {
  it('are read once a version, whatever is committed to others', async () => {
    const project = await Project.create({
      'lake.ts': lake,
      'a.csv': 'id\n1\n',
      'b.csv': 'id\n2\n',
    })
    expect((await project.run()).outcome).toBe('done')
    const storage = new Counting(join(project.folder, 'lake'))
    const log = new CommitLog(storage)

    const write = async (name: string, column: string): Promise<ExternalState> => {
      const location = storage.locate(`external/ml/${name}`)
      const fields = [{ id: 1, name: column, required: false, type: 'long' }]
      const schema = { type: 'struct', fields }
      const of = { uuid: randomUUID(), location, now: Date.now() }
      const text = toJsonText(createdMetadata({ name, schema }, of))
      const metadata = `external/ml/${name}/metadata/${randomUUID()}.metadata.json`
      await storage.write(metadata, new TextEncoder().encode(text))
      return { kind: 'table', metadata, sha256: createHash('sha256').update(text).digest('hex') }
    }
    const commit = async (names: readonly string[], column: string) => {
      const written = names.map(async (name) => [`ml${LEVEL}${name}`, await write(name, column)])
      const relations = Object.fromEntries(await Promise.all(written))
      const namespaces = { ml: { properties: {} } }
      return log.commit(await log.head(), { external: { namespaces, relations } }, info)
    }
    const seen = async () => {
      const looked = { storage, state: await log.head(), lake: undefined, types: unmasked }
      const tables = await visibleTables(looked, { name: 'ada', rights: allRights })
      const columns = tables.map(({ name, columns }) => [name, columns.map((one) => one.name)])
      const reads = storage.reads.splice(0)
      return { columns: new Map(columns as [string, string[]][]), reads }
    }

    const names = Array.from({ length: TABLES }, (_, i) => `t${i}`)
    await commit(names, 'x')
    // Many who ask at once, and again.
    const [first, ...others] = await Promise.all([seen(), seen(), seen()])
    expect(first?.columns.get('t7')).toEqual(['x'])
    const reads = [first, ...others].flatMap((one) => one?.reads ?? [])
    expect(reads.length).toBe(new Set(reads).size)
    expect(reads.filter((path) => path.startsWith('external/')).length).toBe(TABLES)
    expect(reads.filter((path) => path.startsWith('silver/')).length).toBeGreaterThan(0)
    expect((await seen()).reads).toEqual([])

    // A commit to one of them: that one is read, in its new version.
    const changed = await commit(['t7'], 'y')
    const { columns, reads: more } = await seen()
    expect([columns.get('t7'), columns.get('t8')]).toEqual([['y'], ['x']])
    expect(more).toEqual([changed.external?.relations[`ml${LEVEL}t7`]?.metadata])

    // Who asks for a moment before finds the version of then, which is known, too.
    const before = await log.stateAt(changed.number - 1)
    const asked = { tier: 'ml', name: 't7' }
    const then = await externalTable(storage, before, asked, undefined)
    expect(then.schema.fields.map(({ name }) => name)).toEqual(['x'])
    expect(storage.reads).toEqual([])
  })

  it('are looked for again where they could not be read', async () => {
    const project = await Project.create({
      'lake.ts': lake,
      'a.csv': 'id\n1\n',
      'b.csv': 'id\n2\n',
    })
    expect((await project.run()).outcome).toBe('done')
    class Flaky extends LocalStorage {
      failing = ['.metadata.json']
      private check(path: string): void {
        if (this.failing.some((end) => path.endsWith(end))) throw new Error('the disk is gone')
      }
      override async read(path: string): Promise<Uint8Array> {
        this.check(path)
        return super.read(path)
      }
      override async readIfPresent(path: string): Promise<Uint8Array | undefined> {
        this.check(path)
        return super.readIfPresent(path)
      }
    }
    const storage = new Flaky(join(project.folder, 'lake'))
    const state = await new CommitLog(storage).head()
    const caller = { name: 'ada', rights: allRights }
    const tables = () => visibleTables({ storage, state, lake: undefined, types: unmasked }, caller)
    await expect(tables()).rejects.toThrow('the disk')
    storage.failing = []
    expect((await tables()).map(({ name }) => name)).toContain('a')

    // What a version of a table is made of, too: lists of manifests, and these.
    const loaded = await ownTable(storage, state, { tier: 'silver', name: 'a' })
    for (const end of ['.avro', '-m0.avro']) {
      storage.failing = [end]
      await expect(loaded.plan()).rejects.toThrow('the disk')
    }
    storage.failing = []
    expect(await loaded.plan()).toHaveLength(1)
  })
})
