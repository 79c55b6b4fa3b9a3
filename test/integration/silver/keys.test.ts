import fc from 'fast-check'
import { expect, it } from 'vitest'
import { amount, sample } from '../../support/effort.js'
import { keyKinds } from '../../support/key-kinds.js'
import { Project, step } from '../../support/project.js'
import { seed } from '../../support/seed.js'

/*
 * Any column that has a plain value may be a key, alone or beside another one, whatever has to be
 * computed to read it. One lake has a table for each kind of key; all of them go through what a
 * table goes through in its life, and afterwards hold what JavaScript reads from the same texts.
 */

interface Row {
  /** The text of each kind's key. */
  keys: (string | null)[]
  n: string
}

/** The table of one kind, or of a pair: of few columns that have to be read, or of many. */
interface Keyed {
  name: string
  kinds: number[]
  wide: boolean
}

/** Tables in groups, each of which is a lake: every kind is a key alone, and one half of a pair. */
const groups = [0, 1, 2, 3].map((group) =>
  keyKinds.flatMap((_, i): Keyed[] => {
    if (i % 4 !== group) return []
    const wide = (i >> 2) % 2 === 0
    const other = (i * 7 + 3) % keyKinds.length
    return [
      { name: `k${i}`, kinds: [i], wide },
      { name: `p${i}`, kinds: [i, other === i ? 0 : other], wide: !wide },
    ]
  }),
)
const filler = ['w0', 'w1', 'w2', 'w3', 'w4', 'w5', 'w6', 'w7']

function lake(tables: readonly Keyed[], allowed: string, more = ''): string {
  const silvers = tables.map(({ name, kinds, wide }) => {
    const columns = kinds.map((kind, i) => `c${i}: ${keyKinds[kind]?.schema}`)
    const select = kinds.map((kind, i) => `c${i}: 'k${kind}'`)
    const words = wide ? filler.map((w) => `${w}: z.string()`) : []
    return `silver('${name}', {
      from: raw, select: { ${select.join(', ')} }, key: [${kinds.map((_, i) => `'c${i}'`)}],
      schema: z.object({ ${[...columns, 'n: t.int()', ...words].join(', ')}${more} }),
      rules: [rule('n is allowed', sql\`n not in (${allowed})\`)],
    })`
  })
  return `import { bronze, defineLake, rule, silver, sql, t, z } from 'moraine'
    import { files } from 'moraine/sources'
    const raw = bronze('raw', { from: files('in/*.csv') })
    export default defineLake({ name: 'keys', datasets: [${silvers.join(', ')}] })`
}

const field = (text: string | null) =>
  text === null ? '' : /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text

function csv(rows: readonly Row[]): string {
  const names = [...keyKinds.map((_, i) => `k${i}`), 'n', ...filler]
  const lines = rows.map(({ keys, n }) => [...keys.map(field), n, ...filler.map(() => 'x')])
  return `${[names, ...lines].map((line) => line.join(',')).join('\n')}\n`
}

const row: fc.Arbitrary<Row> = fc.record({
  keys: fc.tuple(...keyKinds.map(({ texts }) => texts)),
  n: fc.oneof({ weight: 9, arbitrary: fc.nat(15).map(String) }, fc.constant('x')),
})
const load = fc.array(row, { minLength: 3, maxLength: 25 })

/** What each key's newest good row says, as JavaScript reads it. */
function expected({ kinds }: Keyed, rows: readonly Row[], refused: readonly string[]) {
  const found = new Map<string, string>()
  for (const { keys, n } of rows) {
    const values = kinds.map((kind) => {
      const text = keys[kind] ?? null
      return text === null ? undefined : keyKinds[kind]?.read(text)
    })
    if (values.includes(undefined) || n === 'x' || refused.includes(n)) continue
    found.set(JSON.stringify(values), n)
  }
  return [...found].map(([key, n]) => `${key} ${n}`).sort()
}

it.each(sample(groups, 1))(
  'every kind of key goes through all of its life (%#)',
  async (...tables) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(load, { minLength: 2, maxLength: 2 }),
        fc.constantFrom(0, Number.POSITIVE_INFINITY),
        async (loads, valuesFrom) => {
          const project = await Project.create({ 'lake.ts': lake(tables, '3, 4, 5, 6') })
          const every = loads.flat()
          const holds = (phase: string, rows: readonly Row[], refused: readonly string[]) =>
            project.reading(async (query) => {
              for (const table of tables) {
                const keys = table.kinds.map((_, i) => `CAST(c${i} AS VARCHAR)`)
                const found = await query(
                  `SELECT [${keys.join(', ')}] AS key, n FROM silver.${table.name}`,
                )
                const said = `${phase}: ${table.kinds.map((kind) => keyKinds[kind]?.schema)}`
                const shown = found.map(({ key, n }) => `${JSON.stringify(key)} ${n}`).sort()
                expect(shown, said).toEqual(expected(table, rows, refused))
              }
            })
          const run = async (phase: string, options: Parameters<Project['run']>[0] = {}) => {
            const record = await project.run({ valuesFrom, ...options })
            expect(
              record.steps.flatMap(({ error }) => error ?? []),
              phase,
            ).toEqual([])
            return record
          }
          for (const [i, rows] of loads.entries()) {
            await project.write({ [`in/${i}.csv`]: csv(rows) })
            await run(`load ${i}`)
          }
          await holds('increments', every, ['3', '4', '5', '6'])
          await project.write({ 'lake.ts': lake(tables, '4, 5, 6') })
          for (const { name } of tables.filter((_, i) => i % 3 === 0))
            await run('replay', {
              replay: { dataset: `silver.${name}` },
              select: [`silver.${name}`],
            })
          await run('after the replay')
          await holds('a replay', every, ['4', '5', '6'])
          await project.write({
            'lake.ts': lake(tables, '4, 5, 6', ', later: z.string().trim().optional()'),
          })
          await run('a new column')
          await holds('a new column', every, ['4', '5', '6'])
          const again = await run('full', { full: true })
          expect(step(again, `silver.${tables[0]?.name}`).outcome).toBe('done')
          await holds('a full run', every, ['4', '5', '6'])
        },
      ),
      { numRuns: amount(1, 1, 4), seed },
    )
  },
)

it('a table by UUID is read again and changed, however few of its values need reading', async () => {
  const lake = (more: string) => `import { bronze, defineLake, silver, t, z } from 'moraine'
    import { files } from 'moraine/sources'
    const raw = bronze('e', { from: files('in/*.csv') })
    const e = silver('e', { from: raw, key: 'id', schema: z.object({ id: t.uuid(), name: z.string()${more} }) })
    export default defineLake({ name: 'keys', datasets: [e] })`
  const project = await Project.create({
    'lake.ts': lake(''),
    'in/1.csv': 'id,name\n3f06af63-a93c-11e4-9797-00505690773f,Ada\n',
  })
  expect(step(await project.run(), 'silver.e').counts).toMatchObject({ in: 1, kept: 1 })
  await project.write({
    'in/2.csv': 'id,name\n3f06af63-a93c-11e4-9797-00505690773f,Ada L.\nx,Bob\n',
  })
  expect(step(await project.run(), 'silver.e').counts).toMatchObject({
    in: 2,
    kept: 1,
    discarded: 1,
  })
  await project.write({ 'lake.ts': lake(', born: t.date().optional()') })
  expect(step(await project.run(), 'silver.e').error).toBe(undefined)
  expect(await project.query('SELECT name, born FROM silver.e')).toEqual([
    { name: 'Ada L.', born: null },
  ])
})
