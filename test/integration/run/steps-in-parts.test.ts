import { cp, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { fullName } from '../../../src/define/dataset.js'
import type { Engine } from '../../../src/engine/engine.js'
import { openEngine } from '../../../src/engine/open.js'
import type { Workers } from '../../../src/engine/workers/workers.js'
import { MoraineError } from '../../../src/errors.js'
import { readLeads } from '../../../src/load/workers/leads.js'
import { stepsBy } from '../../../src/load/workers/step-workers.js'
import { CommitLog } from '../../../src/log/log.js'
import { vacuum } from '../../../src/maintain/vacuum.js'
import { Pool } from '../../../src/process/pool.js'
import { executeStep } from '../../../src/run/execute-step.js'
import { inParts } from '../../../src/run/split/in-parts.js'
import { orAborted } from '../../../src/signals.js'
import type { StepWorker } from '../../../src/step/context.js'
import type { RunRecord } from '../../../src/step/events.js'
import { decodeReply, decodeStep, encodeReply, encodeStep } from '../../../src/step/task/codec.js'
import { packStep, unpackRelations } from '../../../src/step/task/pack.js'
import type { StepTask } from '../../../src/step/task/task.js'
import { LocalStorage } from '../../../src/storage/local.js'
import { amount } from '../../support/effort.js'
import { progressOfLake, rowsOfLake } from '../../support/lake-rows.js'
import { Project, step } from '../../support/project.js'
import { seed } from '../../support/seed.js'

/*
 * A step that is carried out in parts gives what it gives as a whole: rows, versions, tombstones,
 * what was discarded and why, and counts; whatever number of parts there are, in whatever order
 * they come, and when parts are carried out twice or their results get lost. All that parts are
 * told and give passes through JSON.
 */

interface Shape {
  key: '' | 'id' | 'id, name'
  cursor: boolean
  history: boolean
  removes: boolean
  deletes: boolean
  /** Refined rows and values, which JavaScript checks. */
  refined: boolean
  /** SQL that fails on some rows. */
  casts: boolean
  /** A check whose rows keep the step from being published. */
  fails: boolean
  partitions: '' | "month('at')" | "'name'"
  two: boolean
}

/** @param version a later one has a column more, and another rule. */
const lake = (shape: Shape, version: number) => {
  const { key, cursor, history, removes, deletes, refined, casts, fails, partitions, two } = shape
  const ordered = key && cursor
  const name = `z.string().max(3)${refined ? ".refine((text) => text !== 'b')" : ''}${key.includes('name') ? '' : '.nullable()'}`
  const columns = [
    'id: t.bigint()',
    `name: ${name}`,
    `at: t.date()${partitions.includes('at') || ordered ? '' : '.nullable()'}`,
    'amount: t.decimal(9, 2)',
    ...(casts ? ['whole: t.int().nullable()'] : []),
    ...(version > 0 ? ['note: z.string().nullable()'] : []),
  ]
  return `
import { bronze, check, defineLake, gold, month, rule, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('events', { from: files('in/*.csv') })
const others = bronze('others', { from: files('others/*.csv') })
const events = silver('events', {
  from: ${two ? '[raw, others]' : 'raw'},
  schema: z.object({ ${columns.join(', ')} })${refined ? ".refine((row) => row.name !== 'a' || row.id !== 3n)" : ''},
  ${key ? `key: [${key.split(', ').map((one) => `'${one}'`)}],` : ''}
  ${ordered ? "cursor: 'at'," : ''}
  ${ordered && history ? 'history: true,' : ''}
  ${ordered && removes ? "onInvalidUpdate: 'remove'," : ''}
  ${key && deletes ? "deleteWhen: sql`amount = '0.00'`," : ''}
  ${casts ? 'select: { whole: sql`cast(id as integer)` },' : ''}
  ${partitions ? `partitionBy: [${partitions}],` : ''}
  rules: [
    rule('amounts are known', sql\`amount <> ${13 + version}\`),
    rule('amounts are usual', sql\`amount < 90\`, { severity: 'warn' }),
    ${fails ? "rule('amounts are sane', sql`amount < 1000`, { severity: 'fail' })," : ''}
  ],
  checks: [check.rowCount({ min: 1, severity: 'warn' })],
})
${
  key
    ? `const latest = silver('latest', {
  from: events, key: 'id',${cursor ? " cursor: 'at'," : ''}
  schema: z.object({ id: t.bigint(), at: t.date().nullable(), amount: t.decimal(9, 2).max('94') }),
})`
    : 'const latest = events'
}
const total = gold('total', { query: sql\`select count(*) as n, sum(amount) as amount from \${latest}\` })
const days = gold('days', {
  query: sql\`select "at" as day, count(*) as n, sum(amount) as amount from \${events} group by 1\`,
  partitionBy: ['day'],
})
const places = gold('places', {
  query: sql\`select name, "at", sum(amount) as amount, rank() over (partition by name order by sum(amount) desc, "at") as place
    from \${events} group by name, "at"\`,
  incremental: { by: 'name' },
  checks: [check.rowCount({ min: 3, severity: 'warn' })],
})
export default defineLake({ name: 'split', datasets: [total, days, places] })
`
}

const row = fc.record({
  id: fc.oneof(
    { weight: 19, arbitrary: fc.integer({ min: 0, max: 12 }) },
    { weight: 1, arbitrary: fc.constant('x') },
  ),
  name: fc.constantFrom('', 'a', 'b', 'ß', 'long'),
  at: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom('2026-01-01', '2026-01-02', '2026-02-03') },
    { weight: 1, arbitrary: fc.constantFrom('soon', '') },
  ),
  amount: fc.oneof(
    { weight: 30, arbitrary: fc.constantFrom('0.00', '1.5', '2', '13', '14', '95') },
    { weight: 4, arbitrary: fc.constantFrom('much', '2.505') },
    { weight: 1, arbitrary: fc.constantFrom('1000') },
  ),
  note: fc.constantFrom('', 'n'),
})
const shape = fc.record({
  key: fc.constantFrom('' as const, 'id' as const, 'id' as const, 'id, name' as const),
  cursor: fc.boolean(),
  history: fc.boolean(),
  removes: fc.boolean(),
  deletes: fc.boolean(),
  refined: fc.boolean(),
  casts: fc.boolean(),
  fails: fc.boolean(),
  partitions: fc.constantFrom('' as const, "month('at')" as const, "'name'" as const),
  two: fc.boolean(),
})
const file = fc.record({
  others: fc.boolean(),
  rows: fc.array(row, { minLength: 1, maxLength: 12 }),
})
/** Runs of a few files each; some on a later definition, or over all rows. */
const runs = fc.array(
  fc.record({
    files: fc.array(file, { minLength: 1, maxLength: 4 }),
    evolves: fc.boolean(),
    how: fc.constantFrom('', '', 'full', 'replay'),
    rewriteUpTo: fc.constantFrom(0, undefined),
  }),
  { minLength: 1, maxLength: 4 },
)

type Row = typeof row extends fc.Arbitrary<infer R> ? R : never

const csv = (rows: readonly Row[]) =>
  ['id,name,at,amount,note', ...rows.map((r) => Object.values(r).join(',')), ''].join('\n')

/** What a run says of the steps that build tables. */
const said = ({ steps, error }: RunRecord) => {
  // A definition that no run accepts would prove nothing.
  if (error) throw new Error(error.message)
  return steps
    .filter(({ dataset }) => !dataset.startsWith('bronze.'))
    .map(({ dataset, outcome, error, counts, discarded, warnings, checks, stale, rows }) => {
      const hint = error?.hint?.replace(/--run \S+/, '--run ID')
      const named = error && { ...error, hint }
      return { dataset, outcome, error: named, counts, discarded, warnings, checks, stale, rows }
    })
    .sort((a, b) => (a.dataset < b.dataset ? -1 : 1))
}

/** Manifests of small tables are sent with their tasks. */
const inText = () => Promise.reject(new Error('a small step was laid into storage'))

/** Carries steps out by JSON, in an order of its own, some twice, some in vain before. */
function hostileWorker(engine: Engine, numbers: readonly number[], asked: StepTask[]): StepWorker {
  // Each has an engine for itself where workers are processes.
  const pool = new Pool(1)
  let at = 0
  const next = () => numbers[at++ % numbers.length] as number
  return async (resources, dataset, task) => {
    asked.push(task)
    const { storage, relations } = resources
    const text = encodeStep(await packStep(relations, dataset, task))
    const attempt = () => pool.run(carriedOut)
    const carriedOut = async () => {
      const sent = await decodeStep(text, inText)
      const own = { ...resources, engine, relations: unpackRelations(storage, sent) }
      const reply = await executeStep(own, dataset, sent.task).then(
        (output) => ({ output }),
        (error) => ({ error }),
      )
      return decodeReply(encodeReply(reply))
    }
    await new Promise((resolve) => setTimeout(resolve, next() % 20))
    // A part whose result nobody got is carried out again.
    if (task.part && next() % 4 === 0) await attempt()
    const twice = task.part !== undefined && next() % 4 === 0
    const replies = await Promise.all(twice ? [attempt(), attempt()] : [attempt()])
    const reply = replies[next() % replies.length] as (typeof replies)[number]
    if ('error' in reply) throw reply.error
    return reply.output
  }
}

describe('steps in parts', () => {
  it('give what whole steps give', async () => {
    const seen: Record<string, number> = {}
    const refused: string[] = []
    const numbers = fc.array(fc.nat(100), { minLength: 20, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(
        shape,
        runs,
        fc.constantFrom(2, 7),
        fc.constantFrom(3, 1000),
        numbers,
        async (how, all, most, keys, dice) => {
          const project = await Project.create({
            'in/0.csv': csv([]),
            'others/0.csv': csv([]),
          })
          const copy = join(project.folder, 'in-parts')
          const root = join(project.folder, 'lake')
          const asked: StepTask[] = []
          const engine = await openEngine({ threads: 2 })
          onTestFinished(() => engine.close())
          const worker = inParts(most, hostileWorker(engine, dice, asked), {
            rows: 1,
            keys,
            rangeRows: 2,
          })
          let version = 0
          for (const [i, { files, evolves, how: kind, rewriteUpTo }] of all.entries()) {
            version += evolves ? 1 : 0
            await project.write({ 'lake.ts': lake(how, version) })
            for (const [j, { others, rows }] of files.entries())
              await project.write({ [`${others ? 'others' : 'in'}/${i}-${j}.csv`]: csv(rows) })
            await project.run({ select: ['bronze.events', ...(how.two ? ['bronze.others'] : [])] })
            await rm(copy, { recursive: true, force: true })
            await cp(root, copy, { recursive: true })
            const time = new Date()
            const options = {
              now: () => time,
              allowBreaking: true,
              allowLoss: true,
              ...(rewriteUpTo === undefined ? {} : { rewriteUpTo }),
              ...(kind === 'full' ? { full: true } : {}),
              ...(kind === 'replay' && i > 0 ? { replay: { dataset: 'silver.events' } } : {}),
            }
            const whole = await project.run(options).then(said, String)
            const parts = await project
              .runOn(new LocalStorage(copy), { ...options, worker })
              .then(said, String)
            if (typeof whole === 'string') refused.push(whole)
            expect(parts).toEqual(whole)
            expect(await rowsOfLake(copy)).toEqual(await rowsOfLake(root))
            expect(await progressOfLake(copy)).toEqual(await progressOfLake(root))
            // What comes next meets what parts have written.
            await rm(root, { recursive: true })
            await rename(copy, root)
          }
          const storage = new LocalStorage(root)
          const info = { author: 'test', run: null }
          await vacuum(new CommitLog(storage), storage, { grace: -60_000, remove: true, info })
          expect(await storage.list('scratch/')).toEqual([])
          for (const { part } of asked)
            seen[part?.by ?? 'whole'] = (seen[part?.by ?? 'whole'] ?? 0) + 1
        },
      ),
      { seed, numRuns: amount(3, 12, 60), endOnFailure: true },
    )
    expect(refused.filter((why) => !why.includes('replay'))).toEqual([])
    expect(Object.keys(seen).sort()).toEqual(['files', 'keys', 'places', 'values', 'whole'])
  })

  const plain: Shape = {
    ...{ key: '', cursor: false, history: false, removes: false, deletes: false, refined: false },
    ...{ casts: false, fails: false, partitions: '', two: false },
  }
  /** A lake whose silver and gold have a part for each of so many files, or days. */
  const splitLake = async (count: number) => {
    const project = await Project.create({ 'lake.ts': lake(plain, 0) })
    for (let i = 1; i <= count; i++)
      await project.write({
        [`in/${i}.csv`]: `id,name,at,amount,note\n${i},a,2026-01-0${i},2,\n`,
        'others/0.csv': csv([]),
      })
    await project.run({ select: ['bronze.events'] })
    return project
  }
  const sizes = { rows: 1, keys: 1000, rangeRows: 2 }

  for (const [name, by] of [
    ['silver.events', 'files'],
    ['gold.days', 'values'],
  ] as const)
    it(`end the others of ${name} when one fails, before the step does`, async () => {
      const project = await splitLake(4)
      let [begun, ended] = [0, 0]
      const worker = inParts(
        4,
        async (resources, dataset, task) => {
          if (task.dataset !== name || task.part?.by !== by)
            return executeStep(resources, dataset, task)
          if (begun++ === 0) throw new MoraineError('engine', 'the first part has failed')
          // Others are at work for as long as somebody waits for them.
          return orAborted(resources.signal, () => new Promise<never>(() => {})).finally(() => {
            ended++
          })
        },
        sizes,
      )
      const record = await project.run({ worker })
      expect(step(record, name).error).toMatchObject({ message: 'the first part has failed' })
      expect(begun).toBeGreaterThan(1)
      expect(ended).toBe(begun - 1)
    })

  it('are packed as workers get free, and their manifests once: what waits has none in memory', async () => {
    const project = await splitLake(8)
    const given = new Map<string, Parameters<StepWorker>>()
    const engine = await openEngine({ threads: 2 })
    onTestFinished(() => engine.close())
    const one = new Pool(1)
    let [packed, most, carried, longest] = [0, 0, 0, 0]
    /** Where manifests are laid, by dataset: as if there were very many. */
    const paths = new Map<string, string[]>()
    const gone: string[] = []
    const carryOut = async (text: string) => {
      const read: string[] = []
      const sent = await decodeStep(text, (of) => {
        read.push(of.path)
        return readLeads(project.storage, of).catch((error) => {
          gone.push(of.path)
          throw error
        })
      })
      const { dataset: name } = sent.task
      paths.set(name, [...(paths.get(name) ?? []), read.at(-1) as string])
      const [resources, dataset] = given.get(name) as Parameters<StepWorker>
      const relations = unpackRelations(resources.storage, sent)
      return executeStep({ ...resources, engine, relations }, dataset, sent.task)
    }
    const workers: Workers = {
      slots: 1,
      async *map(tasks) {
        most = Math.max(most, ++packed)
        try {
          for await (const { id, text } of tasks) {
            longest = Math.max(longest, text.length)
            const output = await one.run(() => carryOut(text))
            carried++
            yield { id, reply: encodeReply({ output }), attempt: 1, where: 'here' }
          }
        } finally {
          packed--
        }
      },
      close: async () => {},
    }
    const steps = stepsBy(workers, { definitions: new Map(), log: () => {}, large: 0 })
    const worker = inParts(
      8,
      (resources, dataset, task) => {
        given.set(fullName(dataset), [resources, dataset, task])
        return steps.carryOut(resources, dataset, task)
      },
      sizes,
    )
    const record = await project.run({
      worker: async (resources, dataset, task) => {
        const output = await worker(resources, dataset, task)
        await steps.forget(task, resources.storage)
        return output
      },
    })
    expect(record.steps.flatMap(({ error }) => error ?? [])).toEqual([])
    expect(await project.query('select count(*) as n from silver.events')).toEqual([{ n: 8n }])
    expect(carried).toBeGreaterThan(8)
    expect(most).toBeLessThanOrEqual(workers.slots + 2)
    // All parts of a step share what they lead to; afterwards nothing of it is there.
    expect(paths.get('silver.events')?.length).toBeGreaterThanOrEqual(8)
    expect(longest).toBeLessThan(300)
    for (const [name, all] of paths) expect(new Set(all).size, name).toBe(1)
    // Steps that are told the same have their own: one that ends removes nothing of another.
    expect(gone).toEqual([])
    expect(new Set([...paths.values()].flat()).size).toBe(paths.size)
    expect(await project.storage.list('scratch/')).toEqual([])
  })
})
