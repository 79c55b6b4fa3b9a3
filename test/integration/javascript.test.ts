import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { Project, repository } from '../support/project.js'

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

  it('that ends its thread fails the step and says so', async () => {
    const schema = `z.object({ id: t.int().refine((id) => id !== 5 || process.exit(3)) })`
    const project = await Project.create({ 'lake.ts': definition(schema), 'in.csv': rows(10) })
    const { code, stdout, stderr } = await project.cli('run')
    expect(stdout + stderr).toContain('silver.things: the thread of its checks has ended')
    expect(code).toBe(1)
  })
})
