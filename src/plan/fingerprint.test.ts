import { mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import { describe, expect, it, onTestFinished } from 'vitest'
import { repository } from '../../test/support/project.js'

const parts = ['index', 'source/index', 'plan/fingerprint', 'step/context']

/** The sources, as they are. */
const asTheyAre = async () => {
  const modules = await Promise.all(parts.map((part) => import(join(repository, 'src', part))))
  return Object.assign({}, ...modules)
}

/** A build in which no name and no line is as it was. */
async function asBuilt() {
  const folder = await mkdtemp(join(repository, 'node_modules/.moraine-test-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const outfile = join(folder, 'built.mjs')
  await build({
    stdin: {
      contents: parts.map((part) => `export * from './src/${part}.js'`).join('\n'),
      resolveDir: repository,
    },
    outfile,
    bundle: true,
    minify: true,
    target: 'node20',
    platform: 'node',
    format: 'esm',
    packages: 'external',
  })
  return import(outfile)
}

/** A lake's fingerprints by one build of Moraine. */
async function fingerprints(
  load: () => Promise<Record<string, any>>,
): Promise<Record<string, Record<string, string>>> {
  const { bronze, silver, t, z, files, definitionOf, hash } = await load()
  const from = bronze('all', { from: files('x.csv') })
  const types = {
    string: t.string().trim().toLowerCase().email(),
    int: t.int().min(1),
    bigint: t.bigint(),
    double: t.double(),
    decimal: t.decimal(9, 2).max(10),
    boolean: t.boolean({ true: ['Y'] }),
    date: t.date({ format: '%d.%m.%Y' }).min('2020-01-01'),
    timestamp: t.timestamp().nullable(),
    timestamptz: t.timestamptz().optional(),
    uuid: t.uuid(),
    json: t.json(),
    list: t.list(t.date()),
    struct: t.struct({ at: t.timestamp(), any: t.json() }),
  }
  const found = Object.entries(types).map(([name, type]) => {
    const dataset = silver(name, { from, schema: z.object({ c: type }) })
    return [name, definitionOf(dataset, hash)]
  })
  return Object.fromEntries(found)
}

describe('the fingerprint of a definition', () => {
  it('is the same by any build of Moraine, so that an update builds no table again', async () => {
    const [ours, built] = await Promise.all([fingerprints(asTheyAre), fingerprints(asBuilt)])
    expect(ours).toEqual(built)
  })

  it('is what the first tables were made with', async () => {
    const { date, timestamp, json } = await fingerprints(asTheyAre)
    expect([
      date?.['column c'],
      timestamp?.['column c'],
      json?.['column c'],
    ]).toMatchInlineSnapshot(`
      [
        "date eb944fefe53d332f",
        "timestamp 6b0d0695232d62cb",
        "json 32915d95cd689b42",
      ]
    `)
  })

  it('tells numbers apart whose columns have one type, and formats that hold fewer of them', async () => {
    const { bronze, silver, z, files, definitionOf, hash } = await asTheyAre()
    const from = bronze('all', { from: files('x.csv') })
    const partOf = (type: object) =>
      definitionOf(silver('one', { from, schema: z.object({ c: type }) }), hash)['column c']
    const parts = [z.int(), z.uint32(), z.number(), z.float32(), z.bigint(), z.uint64()].map(partOf)
    expect(parts.map((part) => part.split(' ')[0])).toEqual([
      ...['bigint', 'bigint', 'double', 'double', 'bigint', 'bigint'],
    ])
    expect(parts[0]).toBe(parts[4])
    expect(new Set(parts).size).toBe(5)
  })

  it('tells texts of SQL apart by their spaces, also behind an escaped quote', async () => {
    const { bronze, silver, sql, z, files, definitionOf, hash } = await asTheyAre()
    const from = bronze('all', { from: files('x.csv') })
    const partOf = (text: string) => {
      const select = { c: { ...sql``, parts: [{ kind: 'text', text }] } }
      const dataset = silver('one', { from, select, schema: z.object({ c: z.string() }) })
      return definitionOf(dataset, hash)['column c']
    }
    const [one, two, other] = ["E'it\\'s  so'", "E'it\\'s so'", "E'it\\'s so' -- why"].map(partOf)
    expect(two).not.toBe(one)
    expect(other).toBe(two)
    expect(partOf('$a1$x  y$a1$')).not.toBe(partOf('$a1$x y$a1$'))
  })
})
