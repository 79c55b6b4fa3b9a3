import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { openLake } from '../../../src/query/open.js'
import { Project, repository } from '../../support/project.js'

/*
 * Each way to ask a query keeps to the limits that `lake.ts` gives to queries: here no result may
 * have a byte.
 */

const lake = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('sales', { from: files('sales.csv') })
export const sales = silver('sales', { from: raw, schema: z.object({ id: t.int() }), key: 'id' })
export const wide = gold('wide', { query: sql\`select * from \${sales}\`, view: true })
export default defineLake({ name: 'shop', datasets: [sales, wide], queries: { maxBytes: '1B' } })
`
const TOO_LARGE = 'The result of the query is larger than its limit of 1 B'

let project: Project
const create = async () => {
  project = await Project.create({
    'lake.ts': lake,
    'sales.csv': 'id\n1\nnone\n',
    'question.sql': 'from silver.sales',
  })
  await project.run()
}

/** What each command that asks a query is called with here, by the module that asks. */
const commands: Record<string, string[][]> = {
  'query.ts': [
    ['query', 'from silver.sales'],
    ['query', '--file', '{folder}/question.sql'],
    ['query', '--format', 'csv', 'from silver.sales'],
    ['query', '--format', 'arrow', 'from silver.sales'],
    ['query', '--out', '{folder}/sales.parquet', 'from silver.sales'],
  ],
  'why.ts': [['why', 'gold.wide', '--where', 'true']],
  'bisect.ts': [['bisect', 'select count(*) > 0 from silver.sales']],
  'preview.ts': [
    ['preview', 'silver.sales'],
    ['preview', 'gold.wide'],
  ],
  'discarded.ts': [
    ['discarded', 'sales'],
    ['discarded', 'sales', '--rule', 'id'],
    ['discarded', 'sales', '--rule', 'i'],
    ['discarded', 'sales', '--export', 'csv'],
    // It asks by that module.
    ['replay', 'sales', '--rule', 'i'],
  ],
}

it('all commands that ask queries are known here', () => {
  const folder = join(repository, 'src/cli/commands')
  const asking = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .filter((name) => readFileSync(join(folder, name), 'utf8').includes("/query/query.js'"))
    .map((name) => basename(name))
  expect(asking.sort()).toEqual([...Object.keys(commands), 'dev.ts'].sort())
})

describe('the limits of lake.ts hold for', () => {
  it.each(
    Object.values(commands)
      .flat()
      .map((args) => [args.join(' '), args] as const),
  )('moraine %s', async (_, args) => {
    await create()
    const given = args.map((arg) => arg.replace('{folder}', project.folder))
    const { code, stderr } = await project.cli(...given)
    expect(stderr).toContain(TOO_LARGE)
    expect(code).toBe(1)
  })

  it('moraine dev, which shows the first rows', async () => {
    await create()
    const child = spawn(
      process.execPath,
      [join(repository, 'bin/moraine.js'), '-C', project.folder, 'dev'],
      { env: { ...process.env, NO_COLOR: '1' } },
    )
    onTestFinished(() => void child.kill('SIGKILL'))
    let told = ''
    await new Promise<void>((done) => {
      const hear = (chunk: Buffer) => {
        told += chunk
        if (told.includes('Waiting for changes')) done()
      }
      child.stdout.on('data', hear)
      child.stderr.on('data', hear)
      child.on('close', () => done())
    })
    expect(told).toContain(TOO_LARGE)
  })

  it('programs', async () => {
    await create()
    const definition = await project.load()
    const opened = openLake(definition)
    const [dataset] = definition.datasets.filter(({ tier }) => tier === 'silver')
    if (dataset?.tier !== 'silver') throw new Error('there is no such dataset')
    await expect(opened.read(dataset)).rejects.toThrow(TOO_LARGE)
    await expect(opened.query('from silver.sales')).rejects.toThrow(TOO_LARGE)
    await expect(opened.stream(dataset)[Symbol.asyncIterator]().next()).rejects.toThrow(TOO_LARGE)
  })
})

it('an option says otherwise for one question', async () => {
  await create()
  for (const args of [
    ['query', 'from silver.sales'],
    ['preview', 'silver.sales'],
    ['discarded', 'sales'],
  ])
    expect((await project.cli(...args, '--max-bytes', '1MB')).code).toBe(0)
})
