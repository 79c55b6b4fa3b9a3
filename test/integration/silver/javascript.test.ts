import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Threads } from '../../../src/load/threads.js'
import type { RunRecord } from '../../../src/step/events.js'
import { Project, repository, step } from '../../support/project.js'

const definition = (schema: string) => `
import { isMainThread } from 'node:worker_threads'
import { bronze, defineLake, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('raw', { from: files('in.csv') })
const things = silver('things', { from: raw, key: 'id', schema: ${schema} })
export default defineLake({ name: 'threads', datasets: [things] })
`

const rows = (count: number) =>
  `id,name,nick\n${Array.from({ length: count }, (_, i) => `${i},name ${i},`).join('\n')}\n`

async function withThreads(project: Project, seconds?: number): Promise<RunRecord> {
  const javascript = new Threads(
    join(project.folder, 'lake.ts'),
    seconds === undefined ? {} : { seconds },
  )
  try {
    return await project.run({ javascript })
  } finally {
    await javascript.close()
  }
}

describe("a schema's own JavaScript", () => {
  it('runs beside the process that runs the lake, for columns and for whole rows', async () => {
    const schema = `z.object({
      id: t.int().refine((id) => !isMainThread && id % 1000 !== 7, 'ends in 007'),
      name: z.string().transform((name) => name.toUpperCase()).pipe(z.string()),
      nick: z.string().optional().transform((nick) => nick ?? '\\uFEFFnone').pipe(z.string()),
    }).refine((row) => !isMainThread && row.id !== 12345, 'not this one')`
    const project = await Project.create({ 'lake.ts': definition(schema), 'in.csv': rows(30_000) })
    const { code, stdout } = await project.cli('run')
    expect(stdout).toContain('30,000 rows in = 29,969 kept + 31 discarded')
    expect(code).toBe(0)
    expect(
      await project.query(`select reasons[1] as reason, count(*) as n from discarded.things
        group by 1 order by 1`),
    ).toEqual([
      { reason: 'id: ends in 007', n: 30n },
      { reason: 'row: not this one', n: 1n },
    ])
    expect(
      await project.query(`select name, length(nick) as l from silver.things where id = 25001`),
    ).toEqual([{ name: 'NAME 25001', l: 5n }])
  })

  it('that never comes back does not keep Ctrl-C from ending the run', async () => {
    const schema = `z.object({ id: t.int().refine((id) => { for (;;) id++ }) })`
    const project = await Project.create({ 'lake.ts': definition(schema), 'in.csv': rows(10) })
    const child = spawn(process.execPath, [
      join(repository, 'bin/moraine.js'),
      '-C',
      project.folder,
      'run',
    ])
    while (!(await project.state()).batches['bronze.raw']) await sleep(50)
    await sleep(500)
    expect(child.exitCode).toBe(null)
    child.kill('SIGINT')
    const [code] = await once(child, 'exit')
    expect(code).toBe(1)
    expect(Object.keys((await project.state()).tables)).toEqual([])
  })

  it('that ends its thread, or never comes back, costs the row and no other', async () => {
    const schema = `z.object({
      id: t.int().refine((id) => id !== 5 || process.exit(3)),
      name: z.string().refine((name) => { if (name === 'name 7') for (;;); return true }),
    })`
    const project = await Project.create({ 'lake.ts': definition(schema), 'in.csv': rows(40) })
    const record = await withThreads(project, 2)
    expect(step(record, 'silver.things').counts).toMatchObject({ in: 40, kept: 38, discarded: 2 })
    expect(
      await project.query('select reasons, raw from discarded.things order by _source_line'),
    ).toEqual([
      {
        reasons: ['id: its check ended the thread it runs in'],
        raw: expect.stringContaining('name 5'),
      },
      {
        reasons: ['name: its check did not return within 2 s'],
        raw: expect.stringContaining('name 7'),
      },
    ])
  })

  it('that ends its thread at all rows fails the step and says so', async () => {
    const schema = `z.object({ id: t.int().refine(() => process.exit(3)) })`
    const project = await Project.create({ 'lake.ts': definition(schema), 'in.csv': rows(10) })
    const { code, stdout, stderr } = await project.cli('run')
    expect(stdout + stderr).toContain('silver.things: the thread of its checks has ended')
    expect(code).toBe(1)
  })

  const hostile = {
    nothing: 'throw null',
    'a text': "throw 'a word'",
    'what can not be shown': 'throw { toString() { throw 1 } }',
    'half a character': "throw new Error('\\ud800 \\u0000')",
    'a recursion without end': 'const f = () => f(); f()',
  }
  it.each(Object.entries(hostile))('that throws on one row discards it: %s', async (_, code) => {
    const schema = `z.object({
      id: t.int().refine((id) => { if (id === 3) { ${code} } return true }),
      name: z.string(),
    }).refine((row) => { if (row.id === 4) { ${code} } return true })`
    const project = await Project.create({ 'lake.ts': definition(schema), 'in.csv': rows(6) })
    const run = await project.cli('run', '--json')
    const record = JSON.parse(run.stdout) as RunRecord
    const { counts, discarded, error } = step(record, 'silver.things')
    expect(error).toBeUndefined()
    expect(counts).toMatchObject({ in: 6, kept: 4, discarded: 2 })
    expect(discarded?.map(({ reason }) => reason.replace(/its check .*/, 'its check'))).toEqual([
      'id: its check',
      'row: its check',
    ])
  })

  it('that fails later than it answers, in what it does not wait for, decides nothing', async () => {
    const late = `Promise.reject(new Error('late')); setTimeout(() => { throw new Error('later') }, 0)`
    const schema = `z.object({ id: t.int().refine((id) => { if (id === 3) { ${late} } return true }) })`
    const project = await Project.create({ 'lake.ts': definition(schema), 'in.csv': rows(25_000) })
    const run = await project.cli('run', '--json')
    const record = JSON.parse(run.stdout) as RunRecord
    expect(step(record, 'silver.things').counts).toMatchObject({ kept: 25_000, discarded: 0 })
    expect(run.stderr).toContain('this failed later: late')
  })

  it('may give texts that are none, in lists too', async () => {
    const schema = `z.object({
      id: t.int(),
      name: z.string().transform((name) => [name, '\\ud800', 'a\\u0000b']).pipe(z.array(z.string())),
    })`
    const project = await Project.create({ 'lake.ts': definition(schema), 'in.csv': rows(2) })
    expect((await withThreads(project)).outcome).toBe('done')
    expect(await project.query('select name from silver.things where id = 1')).toEqual([
      { name: ['name 1', '\uFFFD', 'a\u0000b'] },
    ])
  })
})
