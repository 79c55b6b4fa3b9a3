import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { CommitLog } from '../../src/log/log.js'
import { verifyLake } from '../../src/log/verify/verify.js'
import { limitsOf } from '../../src/query/limits.js'
import { queryRows } from '../../src/query/query.js'
import { LocalStorage } from '../../src/storage/local.js'
import { effort, sample } from '../support/effort.js'
import { moraine, Project, repository } from '../support/project.js'

const definition = `
import { bronze, defineLake, gold, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const sales = silver('sales', {
  from: bronze('sales', { from: files('in/*.csv') }), key: 'id', cursor: 'sold_at',
  schema: z.object({ id: t.int(), amount: t.decimal(9, 2), sold_at: t.timestamp() }),
})
const days = gold('days', {
  query: sql\`select cast(sold_at as date) as day, count(*) as n, sum(amount) as amount from \${sales} group by 1\`,
})
export default defineLake({ name: 'stopped', datasets: [days] })
`
const file = (from: number) =>
  `id,amount,sold_at\n${Array.from({ length: 50 }, (_, i) => `${from + i},1.50,2026-01-0${(i % 9) + 1} 00:00:00`).join('\n')}\n`

/** A run that stops at its nth touch of the lake, or only counts them. */
function start(project: Project, root: string, at: string, count = ''): ChildProcess {
  const stop = join(repository, 'test/faults/stop-at.mjs')
  const command = join(repository, 'bin/moraine.js')
  const args = ['--import', stop, command, '-C', project.folder, 'run']
  const env = { ...process.env, MORAINE_ROOT: root, MORAINE_STOP: at, MORAINE_STOP_COUNT: count }
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return child
}

/** Whether it was stopped; `false` when it ended before. */
async function isStopped(child: ChildProcess): Promise<boolean> {
  while (child.exitCode === null) {
    const text = await readFile(`/proc/${child.pid}/stat`, 'utf8').catch(() => '')
    if (text.slice(text.lastIndexOf(')') + 2).startsWith('T')) return true
    await sleep(50)
  }
  return false
}

async function goOn(child: ChildProcess): Promise<string> {
  let out = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk) => {
      out += chunk
    })
  const closed = once(child, 'close')
  child.kill('SIGCONT')
  await closed
  return out
}

const answer = async (root: string) => {
  const storage = new LocalStorage(root)
  const state = await new CommitLog(storage).head()
  return queryRows(storage, state, 'select day, n, amount from gold.days order by day', {
    limits: limitsOf(),
  })
}

it.runIf(process.platform === 'linux')(
  'a run that is stopped anywhere, and goes on after vacuum, commits what is there or nothing',
  async () => {
    const project = await Project.create({ 'lake.ts': definition, 'in/1.csv': file(1) })
    const folder = (name: string) => join(project.folder, name)
    await project.run()
    await project.write({ 'in/2.csv': file(40) })
    await cp(folder('lake'), folder('whole'), { recursive: true })
    await once(start(project, folder('whole'), 'count', folder('count')), 'exit')
    const expected = await answer(folder('whole'))
    const points = Number(await readFile(folder('count'), 'utf8'))
    expect(points).toBeGreaterThan(30)

    const tried = sample(
      Array.from({ length: points }, (_, i) => i + 1),
      3,
      8,
    )
    const vacuum = (root: string) =>
      moraine(['-C', project.folder, '--root', root, 'vacuum', '--grace', '0s', '--delete'])
    let [refused, named] = [0, 0]
    for (const at of tried) {
      const root = folder(`lake-${at}`)
      await cp(folder('lake'), root, { recursive: true })
      const child = start(project, root, String(at))
      if (!(await isStopped(child))) continue
      // Who is in the way is named; and where nobody knows of it, as on another machine, its commit
      // finds out.
      const first = await vacuum(root)
      if (first.code !== 0) {
        named++
        expect(first.stderr).toMatch(/Run \S+ of .* is still running \(process \d+ on .*--grace/)
      }
      await rm(join(root, '_moraine/live'), { recursive: true, force: true })
      expect((await vacuum(root)).code).toBe(0)
      const out = await goOn(child)
      if (out.includes('Vacuum has removed files of this run')) refused++

      const storage = new LocalStorage(root)
      const { problems } = await verifyLake(storage, new CommitLog(storage))
      expect(problems, `stopped at ${at}`).toEqual([])
      const again = await moraine(['-C', project.folder, '--root', root, 'run'])
      expect(again.code, again.stdout + again.stderr).toBe(0)
      expect(await answer(root), `stopped at ${at}`).toEqual(expected)
      await rm(root, { recursive: true, force: true })
    }
    // A few points may all lie where nobody is in the way.
    if (effort !== 'sample') expect(Math.min(refused, named)).toBeGreaterThan(0)
  },
  3_600_000,
)
