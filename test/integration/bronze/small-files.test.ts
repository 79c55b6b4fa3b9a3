import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amount } from '../../support/effort.js'
import { Project, step } from '../../support/project.js'
import { seed } from '../../support/seed.js'

/** A lake whose silver keeps what has an id and a number. */
const lake = (source: string) => `
import { bronze, defineLake, silver, z } from 'moraine'
import { files } from 'moraine/sources'
const rows = bronze('rows', { from: ${source} })
const good = silver('good', { from: rows, key: 'id', schema: z.object({ id: z.string(), n: z.coerce.number().int() }) })
export default defineLake({ name: 'small', datasets: [rows, good] })
`

/** Files that are taken in at once up to which none is packed. */
const FEW = 16

/** What all the rows of a lake are, wherever they are kept. */
async function everything(project: Project) {
  const bronze = 'SELECT * EXCLUDE (_batch) FROM bronze.rows ORDER BY ALL'
  const silver = 'SELECT id, n FROM silver.good ORDER BY ALL'
  const discarded = 'SELECT _source_file, _source_line, reasons FROM discarded.good ORDER BY ALL'
  return {
    bronze: await project.query(bronze),
    silver: await project.query(silver),
    discarded: await project.query(discarded),
  }
}

/** Takes files in, all at once or a few at a time. */
async function take(source: string, versions: ReadonlyMap<string, string>[], atOnce: number) {
  const project = await Project.create({ 'lake.ts': lake(source) })
  for (const version of versions) {
    const names = [...version].sort()
    for (let at = 0; at < names.length; at += atOnce) {
      const some = names.slice(at, at + atOnce)
      for (const [name, text] of some)
        await project.write({ [`in/${name}`]: name.endsWith('.gz') ? gzipSync(text) : text })
      const record = await project.run()
      expect(step(record, 'bronze.rows').error).toBeUndefined()
    }
  }
  return project
}

const words = ['1', '2', '30', '', 'x', '"q"', '"a, b"', '"a ""b"""', "it's", '1e3', '1.50', 'é']
const csvText = fc
  .array(fc.array(fc.constantFrom(...words), { minLength: 1, maxLength: 3 }), { maxLength: 4 })
  .map((rows) => ['id,n', '7,7', ...rows.map((row) => row.join(','))].join('\n'))

const values = ['1', '2', '1e3', '1.50', '12345678901234567890', 'null', 'true', '"x"', '[1, 2]']
const jsonLine = fc.oneof(
  fc
    .array(fc.tuple(fc.constantFrom('id', 'n', 'N', 'other'), fc.constantFrom(...values)), {
      maxLength: 3,
    })
    .map((pairs) => `{${pairs.map(([key, value]) => `"${key}": ${value}`).join(', ')}}`),
  fc.constantFrom('{"id": 1', '[1]', 'null', '', '{"id": "\\u00e9\\n"}'),
)
const jsonText = fc
  .array(jsonLine, { maxLength: 4 })
  .map((lines) => ['{"id": 7, "n": 7}', ...lines].join('\n'))

describe('many small files', () => {
  it.each([
    ['CSV', 'csv', csvText],
    ['JSON lines', 'jsonl', jsonText],
  ])(
    'of %s are the same rows whether they are kept together or each by itself',
    async (_, ending, text) => {
      const names = Array.from(
        { length: 18 },
        (_, i) => `${i % 5}/${i}.${ending}${i % 7 ? '' : '.gz'}`,
      )
      const files = fc.record(Object.fromEntries(names.map((name) => [name, text])))
      const source = `files('in/**/*.${ending}*')`
      await fc.assert(
        fc.asyncProperty(files, files, async (first, second) => {
          const versions = [first, second].map((all) => new Map(Object.entries(all)))
          const [together, alone] = await Promise.all([
            take(source, versions, names.length),
            take(source, versions, FEW / 2),
          ])
          expect(await everything(together)).toEqual(await everything(alone))
        }),
        { numRuns: amount(1, 2, 6), seed, endOnFailure: true },
      )
    },
  )

  it('share a Parquet file; what a newer version replaces is superseded, row by row', async () => {
    const project = await Project.create({ 'lake.ts': lake("files('in/*.csv')") })
    for (let i = 0; i < 20; i++)
      await project.write({ [`in/${i}.csv`]: `id,n\n${i},${i}\nb${i},x\n` })
    expect(step(await project.run(), 'silver.good')).toMatchObject({
      counts: { in: 40, kept: 20, discarded: 20, superseded: 0 },
    })
    await project.write({ 'in/7.csv': 'id,n\n7,70\n' })
    await project.run()
    expect(
      await project.query("SELECT n FROM silver.good WHERE id IN ('3', '7') ORDER BY id"),
    ).toEqual([{ n: 3n }, { n: 70n }])
    const kept = await project.storage.list('bronze/rows')
    expect(kept.filter(({ path }) => path.endsWith('.parquet'))).toHaveLength(2)
    const { code, stdout } = await project.cli('verify', '--deep')
    expect(stdout).toContain('are there, with the right sizes and row counts')
    expect(code).toBe(0)
  })
})
