import { expect, it } from 'vitest'
import type { RunRecord } from '../../../src/step/events.js'
import { sample, turn } from '../../support/effort.js'
import {
  type BegunRun,
  begin,
  close,
  definition,
  file,
  found,
  isWhole,
  open,
  rowsOf,
  waiting,
} from '../../support/gated-lake.js'
import { childrenOf, ended } from '../../support/processes.js'
import { Project, step } from '../../support/project.js'
import { withService } from '../../support/services.js'
import { until } from '../../support/until.js'
import { python } from '../readers.js'
import { Standalone } from './standalone.js'

/*
 * Parts of a cluster that are lost while a step is at work: the run goes on to the rows that a run
 * without a cluster has, or ends and says what to do; the lake is as before or as after, and the
 * next run goes on.
 */

/** What a test has of a run whose step waits in the middle. */
interface AtWork {
  cluster: Standalone
  project: Project
  /** The worker that is at the step. */
  pid: number
  run: BegunRun
}

interface Loss {
  what: string
  lose: (at: AtWork) => Promise<void>
  /** What users read of it. */
  told: RegExp
}

interface Survived extends Loss {
  /** Whether the step begins again. */
  isAgain: boolean
}

interface Ended extends Loss {
  hint: RegExp
  /** What people do before they run again. */
  repair: (cluster: Standalone) => Promise<void>
}

const lostAll = /! Spark has lost all of its executors: the run waits (1 min|60 s) for new ones/

/** The JVM that has the session of a run. */
async function killJava({ run }: AtWork): Promise<void> {
  for (const runner of childrenOf(run.child.pid as number))
    for (const java of childrenOf(runner)) process.kill(java, 'SIGKILL')
}

const survived: readonly Survived[] = [
  {
    what: 'an executor',
    lose: ({ cluster, pid }) => cluster.killExecutorOf(pid),
    told: /! silver\.orders: attempt 1 has no result: executor \d+ on 127\.0\.0\.1 ended: /,
    isAgain: true,
  },
  {
    what: 'a host with its executor',
    lose: ({ cluster, pid }) => cluster.killHostOf(pid),
    told: /! silver\.orders: pid \d+ on \S+ vanished/,
    isAgain: true,
  },
  {
    what: 'the JVM of the session',
    lose: killJava,
    told: /! silver\.orders: attempt 1 has no result: Spark’s session is lost: its Java process ended \(SIGKILL\)/,
    isAgain: true,
  },
  {
    what: 'the master',
    lose: ({ cluster }) => cluster.killMaster(),
    // Executors stay, and there is nothing to say.
    told: /^/,
    isAgain: false,
  },
  {
    what: 'the master, which is started again and has its hosts end what it does not know',
    lose: async ({ cluster }) => {
      await cluster.killMaster()
      await cluster.startMaster()
    },
    told: lostAll,
    isAgain: true,
  },
  {
    what: 'all hosts, until there is another one',
    lose: async ({ cluster, run }) => {
      await cluster.killHosts()
      await until(
        () => `that is told\n${run.said()}`,
        () => lostAll.test(run.said()),
        run.child,
      )
      cluster.addHost()
    },
    told: lostAll,
    isAgain: true,
  },
]

const over: readonly Ended[] = [
  {
    what: 'all hosts',
    lose: ({ cluster }) => cluster.killHosts(),
    told: /Spark got no executor in (1 min|60 s)/,
    hint: /its workers must be alive.* Then run again/,
    repair: async (cluster) => cluster.addHost(),
  },
  {
    what: 'the master and all hosts',
    lose: async ({ cluster }) => {
      await cluster.killMaster()
      await cluster.killHosts()
    },
    told: /No master of Spark answers at spark:\/\/127\.0\.0\.1:\d+: Connection refused/,
    hint: /Start the cluster/,
    repair: async (cluster) => {
      await cluster.startMaster()
      cluster.addHost()
    },
  },
  {
    what: 'the executor of each attempt',
    lose: async ({ cluster, project, pid, run }) => {
      await cluster.killExecutorOf(pid)
      for (let attempt = 2; attempt <= 3; attempt++)
        await cluster.killExecutorOf((await waiting(project, attempt, run)).at(-1) as number)
    },
    told: /No worker has finished silver\.orders: executor \d+ on 127\.0\.0\.1 ended: /,
    hint: /Its table is unchanged/,
    repair: async () => {},
  },
]

/** How long runs wait for executors: half of it in a session that has lost those that it had. */
const WAIT = '2m'

async function projectOn(cluster: Standalone): Promise<Project> {
  const conf = `{ 'spark.driver.memory': '512m', 'spark.ui.enabled': 'false' }`
  const engine = `spark({ master: '${cluster.url}', host: '127.0.0.1', memory: '1GiB', python: '${python}', waitForExecutors: '${WAIT}', conf: ${conf} })`
  const lake = definition
    .replace('import { bronze', 'import { spark, bronze')
    .replace("name: 'faults',", `name: 'faults', engine: ${engine},`)
  return Project.create({ 'lake.ts': lake, 'in/0.csv': file(0) })
}

/** Nothing that users read is a trace of what failed below. */
const trace = /Traceback|^\s+at \S+\(|org\.apache|java\.|Py4J/m

function reads(run: RunRecord | undefined, stderr: string): RunRecord {
  if (!run) throw new Error(`no record\n${stderr}`)
  expect(`${stderr}\n${run.steps.map(({ error }) => error?.message).join('\n')}`).not.toMatch(trace)
  return run
}

/** Runs until a step waits in the middle, and then something is lost. */
async function loseAtWork(
  cluster: Standalone,
  project: Project,
  lose: Loss['lose'],
): Promise<BegunRun> {
  await close(project)
  const run = begin(project)
  const [pid] = (await waiting(project, 1, run)) as [number]
  const { tables } = await project.state()
  await lose({ cluster, project, pid, run })
  expect((await project.state()).tables).toEqual(tables)
  return run
}

const isDone = async (project: Project, batches: number) => {
  expect(await found(project)).toEqual(await rowsOf(batches))
  await isWhole(project)
}

/** A cluster, and a lake that is new or has tables which a step is to change. */
async function started(batches: number): Promise<{ cluster: Standalone; project: Project }> {
  const cluster = await Standalone.start(2)
  const project = await projectOn(cluster)
  if (batches > 1) {
    expect((await begin(project, '--engine', 'duckdb').done)?.outcome).toBe('done')
    await project.write({ 'in/1.csv': file(1) })
  }
  return { cluster, project }
}

const cases: readonly Loss[] = [...survived, ...over]
const drawn = new Set(sample(cases, 1, 3))
/** In a lake that is new, or one that has tables: each has its turns of both. */
const batchesOf = (one: Loss) => 1 + ((cases.indexOf(one) + turn) % 2)

withService('Spark standalone', [python], () => {
  for (const one of survived.filter((loss) => drawn.has(loss)))
    it(`a run goes on to the same rows where it loses ${one.what}`, async () => {
      const batches = batchesOf(one)
      const { cluster, project } = await started(batches)
      const run = await loseAtWork(cluster, project, one.lose)
      const pids = await waiting(project, one.isAgain ? 2 : 1, run)
      await open(project)
      const record = reads(await run.done, await run.stderr)
      expect(record.outcome, await run.stderr).toBe('done')
      expect(await run.stderr).toMatch(one.told)
      await isDone(project, batches)
      for (const pid of pids) await ended(pid)
    })

  for (const one of over.filter((loss) => drawn.has(loss)))
    it(`a run ends and says what to do where it loses ${one.what}; the next one goes on`, async () => {
      const batches = batchesOf(one)
      const { cluster, project } = await started(batches)
      const before = (await project.state()).tables
      const run = await loseAtWork(cluster, project, one.lose)
      const record = reads(await run.done, await run.stderr)
      const { outcome, error } = step(record, 'silver.orders')
      expect(outcome, await run.stderr).toBe('failed')
      expect(error?.kind).toBe('engine')
      expect(error?.message).toMatch(one.told)
      expect(error?.hint).toMatch(one.hint)
      expect(step(record, 'gold.total').outcome).toBe('blocked')
      const after = (await project.state()).tables
      for (const name of ['silver.orders', 'gold.total']) expect(after[name]).toEqual(before[name])
      await isWhole(project)
      for (const pid of await waiting(project)) await ended(pid)

      await open(project)
      await one.repair(cluster)
      const next = begin(project)
      expect(reads(await next.done, await next.stderr).outcome, await next.stderr).toBe('done')
      await isDone(project, batches)
    })

  it('a run says at once that there is no master, and changes nothing', async () => {
    const cluster = await Standalone.start(0)
    const project = await projectOn(cluster)
    await cluster.killMaster()
    const { code, stdout, stderr } = await project.cli('run')
    expect(code).not.toBe(0)
    const said = stdout + stderr
    expect(said).toMatch(/No master of Spark answers at spark:\S+: Connection refused/)
    expect(said).toContain('Start the cluster')
    expect(said).not.toMatch(trace)
    expect((await project.state()).tables).toEqual({})
    await isWhole(project)
  })
})
