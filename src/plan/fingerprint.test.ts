import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { repository } from '../../test/support/project.js'

/** A lake's fingerprints by one build of Moraine. */
async function fingerprints(folder: string): Promise<Record<string, Record<string, string>>> {
  const load = (file: string) => import(join(repository, folder, file))
  const { bronze, silver, t, z } = await load('index')
  const { files } = await load('source/index')
  const { definitionOf } = await load('plan/fingerprint')
  const { hash } = await load('step/context')
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
    const [ours, built] = await Promise.all([fingerprints('src'), fingerprints('dist')])
    expect(ours).toEqual(built)
  })

  it('is what the first tables were made with', async () => {
    const { date, timestamp, json } = await fingerprints('src')
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
})
