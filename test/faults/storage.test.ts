import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import { MoraineError } from '../../src/errors.js'
import { CommitLog } from '../../src/log/log.js'
import { verifyLake } from '../../src/log/verify/verify.js'
import { runLake } from '../../src/run/execute.js'
import { LocalStorage } from '../../src/storage/local.js'
import { RetryingStorage } from '../../src/storage/retrying.js'
import type { Storage } from '../../src/storage/storage.js'
import { Project, repository } from '../support/project.js'

const definition = `
import { bronze, defineLake, gold, month, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const make = (name: string) => silver(name, {
  from: bronze(name, { from: files(\`\${name}/*.csv\`) }),
  key: 'id', partitionBy: [month('at')],
  schema: z.object({ id: t.int(), at: t.date() }),
})
const all = ['a', 'b', 'c', 'd'].map(make)
const totals = gold('totals', { query: sql\`select count(*) as n from \${all[0]} join \${all[1]} using (id)\` })
export default defineLake({ name: 'faults', datasets: [...all, totals] })
`
const file = (from: number, to: number) =>
  [
    'id,at',
    ...Array.from({ length: to - from }, (_, i) => `${from + i},2026-0${(i % 3) + 1}-01`),
    '',
  ].join('\n')
const inputs = (name: string, from: number, to: number) =>
  Object.fromEntries(['a', 'b', 'c', 'd'].map((table) => [`${table}/${name}.csv`, file(from, to)]))

/** A repeatable source of chance. */
function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

/** A storage that is slow, refuses calls, and loses answers to calls that it did. */
function flapping(
  inner: Storage,
  share: number,
  seed: number,
): { storage: Storage; failures: () => number } {
  const random = chance(seed)
  let failures = 0
  const fail = () => {
    failures++
    throw new MoraineError('storage', 'connection reset', { retryable: true })
  }
  const storage = new Proxy(inner, {
    get: (target, name) => {
      const value = Reflect.get(target, name)
      if (typeof value !== 'function' || name === 'locate') return value
      return async (...args: unknown[]) => {
        await sleep(random() * 3)
        if (random() < share) fail()
        const result = await Reflect.apply(value, target, args)
        if (random() < share) fail()
        return result
      }
    },
  })
  return { storage, failures: () => failures }
}

describe('a storage that is slow, refuses calls and loses answers', () => {
  it.each([1, 2, 3])('holds the same lake in the end (%s)', async (seed) => {
    const project = await Project.create({ 'lake.ts': definition, ...inputs('1', 0, 60) })
    const lake = await project.load()
    const engine = await DuckDB.start({ threads: 2 })
    const { storage, failures } = flapping(project.storage, 0.04, seed)
    const retrying = new RetryingStorage(storage, { total: 60_000, pause: async () => {} })
    for (const [name, from, to] of [
      ['1', 0, 60],
      ['2', 40, 90],
    ] as const) {
      await project.write(inputs(name, from, to))
      // What was refused too often is told, and done by the next run.
      for (let attempt = 0; ; attempt++) {
        const run = await runLake(lake, { storage: retrying, engine })
        if (run.outcome === 'done') break
        expect(attempt).toBeLessThan(5)
      }
    }
    await engine.close()
    expect(failures()).toBeGreaterThan(10)
    expect((await verifyLake(project.storage, new CommitLog(project.storage))).problems).toEqual([])
    const state = await project.state()
    for (const name of ['a', 'b', 'c', 'd'])
      expect(state.tables[`silver.${name}`]?.counts).toMatchObject({
        in: 110,
        kept: 90,
        superseded: 20,
      })
    expect(await project.query('from gold.totals')).toEqual([{ n: 90n }])
  })
})

describe('eight processes that run at once', () => {
  it('commit to overlapping tables without losing or doubling a row', async () => {
    const project = await Project.create({ 'lake.ts': definition, ...inputs('1', 0, 40) })
    const selections = [
      ['silver.a', 'bronze.a'],
      ['silver.b', 'bronze.b'],
      [],
      ['+gold.totals'],
      ['silver.c', 'bronze.c'],
      ['silver.d', 'bronze.d'],
      [],
      ['+silver.a'],
    ]
    const bin = join(repository, 'bin/moraine.js')
    for (const load of [1, 2]) {
      await project.write(inputs(String(load), (load - 1) * 20, (load - 1) * 20 + 40))
      await Promise.all(
        selections.map(async (selection) => {
          const child = spawn(process.execPath, [bin, '-C', project.folder, 'run', ...selection], {
            stdio: 'ignore',
          })
          await once(child, 'exit')
        }),
      )
    }
    expect((await project.run()).outcome).toBe('done')
    const state = await project.state()
    for (const name of ['a', 'b', 'c', 'd']) {
      expect(state.batches[`bronze.${name}`]).toHaveLength(2)
      expect(state.tables[`silver.${name}`]?.counts).toMatchObject({
        in: 80,
        kept: 60,
        superseded: 20,
      })
    }
    expect((await verifyLake(project.storage, new CommitLog(project.storage))).problems).toEqual([])
  })
})

describe('a lake that was damaged', () => {
  it.each([
    [
      'a manifest that is torn',
      /-m0\.avro$/,
      (bytes: Buffer) => bytes.subarray(0, bytes.length / 2),
      'is damaged',
    ],
    [
      'metadata that are torn',
      /\.metadata\.json$/,
      (bytes: Buffer) => bytes.subarray(0, 200),
      'is damaged: its SHA-256 does not match',
    ],
    ['a manifest list that is empty', /snap-.*\.avro$/, () => Buffer.alloc(0), 'is damaged'],
  ])(
    '%s: says which file, writes nothing, and can be rolled back',
    async (_, pattern, spoil, message) => {
      const project = await Project.create({ 'lake.ts': definition, ...inputs('1', 0, 10) })
      await project.cli('run')
      const good = (await project.state()).number
      await project.write(inputs('2', 5, 20))
      await project.cli('run')
      const { metadata } = (await project.state()).tables['silver.a'] as { metadata: string }
      const folder = join(project.folder, 'lake/silver/a/metadata')
      const names = (await readdir(folder)).filter((name) => pattern.test(name))
      for (const name of names) {
        if (/metadata\.json$/.test(name) && !metadata.endsWith(name)) continue
        const bytes = await readFile(join(folder, name))
        await chmod(join(folder, name), 0o600)
        await writeFile(join(folder, name), spoil(bytes))
      }
      await project.write(inputs('3', 15, 30))
      const run = await project.cli('run', '+silver.a')
      expect(run.code).toBe(1)
      expect(run.stdout + run.stderr).toContain(message)
      expect(run.stdout + run.stderr).not.toMatch(/\n +at /)
      expect((await project.cli('verify')).stdout).toContain('silver/a/metadata/')
      if (pattern.test('x.metadata.json')) {
        expect((await project.cli('rollback', '--to', String(good))).code).toBe(0)
        expect((await project.cli('run')).code).toBe(0)
        expect((await project.cli('verify', '--head')).code).toBe(0)
      } else {
        // What goes as a whole need not be read.
        expect(run.stdout + run.stderr).toContain('moraine run silver.a --full')
        expect((await project.cli('run', 'silver.a', '--full')).code).toBe(0)
        expect((await project.cli('verify', '--head', '--deep')).code).toBe(0)
      }
    },
  )

  it('a clock that goes back years makes no difference', async () => {
    const project = await Project.create({ 'lake.ts': definition, ...inputs('1', 0, 10) })
    const lake = await project.load()
    const engine = await DuckDB.start({ threads: 1 })
    const at = (time: string) => ({ storage: project.storage, engine, now: () => new Date(time) })
    expect((await runLake(lake, at('2026-05-01T00:00:00Z'))).outcome).toBe('done')
    await project.write(inputs('2', 5, 20))
    expect((await runLake(lake, at('2019-01-01T00:00:00Z'))).outcome).toBe('done')
    await engine.close()
    const log = new CommitLog(new LocalStorage(join(project.folder, 'lake')))
    const times: string[] = []
    for await (const { commit } of log.entries()) times.push(commit.time)
    expect([...times].sort()).toEqual(times)
    expect((await project.state()).tables['silver.a']?.rows).toBe(20)
  })
})
