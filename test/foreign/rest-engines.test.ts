import { existsSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CommitLog } from '../../src/log/log.js'
import { limitsOf } from '../../src/query/limits.js'
import { queryRows } from '../../src/query/query.js'
import { minioProgram } from '../support/servers.js'
import { withService } from '../support/services.js'
import { duckdbParts, hasDuckdb, startDuckdb } from './engines/duckdb.js'
import { differences, type Engine, type LakeAddress, selected } from './engines/engine.js'
import { fromGuide } from './engines/guide.js'
import { OpenLakes } from './engines/lakes.js'
import { hasPyiceberg, pyicebergParts, startPyiceberg } from './engines/pyiceberg.js'
import { hasSpark, sparkParts, startSpark } from './engines/spark.js'
import { duckdbStory } from './engines/stories/duckdb.js'
import { pyicebergStory } from './engines/stories/pyiceberg.js'
import { sparkStory } from './engines/stories/spark.js'
import { KEPT, play } from './engines/stories/story.js'
import { trinoStory } from './engines/stories/trino.js'
import { hasTrino, startTrino, trinoParts } from './engines/trino.js'

/*
 * Four engines that know nothing of Moraine work with lakes by the catalog: each is configured as
 * the guide says, does all that it can to tables of its own, and reads those of others.
 */

const known = {
  Trino: { start: startTrino, isFound: hasTrino, parts: trinoParts, story: trinoStory },
  Spark: { start: startSpark, isFound: hasSpark, parts: sparkParts, story: sparkStory },
  PyIceberg: {
    start: startPyiceberg,
    isFound: hasPyiceberg,
    parts: pyicebergParts,
    story: pyicebergStory,
  },
  DuckDB: { start: startDuckdb, isFound: hasDuckdb, parts: duckdbParts, story: duckdbStory },
}
type Name = keyof typeof known
const names = Object.keys(known) as Name[]

const withBuckets = existsSync(minioProgram)
/** A bucket is a service of its own. */
const places = [
  { lake: 'folder', examples: ['folder', 'orders', 'tickit'], parts: [] },
  { lake: 'bucket', examples: ['bucket', 'tpcds'], parts: [minioProgram] },
]

let open: OpenLakes
const engines = {} as Record<Name, Engine>

beforeAll(async () => {
  if (!names.some((name) => known[name].isFound)) return
  open = await OpenLakes.open(withBuckets)
  const started = names.map(async (name) => {
    const { isFound, start } = known[name]
    if (isFound) engines[name] = await start(open.lakes)
  })
  // What has started has to be ended, whatever the others say.
  await Promise.allSettled(started)
  await Promise.all(started)
})
afterAll(async () => {
  await Promise.all(Object.values(engines).map((engine) => engine.stop()))
  await open?.close()
})

/** Of larger tables, engines read the first rows by a column, as who filters does. */
const MOST = 20_000
/** Of the tables of a lake that are empty, so many are read. */
const EMPTY = 3

const asked: Record<string, ReturnType<typeof askTables>> = {}
/** What Moraine's own query gives, table by table. */
const tablesOf = (lake: string) => {
  asked[lake] ??= askTables(lake)
  return asked[lake]
}

async function askTables(lake: string) {
  const { storage } = open.lakes[lake] as OpenLakes['lakes'][string]
  const state = await new CommitLog(storage).head()
  const ask = (sql: string) => queryRows(storage, state, sql, { limits: limitsOf() })
  const tables = []
  let empty = 0
  for (const [name, { rows: count }] of Object.entries(state.tables)) {
    if (!/^(silver|gold|discarded)\./.test(name) || (count === 0 && empty++ >= EMPTY)) continue
    const [column = '', last] =
      count > MOST ? (Object.entries((await ask(nthOf(name)))[0] ?? {})[0] ?? []) : []
    const where = last === undefined ? undefined : `${column} <= ${last}`
    tables.push({ name, where, rows: await ask(selected(name, where)) })
  }
  return tables
}

const nthOf = (name: string) => `select * from ${name} order by 1 limit 1 offset ${MOST}`

for (const { lake, examples, parts } of places)
  describe(`a lake in a ${lake}`, () => {
    for (const name of names)
      withService(name, [...known[name].parts, ...parts], () => {
        it.each(Object.keys(known[name].story))('%s', async (title) => {
          await play(engines[name], lake, known[name].story[title] ?? [], lake !== 'bucket')
        })

        it.each(name === 'PyIceberg' ? ['Polars', 'Daft'] : [])(
          'lends its catalog to %s, which reads and writes',
          async (other) => {
            const address = open.lakes[lake] as LakeAddress
            await engines[name].run(`${lake}: ${fromGuide(other, 0, lake, address)}`)
            const [read, written] = [address.example, `ml.from_${other.toLowerCase()}`].map(
              (table) => engines[name].read(`${lake}.${table}`),
            )
            expect(await written).not.toEqual([])
            expect(await written).toEqual(await read)
          },
        )

        it.each(examples)('reads the rows that moraine query gives: %s', async (example) => {
          const tables = await tablesOf(example)
          expect(tables.length).toBeGreaterThan(1)
          for (const table of tables) {
            const rows = await engines[name].read(`${example}.${table.name}`, table.where)
            expect(differences(table.rows, rows), `${example}.${table.name}`).toEqual([])
          }
        })
      })

    const all = names.flatMap((name) => known[name].parts)
    withService('Trino, Spark, PyIceberg and DuckDB', [...all, ...parts], () => {
      it('leave a lake of which vacuum removes what nobody needs', async () => {
        const { cli } = open.lakes[lake] as OpenLakes['lakes'][string]
        for (const args of [
          ['vacuum', '--grace', '0s', '--delete'],
          ['verify', '--deep'],
        ]) {
          const { code, stdout, stderr } = await cli(...args)
          expect(code, `${stdout}\n${stderr}`).toBe(0)
        }
      })

      it.each(names)('read what %s has written', async (writer) => {
        for (const name of names) {
          const rows = await engines[name].read(`${lake}.${writer.toLowerCase()}.kept`)
          expect(differences(KEPT, rows), name).toEqual([])
        }
      })
    })
  })
