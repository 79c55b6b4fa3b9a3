import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, hostname } from 'node:os'
import { join } from 'node:path'
import { text as textOf } from 'node:stream/consumers'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { engineVersion } from '../../../src/engine/open.js'
import { encodeLine, type Hello, readWorkerLine } from '../../../src/engine/workers/protocol.js'
import { layDefinition } from '../../../src/load/workers/definition.js'
import { stepsBy } from '../../../src/load/workers/step-workers.js'
import { program } from '../../../src/log/program.js'
import { machineMemory } from '../../../src/process/memory.js'
import { childrenOf, ended } from '../../support/processes.js'
import { moraine, Project, repository, step } from '../../support/project.js'
import { Served } from '../../support/served.js'
import { Unreliable } from '../../support/workers.js'

/*
 * Steps of silver and gold in processes of their own: where a definition or the command line says
 * so, with the rows of one process; what workers load, and what they refuse.
 */

const lake = (options = '', dataset = '') => `
import { bronze, defineLake, duckdb, gold, silver, sql, sqlFile, t, trino, workers, z } from 'moraine'
import { files } from 'moraine/sources'
import { shout } from 'shouting'
console.log('a definition may write what it likes')
process.stdout.write('without a line end')
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', {
  from: raw, key: 'id', ${dataset}
  schema: z.object({ id: t.int(), name: z.string().refine((name) => shout(name) !== 'BAD!'), amount: t.decimal(38, 9) }),
})
const total = gold('total', { query: sqlFile(new URL('total.sql', import.meta.url), { orders }) })
const shown = gold('shown', { query: sql\`select * from \${total}\`, view: true })
export default defineLake({ name: 'shop', datasets: [shown], ${options} })
`

/** A package of the project's, as npm installs it. */
const shouting = {
  'node_modules/shouting/package.json': '{"name": "shouting", "main": "index.js"}',
  'node_modules/shouting/index.js':
    "const { format } = require('node:util')\nexports.shout = (text) => format('%s!', text.toUpperCase())\n",
}

const shop = (options = '', dataset = '') =>
  Project.create({
    'lake.ts': lake(options, dataset),
    'total.sql': 'select count(*) as n, sum(amount) as amount from ${orders}',
    'in/1.csv': 'id,name,amount\n1,a,12345678901234567890.123456789\n2,bad,3\n3,c,1\nx,d,1\n',
    ...shouting,
  })

const total = [{ n: 2n, amount: '12345678901234567891.123456789' }]

interface PlannedStep {
  dataset: string
  on?: { engine: string; tasks: number; bytes: number; memory?: number; why?: string }
}

async function placesOf(project: Project, ...args: string[]) {
  const { stdout } = await project.cli('--json', 'plan', ...args)
  // The definition has written to the same output, before.
  const { steps } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { steps: PlannedStep[] }
  return Object.fromEntries(steps.flatMap(({ dataset, on }) => (on ? [[dataset, on]] : [])))
}

describe('a lake on workers', () => {
  it('has the rows, reasons and counts of one process; what workers write is told', async () => {
    const project = await shop('engine: workers(2)')
    const { code, stdout, stderr } = await project.cli('run')
    expect([code, stdout]).toEqual([0, expect.stringContaining('4 rows in')])
    // Once for the run itself, and for each worker.
    expect(stderr.split('a definition may write what it likes').length).toBeGreaterThan(2)
    const { node } = process.versions
    expect(stdout).toMatch(
      new RegExp(
        `\\n[12] workers? on ${hostname()}: .* cores?, .* of memory; Node ${node}, DuckDB \\d`,
      ),
    )
    expect(await project.query('from gold.total')).toEqual(total)
    const { counts } = (await project.state()).tables['silver.orders'] ?? {}
    expect(counts).toEqual({ in: 4, kept: 2, discarded: 2, superseded: 0 })
    // What comes next finds the same definition there.
    await project.write({ 'in/2.csv': 'id,name,amount\n8,e,1\n' })
    expect((await project.cli('run')).code).toBe(0)
    expect((await project.state()).tables['silver.orders']?.rows).toBe(3)
    expect(await project.storage.list('_moraine/definitions/')).toHaveLength(1)
    // Which engine a table was built by is no part of what it is.
    expect((await project.cli('run', '--engine', 'duckdb')).stdout).toContain('Nothing to do')
    await project.write({ 'lake.ts': lake('engine: workers(1)', 'engine: duckdb(),') })
    expect((await project.cli('plan')).stdout).toContain('Nothing to do')
  })

  it('says of each step where it runs, and why not elsewhere', async () => {
    const project = await shop('engine: workers(3)', 'engine: duckdb(),')
    const on = await placesOf(project)
    expect(on['silver.orders']).toMatchObject({ engine: 'duckdb', tasks: 1 })
    expect(on['gold.total']).toMatchObject({
      engine: 'workers(3)',
      tasks: 1,
      memory: expect.any(Number),
      why: 'a row of its query may depend on all rows: partitionBy may name a column',
    })
    expect(on['gold.shown']).toMatchObject({ engine: 'duckdb', why: 'a view computes no rows' })
    // The file that is to be ingested is known.
    expect(on['silver.orders']?.bytes).toBeGreaterThan(40)
    const asked = await placesOf(project, '--engine', 'workers:5')
    expect(asked['silver.orders']).toMatchObject({ engine: 'workers(5)' })
    expect(asked['silver.orders']?.memory).toBeLessThan(on['gold.total']?.memory as number)
    expect(await placesOf(project, '--engine', 'duckdb')).toEqual({})
    const { stdout } = await project.cli('plan')
    expect(stdout).toMatch(
      /on workers\(3\): 1 task, reads up to .*, at most .* of memory; a row of its query/,
    )
  })

  it('fails at a row that tells of a full disk as in one process: at once, and where', async () => {
    const project = await Project.create({
      'lake.ts': `
import { bronze, defineLake, gold, silver, sql, t, workers, z } from 'moraine'
import { files } from 'moraine/sources'
const logs = silver('logs', { from: bronze('logs', { from: files('in/*.csv') }), schema: z.object({ text: z.string() }) })
const codes = gold('codes', {
  query: sql\`select cast(text as integer) as code from \${logs}\`,
})
export default defineLake({ name: 'shop', datasets: [codes], engine: workers(1) })
`,
      'in/1.csv': 'text\n12\nno space left on device\n',
    })
    const { code, stdout, stderr } = await project.cli('run')
    expect(code).toBe(1)
    expect(stdout + stderr).toContain("Could not convert string 'no space left on device'")
    expect(stdout + stderr).toContain('lake.ts:6')
    expect(stdout + stderr).not.toMatch(/attempt|No worker has finished|disk is full/)
  })

  it('is refused with what to write, where no engine is meant', async () => {
    const project = await shop()
    const { code, stderr } = await project.cli('run', '--engine', 'workers:many')
    expect([code, stderr]).toEqual([2, expect.stringContaining('--engine workers:4')])
    await project.write({ 'lake.ts': lake('engine: 4') })
    expect((await project.cli('plan')).stderr).toContain('Write workers(4), imported from moraine')
    await project.write({ 'lake.ts': lake('engine: workers(0)') })
    expect((await project.cli('plan')).stderr).toContain('count must be a whole number, 1 or more')
  })
})

describe('gold on Trino', () => {
  it('is refused before anything is built where the catalog would not let Trino in', async () => {
    const project = await shop()
    const run = (...args: string[]) =>
      project.cli('run', '--engine', 'trino:http://127.0.0.1:9/lake', ...args)
    const { code, stderr } = await run()
    expect([code, stderr]).toEqual([2, expect.stringContaining('Set MORAINE_TOKEN')])
    expect((await project.state()).tables).toEqual({})
    // Silver needs no Trino.
    expect((await run('bronze.orders', 'silver.orders')).code).toBe(0)
    await project.write({
      'lake.ts': lake("engine: trino({ url: 'http://127.0.0.1:9', catalog: 'lake', as: 'bi' })"),
    })
    const unknown = await project.cli('run')
    expect([unknown.code, unknown.stderr]).toEqual([
      2,
      expect.stringContaining("Add principal('bi', { … }) to the access of defineLake"),
    ])
  })
})

describe('the definition that workers load', () => {
  const laid = async (project: Project) =>
    layDefinition(project.storage, join(project.folder, 'lake.ts'), await project.load())

  /** Says lines to `moraine worker` and gives what it answers. */
  async function worker(lines: string[], env: NodeJS.ProcessEnv = {}) {
    const child = spawn(process.execPath, [join(repository, 'bin/moraine.js'), 'worker'], {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    const [stdout, stderr] = [textOf(child.stdout), textOf(child.stderr)]
    child.stdin.on('error', () => {})
    child.stdin.end(lines.join(''))
    const code = await new Promise((resolve) => child.once('close', resolve))
    const answers = (await stdout).split('\n').filter((line) => line !== '')
    return { code, answers: answers.map(readWorkerLine), stderr: await stderr }
  }

  const helloFor = async (project: Project, more: Partial<Hello> = {}): Promise<Hello> => {
    const { path, sha256 } = await laid(project)
    return {
      protocol: 1,
      moraine: program,
      duckdb: await engineVersion(),
      definition: { path, sha256 },
      root: project.storage.url,
      environment: [],
      ...more,
    }
  }

  it('stands for itself: neither the project nor its packages are there', async () => {
    const project = await shop()
    const { definitions, ...definition } = await laid(project)
    const hello = await helloFor(project, { definition })
    const { carryOut: runs } = stepsBy(
      {
        slots: 1,
        async *map(tasks) {
          for await (const { id, text } of tasks) {
            const { answers } = await worker([
              encodeLine({ hello }),
              encodeLine({ task: { id, attempt: 1, text } }),
            ])
            const reply = answers.flatMap((said) => (said && 'reply' in said ? [said.reply] : []))
            yield { id, reply: reply[0]?.text as string, attempt: 1, where: 'there' }
          }
        },
        close: async () => {},
      },
      // As if its tables had very many files: what it is told lies in the lake.
      { definitions, log: () => {}, large: 0 },
    )
    const lakeHere = await project.load()
    const moved = join(project.folder, 'moved')
    const record = await project.run({
      worker: async (...of) => {
        // Nothing of the project is where it was.
        for (const name of ['lake.ts', 'total.sql', 'node_modules'])
          await rename(join(project.folder, name), `${moved}-${name}`)
        try {
          return await runs(...of)
        } finally {
          for (const name of ['lake.ts', 'total.sql', 'node_modules'])
            await rename(`${moved}-${name}`, join(project.folder, name))
        }
      },
      stepsAtOnce: 1,
    })
    expect(lakeHere.name).toBe('shop')
    expect(record.steps.flatMap(({ error }) => error ?? [])).toEqual([])
    expect(await project.query('from gold.total')).toEqual(total)
  })

  it('has no value of the environment in it, and is told to nobody in arguments', async () => {
    const secret = 'correct-horse-battery-staple'
    const project = await Project.create({
      'lake.ts': `
import { bronze, defineLake, silver, t, workers, z } from 'moraine'
import { files, http, secret } from 'moraine/sources'
process.loadEnvFile(new URL('.env', import.meta.url))
const orders = silver('orders', {
  from: bronze('orders', { from: files('in/*.csv') }),
  schema: z.object({ id: t.int().refine(() => { if (process.argv.join().includes('staple')) throw new Error('told'); return true }) }),
})
const other = bronze('other', { from: http('http://127.0.0.1:1/', { auth: { bearer: secret('env:API_TOKEN') } }) })
export default defineLake({ name: 'shop', datasets: [orders, other], engine: workers(1) })
`,
      '.env': `API_TOKEN=${secret}\n`,
      'in/1.csv': 'id\n1\n',
    })
    const { stdout, stderr } = await project.cli('run', 'bronze.orders+')
    expect(await project.query('from silver.orders')).toMatchObject([{ id: 1 }])
    expect(stdout + stderr).not.toContain(secret)
    const objects = await project.storage.list('_moraine/definitions/')
    expect(objects).toHaveLength(1)
    for (const { path } of await project.storage.list('')) {
      const bytes = Buffer.from(await project.storage.read(path))
      expect(bytes.includes(secret), path).toBe(false)
    }
  })

  it('is not laid where a password is written in it', async () => {
    const project = await shop('engine: workers(1)')
    await project.write({
      'lake.ts': `${lake('engine: workers(1)')}\nexport const login = { user: 'me', password: 'hunter22' }\n`,
    })
    const { code, stdout, stderr } = await project.cli('run')
    expect(code).not.toBe(0)
    expect(stdout + stderr).toContain('This looks like a password or a token')
    expect(stdout + stderr).toContain("write secret('env:NAME')")
    expect(stdout + stderr).toContain('lake.ts:')
    expect(stdout + stderr).not.toContain('hunter22')
    expect(await project.storage.list('_moraine/definitions/')).toEqual([])
    // In the run's own process it is as before.
    expect((await project.cli('run', '--engine', 'duckdb')).code).toBe(0)
  })

  it.each([
    ['login.json', '{\n  "password": "hunter22"\n}', "import login from './login.json'"],
    [
      'login.sql',
      '-- postgres://me:hunter22@db/shop\nselect 1 as n',
      "const query = sqlFile(new URL('./login.sql', import.meta.url))",
    ],
  ])('is not laid where a password is written in %s', async (name, text, code) => {
    const project = await shop('engine: workers(1)')
    const used = name.endsWith('json') ? 'login' : 'query'
    await project.write({
      [name]: text,
      'lake.ts': `${lake('engine: workers(1)')}\n${code}\nexport const used = ${used}\n`,
    })
    const { code: exit, stdout, stderr } = await project.cli('run')
    expect(exit).not.toBe(0)
    expect(stdout + stderr).toContain('This looks like a password or a token')
    expect(stdout + stderr).toContain(`${name}:`)
    expect(stdout + stderr).not.toContain('hunter22')
    expect(await project.storage.list('_moraine/definitions/')).toEqual([])
  })

  it('is not run where it is another one than the run has laid there', async () => {
    const project = await shop()
    const hello = await helloFor(project)
    const file = join(project.folder, 'lake', hello.definition.path)
    const mark = join(project.folder, 'was-run')
    const evil = `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(mark)}, '')`
    await rm(file, { force: true })
    await writeFile(file, `${await readFile(join(project.folder, 'lake.ts'), 'utf8')}\n${evil}\n`)
    const { code, answers } = await worker([encodeLine({ hello })])
    expect(code).toBe(1)
    expect(answers).toEqual([
      {
        refused: {
          kind: 'corrupt',
          message: `${hello.definition.path} is not the definition that the run has written`,
          hint: expect.stringContaining('None of it was executed'),
        },
      },
    ])
    await expect(readFile(mark)).rejects.toThrow('ENOENT')
  })

  it('is not even looked at by a worker of another version; one of the same says what it runs on', async () => {
    const project = await shop()
    for (const [more, message] of [
      [{ moraine: '9.9.9' }, `The worker has Moraine ${program}, and the run has 9.9.9`],
      [{ duckdb: 'v0.1.0' }, `The worker has DuckDB ${await engineVersion()}`],
      [{ unicode: '9.0' }, `The worker has Unicode ${process.versions.unicode}`],
    ] as const) {
      const hello = await helloFor(project, more)
      const { code, answers } = await worker([encodeLine({ hello })])
      expect(code).toBe(1)
      expect(answers).toEqual([
        { refused: expect.objectContaining({ message: expect.stringContaining(message) }) },
      ])
    }
    const { code, answers } = await worker([encodeLine({ hello: await helloFor(project) })])
    expect([code, answers.at(-1)]).toEqual([
      0,
      {
        ready: expect.objectContaining({
          unicode: process.versions.unicode,
          machine: {
            host: hostname(),
            node: process.versions.node,
            platform: `${process.platform} ${process.arch}`,
            cores: availableParallelism(),
            memory: machineMemory(),
          },
        }),
      },
    ])
  })

  it('is refused where it reads something else of the environment than the run', async () => {
    vi.stubEnv('LEAST', '3')
    vi.stubEnv('PLACE', 'here')
    onTestFinished(() => void vi.unstubAllEnvs())
    const project = await Project.create({
      'lake.ts': `
import { bronze, defineLake, gold, sql } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv') })
const total = gold('total', { query: sql\`select count(*) > \${process.env.LEAST ?? 'none'} as enough, \${process.env['PLACE'] ?? null} as place from \${raw}\` })
export default defineLake({ name: 'shop', datasets: [total] })
`,
      'in/1.csv': 'id\n1\n',
    })
    for (const [env, hint] of [
      [{ LEAST: '7' }, 'What lake.ts reads of its environment must be the same there'],
      [{ LEAST: '' }, `lake.ts reads LEAST of the environment, which is not set on ${hostname()}`],
    ] as const) {
      const workers = new Unreliable({ env })
      onTestFinished(() => workers.close())
      const record = await project.run({ worker: await workers.stepsOf(project) })
      expect(step(record, 'gold.total').error).toMatchObject({
        kind: 'conflict',
        message: 'gold.total is defined otherwise where its step runs than where it was planned',
        hint: expect.stringContaining(hint),
      })
    }
  })

  it('goes with a vacuum once no run has used it for long, and is not copied', async () => {
    const project = await shop('engine: workers(1)')
    await project.cli('run')
    const definitions = () => project.storage.list('_moraine/definitions/')
    expect(await definitions()).toHaveLength(1)
    expect((await project.cli('vacuum', '--grace', '1h', '--delete')).code).toBe(0)
    expect(await definitions()).toHaveLength(1)
    const there = join(project.folder, 'copied')
    expect((await project.cli('copy', there)).code).toBe(0)
    expect(await project.storageAt(there).list('_moraine/definitions/')).toEqual([])
    expect((await project.cli('vacuum', '--grace', '0s', '--delete')).code).toBe(0)
    expect(await definitions()).toEqual([])
    await project.write({ 'in/2.csv': 'id,name,amount\n9,e,1\n' })
    expect((await project.cli('run')).code).toBe(0)
    expect(await project.query('select n from gold.total')).toEqual([{ n: 3n }])
  })
})

describe('a daemon on workers', () => {
  it('keeps them for the next job, replaces one that died, and ends them with itself', async () => {
    const project = await Project.create({
      'lake.ts': `
import { bronze, defineLake, gold, silver, sql, t, workers, z } from 'moraine'
import { inbox } from 'moraine/sources'
const raw = bronze('orders', { from: inbox({ settle: '50ms' }) })
const orders = silver('orders', { from: raw, schema: z.object({ id: t.int() }), key: 'id' })
const total = gold('total', { query: sql\`select count(*) as n from \${orders}\` })
export default defineLake({ name: 'shop', datasets: [total], engine: workers(1) })
`,
    })
    const served = Served.start(project)
    await served.line(({ event }) => event === 'listening')
    const landing = join(project.folder, 'lake/bronze/landing/orders')
    const drop = async (nth: number) => {
      await mkdir(landing, { recursive: true })
      await writeFile(join(landing, `.${nth}.csv`), `id\n${nth}\n`)
      await rename(join(landing, `.${nth}.csv`), join(landing, `${nth}.csv`))
      const jobs = () => served.lines.filter(({ event }) => event === 'job finished')
      await served.line(() => jobs().length >= nth)
      expect(jobs().map(({ outcome }) => outcome)).toEqual(Array(nth).fill('done'))
    }
    const workersOf = () =>
      childrenOf(Number(served.child.pid)).filter((pid) =>
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').endsWith('\0worker\0'),
      )
    await drop(1)
    const [first] = workersOf()
    await drop(2)
    expect(workersOf()).toEqual([first])
    process.kill(Number(first), 'SIGKILL')
    await ended(Number(first))
    // What no run needs may be gone by the time that another one starts.
    expect((await project.cli('vacuum', '--grace', '0s', '--delete')).code).toBe(0)
    expect(await project.storage.list('_moraine/definitions/')).toEqual([])
    await drop(3)
    const [second] = workersOf()
    expect(second).not.toBe(first)
    expect(await served.stop()).toBe(0)
    await ended(Number(second))
    expect(await project.query('from gold.total')).toEqual([{ n: 3n }])
  })
})

it('a worker says what it is for to whoever starts it by hand', async () => {
  const { code, stdout } = await moraine(['worker', '--help'])
  expect([code, stdout]).toEqual([0, expect.stringContaining('Runs start workers by themselves')])
})
