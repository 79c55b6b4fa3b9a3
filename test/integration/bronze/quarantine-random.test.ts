import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Landing } from '../../../src/bronze/ingest/landing.js'
import { quarantinedIn } from '../../../src/log/quarantined.js'
import { amount } from '../../support/effort.js'
import { POISON, runPoisoned } from '../../support/poison.js'
import { Project, step } from '../../support/project.js'
import { seed } from '../../support/seed.js'

const lake = (from: string) => `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files, inbox, ingest } from 'moraine/sources'
const raw = bronze('events', { from: ${from} })
const events = silver('events', { from: raw, schema: z.object({ id: t.int(), v: t.int() }), key: 'id' })
const sums = gold('sums', { query: sql\`select id % 2 as odd, count(*) as n, sum(v) as v from \${events} group by 1\` })
export default defineLake({ name: 'shop', datasets: [sums], quarantineAfter: 2 })
`

interface Row {
  id: number
  /** Not a number: it is discarded. */
  v: number | 'x'
  note?: string
}

/** How an object arrives: under a number that says when. */
const ways: Record<
  string,
  { from: string; put(project: Project, n: number, rows: Row[]): Promise<void> }
> = {
  requests: {
    from: 'ingest()',
    async put(project, n, rows) {
      const request = { key: `key-${n}`, rows: rows.map((row) => JSON.stringify(row)) }
      await new Landing(project.storage, 'events').write([request])
    },
  },
  inbox: {
    from: "inbox({ settle: '1ms' }), archive: true",
    async put(project, n, rows) {
      const folder = join(project.folder, 'lake/bronze/landing/events')
      await mkdir(folder, { recursive: true })
      await writeFile(
        join(folder, `${1000 + n}.jsonl`),
        rows.map((row) => JSON.stringify(row)).join('\n'),
      )
    },
  },
  files: {
    from: "files('in/*.jsonl')",
    put: (project, n, rows) =>
      project.write({
        [`in/${1000 + n}.jsonl`]: rows.map((row) => JSON.stringify(row)).join('\n'),
      }),
  },
}

type Event = { rows: Row[] } | 'poison' | 'run' | 'outage'

const row: fc.Arbitrary<Row> = fc.record({
  id: fc.integer({ min: 0, max: 5 }),
  v: fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 0, max: 99 }) }, fc.constant('x' as const)),
})
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ rows: fc.array(row, { minLength: 1, maxLength: 4 }) }) },
  { weight: 3, arbitrary: fc.constant('poison' as const) },
  { weight: 3, arbitrary: fc.constant('run' as const) },
  { weight: 1, arbitrary: fc.constant('outage' as const) },
)
const OUTAGE = 'IO Error: Could not write file: No space left on device'

const tables = (project: Project) =>
  Promise.all(
    ['silver.events', 'gold.sums'].map((table) =>
      project
        .query(
          `SELECT * EXCLUDE (${table === 'silver.events' ? '_batch, _source_file, _loaded_at' : 'odd'})${table === 'gold.sums' ? ', odd' : ''} FROM ${table} ORDER BY ALL`,
        )
        .catch(() => []),
    ),
  )

const discarded = async (project: Project) =>
  project
    .query('SELECT raw FROM discarded.events ORDER BY ALL')
    .then((rows) =>
      rows.map(({ raw }) => String(raw).replace(/,?"note":"[^"]*"|,?"note":null/, '')),
    )
    .catch(() => [])

it.each(Object.entries(ways))(
  '%s: what can not be read is empty back, and once it can be all is as if it always could',
  async (_, { from, put }) => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { minLength: 4, maxLength: 9 }), async (events) => {
        const broken = await Project.create({ 'lake.ts': lake(from) })
        const sound = await Project.create({ 'lake.ts': lake(from) })
        // One that anybody can read comes first, as where nothing can be read it is nobody's own
        // fault.
        const all: Event[] = [{ rows: [{ id: 0, v: 0 }] }, 'run', ...events, 'run']
        let [n, poisoned, good] = [0, 0, 0]
        for (const what of all) {
          if (what === 'run' || what === 'outage') {
            const message = what === 'outage' ? { message: OUTAGE } : {}
            const record = await runPoisoned(broken, message)
            const waiting = quarantinedIn(await broken.state()).length
            // An outage may fail a run; nothing else does, and nothing is set aside for it.
            if (what === 'run') {
              expect(record.outcome).toBe('done')
              expect(waiting).toBe(poisoned)
              const { counts } = (await broken.state()).tables['silver.events'] ?? {}
              expect(counts?.in).toBe(good)
              expect(counts?.in).toBe(
                (counts?.kept ?? 0) + (counts?.discarded ?? 0) + (counts?.superseded ?? 0),
              )
            }
            continue
          }
          n++
          const rows: Row[] =
            what === 'poison' ? [{ id: n % 6, v: 100 + n, note: POISON }] : what.rows
          if (what === 'poison') poisoned++
          else good += rows.length
          await put(broken, n, rows)
          await put(sound, n, rows)
        }
        expect((await sound.run()).outcome).toBe('done')
        if (poisoned > 0) {
          const retried = await broken.cli('quarantine', 'retry', '--all')
          expect([retried.code, retried.stderr]).toEqual([0, ''])
        }
        expect(quarantinedIn(await broken.state())).toEqual([])
        expect(await tables(broken)).toEqual(await tables(sound))
        expect(await discarded(broken)).toEqual(await discarded(sound))
        const counts = async (project: Project) =>
          (await project.state()).tables['silver.events']?.counts
        expect(await counts(broken)).toEqual(await counts(sound))
        // And the same again, from nothing but bronze.
        const full = await broken.run({ full: true })
        expect(step(full, 'silver.events').error).toBeUndefined()
        expect(await tables(broken)).toEqual(await tables(sound))
      }),
      { numRuns: amount(1, 3), seed, endOnFailure: true },
    )
  },
)
