import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Hello } from '../../../src/engine/workers/protocol.js'
import type {
  WorkerEvent,
  WorkerOutcome,
  Workers,
  WorkerTask,
} from '../../../src/engine/workers/workers.js'
import { ended, isRunning } from '../../support/processes.js'
import { repository } from '../../support/project.js'

/*
 * What whoever carries out tasks must hold, be that processes of this machine or those of a
 * cluster: each task has one outcome, whatever becomes of its workers; nothing is left when it is
 * cancelled; memory does not grow with the number of tasks.
 */

/** What a test asks for. */
export interface Wanted {
  slots: number
  attempts: number
  /** What starts a worker: it speaks the protocol on its standard input and output. */
  command: [string, ...string[]]
  hello: Hello
}

export interface Implementation {
  name: string
  open(wanted: Wanted): Promise<Workers>
  /** Tasks that it may take beyond its slots: a job of a cluster has many. */
  ahead: number
}

/** What a task of these tests says: see `program.mjs`. */
interface What {
  value?: unknown
  note?: string
  dies?: number
  exits?: number
  wait?: number
  progress?: number[]
  log?: string
  stderr?: string
  noise?: string
  again?: number
  early?: boolean
  /** Bytes that it writes, in hexadecimal digits. */
  bytes?: string
  /** Attempts that end it in the middle of its reply. */
  cut?: number
  /** It says that this reply is its last one. */
  last?: boolean
}

export const program = join(repository, 'test/contract/workers/program.mjs')
export const hello: Hello = {
  protocol: 1,
  moraine: '1.2.3',
  duckdb: 'v1.5.5',
  unicode: '16.0',
  definition: { path: '_moraine/definitions/aa.mjs', sha256: 'aa' },
  root: '/nowhere',
  environment: [],
}

const task = (id: string, what: What): WorkerTask => ({ id, text: JSON.stringify(what) })

/** MiB that are held, without what only waits to be collected. */
function heldMebibytes(): number {
  setFlagsFromString('--expose-gc')
  runInNewContext('gc')()
  return process.memoryUsage().heapUsed / 2 ** 20
}

export function workersSuite({ name, open, ahead }: Implementation): void {
  interface Few extends Partial<Omit<Wanted, 'command'>> {
    /** What workers say of themselves. */
    lies?: object
  }
  const start = async ({ lies = {}, ...few }: Few = {}) => {
    const command = [process.execPath, program, JSON.stringify(lies)] as Wanted['command']
    const workers = await open({ slots: 2, attempts: 3, hello, command, ...few })
    onTestFinished(() => workers.close())
    return workers
  }
  const all = async (
    workers: Workers,
    tasks: Iterable<WorkerTask> | AsyncIterable<WorkerTask>,
    signal = new AbortController().signal,
    onEvent?: (event: WorkerEvent) => void,
  ) => {
    const found: WorkerOutcome[] = []
    for await (const one of workers.map(tasks, { signal, ...(onEvent ? { onEvent } : {}) }))
      found.push(one)
    return found.sort((a, b) => (a.id < b.id ? -1 : 1))
  }
  const said = (outcomes: readonly WorkerOutcome[]) =>
    outcomes.map((one) => [one.id, 'reply' in one ? JSON.parse(one.reply).done : 'lost'])
  /** A file to which tasks write which process had them, and at which attempt. */
  const notes = async () => {
    const folder = await mkdtemp(join(tmpdir(), 'moraine-workers-'))
    onTestFinished(() => rm(folder, { recursive: true, force: true }))
    const file = join(folder, 'notes')
    const read = async () => {
      const text = await readFile(file, 'utf8').catch(() => '')
      return text.split('\n').filter((line) => line !== '')
    }
    return { file, read }
  }

  describe(`workers: ${name}`, () => {
    it('give one outcome for each task, in whatever order', async () => {
      const workers = await start()
      // The first one takes longest.
      const tasks = [0, 1, 2, 3, 4].map((i) =>
        task(`t${i}`, { value: `öß ${i}\n${'x'.repeat(i * 70_000)}`, wait: i === 0 ? 300 : 0 }),
      )
      const found = await all(workers, tasks)
      expect(said(found)).toEqual(tasks.map(({ id, text }) => [id, JSON.parse(text).value]))
      expect(found).toMatchObject(tasks.map(() => ({ attempt: 1, where: expect.any(String) })))
      // Once more, with workers that are there already; and none at all.
      expect(said(await all(workers, [task('again', {})]))).toEqual([['again', 'again']])
      expect(await all(workers, [])).toEqual([])
    })

    it('take tasks as they come, and several lots of them at once', async () => {
      const workers = await start()
      let go: () => void = () => {}
      const gate = new Promise<void>((open) => {
        go = open
      })
      async function* late() {
        yield task('a1', {})
        // What others ask for is not held up by one who has nothing to do yet.
        await gate
        yield task('a2', {})
      }
      const waiting = all(workers, late())
      expect(said(await all(workers, [task('b1', {}), task('b2', {})]))).toEqual([
        ['b1', 'b1'],
        ['b2', 'b2'],
      ])
      go()
      expect(said(await waiting)).toEqual([
        ['a1', 'a1'],
        ['a2', 'a2'],
      ])
    })

    it('try again what a worker that was killed did not answer', async () => {
      const workers = await start()
      const { file, read } = await notes()
      const events: WorkerEvent[] = []
      const tasks = [task('once', { dies: 1, note: file }), task('never', {})]
      const found = await all(workers, tasks, undefined, (event) => events.push(event))
      expect(said(found)).toEqual([
        ['never', 'never'],
        ['once', 'once'],
      ])
      expect(found.find(({ id }) => id === 'once')).toMatchObject({ attempt: 2 })
      const attempts = (await read()).map((line) => line.split(' '))
      expect(attempts.map(([, id, attempt]) => [id, attempt])).toEqual([
        ['once', '1'],
        ['once', '2'],
      ])
      expect(new Set(attempts.map(([pid]) => pid)).size).toBe(2)
      expect(events).toContainEqual({
        type: 'failed',
        task: 'once',
        attempt: 1,
        why: expect.any(String),
      })
    })

    it('say of a task that it is lost when all of its attempts are, and go on with the others', async () => {
      const workers = await start({ attempts: 2 })
      const { file, read } = await notes()
      const tasks = [
        task('fatal', { exits: 7, note: file, stderr: 'the disk is full' }),
        ...['a', 'b', 'c'].map((id) => task(id, {})),
      ]
      const found = await all(workers, tasks)
      expect(said(found)).toEqual([
        ['a', 'a'],
        ['b', 'b'],
        ['c', 'c'],
        ['fatal', 'lost'],
      ])
      expect(found.at(-1)).toMatchObject({ lost: expect.stringContaining('the disk is full') })
      expect(await read()).toHaveLength(2)
    })

    it('count an answer once that comes several times, and none of another attempt', async () => {
      const workers = await start({ slots: 1 })
      const found = await all(workers, [
        task('a', { again: 3 }),
        task('b', { early: true }),
        task('c', {}),
      ])
      expect(said(found)).toEqual([
        ['a', 'a'],
        ['b', 'b'],
        ['c', 'c'],
      ])
    })

    it('tell how far tasks are, and what workers write', async () => {
      const workers = await start({ slots: 1 })
      const events: WorkerEvent[] = []
      const tasks = [
        task('a', { progress: [10, 20], log: 'half of it', noise: '{"no": "message"' }),
      ]
      await all(workers, tasks, undefined, (event) => events.push(event))
      const where = expect.any(String)
      expect(events.filter(({ type }) => type === 'started')).toEqual([
        { type: 'started', task: 'a', attempt: 1, where },
      ])
      expect(events.filter(({ type }) => type === 'progress')).toEqual([
        { type: 'progress', task: 'a', rows: 10 },
        { type: 'progress', task: 'a', rows: 20 },
      ])
      const logs = events.flatMap((event) => (event.type === 'log' ? [event.text] : []))
      expect(logs).toEqual(expect.arrayContaining(['half of it', '{"no": "message"']))
    })

    it('go on where a worker writes what is no text', async () => {
      const workers = await start({ slots: 1 })
      const events: WorkerEvent[] = []
      const tasks = [task('a', { bytes: 'c328ff0a' }), task('b', {})]
      const found = await all(workers, tasks, undefined, (event) => events.push(event))
      expect(found).toMatchObject([
        { id: 'a', attempt: 1 },
        { id: 'b', attempt: 1 },
      ])
      const logs = events.flatMap((event) => (event.type === 'log' ? [event.text] : []))
      expect(logs).toContain('\ufffd(\ufffd')
    })

    it('try again what a worker was killed at while it replied', async () => {
      const workers = await start({ slots: 1 })
      const events: WorkerEvent[] = []
      const value = 'x'.repeat(300_000)
      const tasks = [task('a', { cut: 1, value }), task('b', {})]
      const found = await all(workers, tasks, undefined, (event) => events.push(event))
      expect(found).toMatchObject([
        { id: 'a', attempt: 2, reply: JSON.stringify({ done: value }) },
        { id: 'b', attempt: 1 },
      ])
      const failed = events.flatMap((event) => (event.type === 'failed' ? [event.why] : []))
      expect(failed).toEqual([expect.stringMatching(/^pid \d+.* ended: SIGKILL/)])
      const logs = events.flatMap((event) => (event.type === 'log' ? [event.text] : []))
      expect(logs.filter((text) => text.includes('xxx'))).toEqual([])
    })

    it('give no other task to a worker that has said that it ends', async () => {
      const workers = await start({ slots: 1 })
      const { file, read } = await notes()
      const events: WorkerEvent[] = []
      const tasks = ['a', 'b', 'c'].map((id) => task(id, { last: id !== 'c', note: file }))
      const found = await all(workers, tasks, undefined, (event) => events.push(event))
      expect(found).toMatchObject(['a', 'b', 'c'].map((id) => ({ id, attempt: 1 })))
      expect(events.filter(({ type }) => type === 'failed')).toEqual([])
      const pids = (await read()).map((line) => Number(line.split(' ')[0]))
      expect(new Set(pids).size).toBe(3)
      await workers.close()
      expect(pids.filter(isRunning)).toEqual([])
    })

    it('end at once when they are cancelled, and leave no process', async () => {
      const workers = await start()
      const { file, read } = await notes()
      const abort = new AbortController()
      const tasks = ['a', 'b', 'c'].map((id) => task(id, { wait: 600_000, note: file }))
      const running = all(workers, tasks, abort.signal)
      while ((await read()).length < 2) await sleep(20)
      const pids = (await read()).map((line) => Number(line.split(' ')[0]))
      abort.abort(new Error('Ctrl-C'))
      await expect(running).rejects.toThrow('Ctrl-C')
      for (const pid of pids) await ended(pid)
      expect((await read()).length).toBe(2)
      // Others can go on.
      expect(said(await all(workers, [task('d', {})]))).toEqual([['d', 'd']])
    })

    it('end what nobody reads any more', async () => {
      const workers = await start()
      const { file, read } = await notes()
      const tasks = [task('a', {}), task('b', { wait: 600_000, note: file })]
      for await (const { id } of workers.map(tasks, { signal: new AbortController().signal })) {
        expect(id).toBe('a')
        while ((await read()).length < 1) await sleep(20)
        break
      }
      for (const line of await read()) await ended(Number(line.split(' ')[0]))
    })

    it('leave no process when they are closed', async () => {
      const workers = await start()
      const { file, read } = await notes()
      await all(workers, [task('a', { note: file }), task('b', { note: file })])
      await workers.close()
      const pids = (await read()).map((line) => Number(line.split(' ')[0]))
      expect(pids.filter(isRunning)).toEqual([])
    })

    it('fail as the source of tasks fails', async () => {
      const workers = await start()
      function* broken() {
        yield task('a', { wait: 600_000 })
        throw new Error('no more tasks can be made')
      }
      await expect(all(workers, broken())).rejects.toThrow('no more tasks can be made')
    })

    it('refuse workers of another version, of Moraine, its engine, Unicode or the definition', async () => {
      for (const [lies, what] of [
        [{ moraine: '1.2.4' }, 'Moraine 1.2.4, and the run has 1.2.3'],
        [{ duckdb: 'v1.4.0' }, 'DuckDB v1.4.0, and the run has v1.5.5'],
        [{ unicode: '15.0' }, 'Unicode 15.0, and the run has 16.0'],
        [{ definition: 'bb' }, 'the definition (SHA-256) bb, and the run has aa'],
      ] as const) {
        const { file, read } = await notes()
        const workers = await start({ lies })
        await expect(all(workers, [task('a', { note: file })])).rejects.toMatchObject({
          kind: 'conflict',
          message: expect.stringContaining(what),
          hint: expect.stringContaining('the same version of'),
        })
        expect(await read()).toEqual([])
      }
    })

    it('say what workers run on, each of them once', async () => {
      const machine = {
        host: 'ida',
        node: '20.20.0',
        platform: 'linux x64',
        cores: 2,
        memory: 2 ** 30,
      }
      const workers = await start({ slots: 1, lies: { machine } })
      const events: WorkerEvent[] = []
      const onEvent = (event: WorkerEvent) => events.push(event)
      await all(workers, [task('a', {}), task('b', {})], undefined, onEvent)
      const ready = events.filter((event) => event.type === 'ready')
      expect(ready.length).toBeGreaterThan(0)
      for (const one of ready)
        expect(one).toEqual({
          type: 'ready',
          where: expect.stringMatching(/^pid \d+/),
          duckdb: 'v1.5.5',
          machine,
        })
      // A scheduler may have another worker carry out the second task.
      expect(new Set(ready.map(({ where }) => where)).size).toBe(ready.length)
    })

    it('pass on why a worker refuses', async () => {
      const workers = await start({ hello: { ...hello, environment: ['MORAINE_TEST_NOT_SET'] } })
      await expect(all(workers, [task('a', {})])).rejects.toMatchObject({
        kind: 'storage',
        message: 'no credentials',
        hint: 'Set them.',
      })
    })

    it('carry out 10,000 small tasks with the memory of a few', async () => {
      const workers = await start()
      let [taken, came, most] = [0, 0, 0]
      const padding = 'x'.repeat(5000)
      const heap: number[] = []
      function* many() {
        for (; taken < 10_000; taken++) {
          most = Math.max(most, taken - came)
          yield task(`t${taken}`, { value: [taken, padding], dies: taken % 2500 === 1 ? 1 : 0 })
        }
      }
      let sum = 0
      const { signal } = new AbortController()
      for await (const one of workers.map(many(), { signal })) {
        came++
        sum += 'reply' in one ? JSON.parse(one.reply).done[0] : Number.NaN
        if (came === 2000 || came === 10_000) heap.push(heldMebibytes())
      }
      expect(came).toBe(10_000)
      expect(sum).toBe((10_000 * 9_999) / 2)
      // What is at work, and what is finished and not read yet.
      expect(most).toBeLessThanOrEqual(2 * workers.slots + ahead)
      // The answers of the last 8,000 were 40 MB.
      expect((heap[1] as number) - (heap[0] as number)).toBeLessThan(10)
    })
  })
}
