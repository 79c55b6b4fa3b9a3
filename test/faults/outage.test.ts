import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { api } from '../support/api.js'
import { startBuckets } from '../support/buckets.js'
import { faultyProxy } from '../support/faulty-proxy.js'
import { moraine, Project, repository } from '../support/project.js'
import { Served } from '../support/served.js'
import { minioKeys, minioProgram, type Server } from '../support/servers.js'
import { withService } from '../support/services.js'
import { until } from '../support/until.js'

const lake = (root: string) => `
import { join } from 'node:path'
import { alert, bronze, defineLake, every, gold, silver, sql, t, z } from 'moraine'
import { files, ingest } from 'moraine/sources'
const events = silver('events', { from: bronze('events', { from: ingest() }), schema: z.object({ id: t.int() }), key: 'id' })
const rates = silver('rates', {
  from: bronze('rates', { from: files('rates.csv'), schedule: every('1s') }),
  schema: z.object({ currency: z.string(), rate: t.double() }), key: 'currency',
})
const total = gold('total', { query: sql\`select count(*) as n from \${events}\` })
export default defineLake({
  name: 'shop', root: '${root}', datasets: [total, rates],
  alerts: [alert.command(['sh', '-c', 'cat >> "$0"', join(import.meta.dirname, 'alerts.jsonl')])],
})
`
/** One that only other programs send something to. */
const inbox = `
import { bronze, defineLake } from 'moraine'
import { ingest } from 'moraine/sources'
export default defineLake({ name: 'shop', datasets: [bronze('events', { from: ingest() })] })
`
const asks = (url: string) => `
import { bronze, defineLake } from 'moraine'
import { http } from 'moraine/sources'
const rows = bronze('rows', { from: http('${url}/rows', { allowPrivate: true }) })
export default defineLake({ name: 'shop', root: 'mnt/lake', datasets: [rows] })
`
const rates = 'currency,rate\nEUR,1.0\n'

const post = async (url: unknown, id: number) => {
  const answer = await fetch(`${url}/ingest/events`, {
    method: 'POST',
    body: JSON.stringify({ id }),
    headers: { 'idempotency-key': `k${id}` },
  })
  const { status, headers } = answer
  await answer.arrayBuffer()
  return { status, retry: Number(headers.get('retry-after') ?? 0) }
}

/**
 * Sends a row until it is told that it was accepted, as clients do; returns how often it was
 * refused.
 */
async function insist(url: unknown, id: number): Promise<number> {
  for (let refused = 0; ; refused++) {
    const { status, retry } = await post(url, id)
    if (status === 200) return refused
    expect([status, retry > 0]).toEqual([503, true])
    await sleep(200)
  }
}

/** What a server says of itself. */
const said = async (url: unknown, path: string) => {
  const answer = await fetch(`${url}${path}`)
  return { status: answer.status, text: await answer.text() }
}

withService('MinIO', [minioProgram], () => {
  let server: Server
  beforeAll(async () => {
    ;({ server } = await startBuckets(['outage', 'waits', 'denied']))
  })
  afterAll(() => server.stop())
  const place = (bucket: string) => `s3://${bucket}/lake?endpoint=${server.url}`

  it('serve begins while storage is away, says so, accepts nothing, and goes on by itself', async () => {
    const project = await Project.create({ 'lake.ts': lake(place('outage')), 'rates.csv': rates })
    await server.kill()
    const served = Served.start(project)
    const { url } = await served.line(({ event }) => event === 'listening')
    const away = await served.line(({ event }) => event === 'storage is away')
    expect(String(away.message)).toContain('connection refused')
    expect((await post(url, 1)).status).toBe(503)
    expect((await said(url, '/healthz')).status).toBe(200)
    expect((await said(url, '/readyz')).status).toBe(503)
    await server.start()
    await insist(url, 1)
    expect((await said(url, '/readyz')).status).toBe(200)
    const finished = (job: string) =>
      served.lines.filter((l) => l.event === 'job finished' && l.job === job)
    const succeeded = (job: string, n: number) => () =>
      finished(job).filter(({ outcome }) => outcome === 'done').length >= n
    await served.line(succeeded('bronze.events', 1))
    await served.line(succeeded('bronze.rates', 1))

    await server.kill()
    const lines = served.lines.length
    // What is sent meanwhile is refused, or waits; none is told that it was accepted.
    const waiting = [2, 3, 4].map((id) => insist(url, id))
    await expect.poll(async () => (await said(url, '/readyz')).text).toContain('storage is away')
    const status = JSON.parse((await said(url, '/status')).text)
    expect(status).toMatchObject({ status: 'storage is away', storage: { up: false } })
    expect(status.storage.message).toContain('connection refused')
    expect((await said(url, '/metrics')).text).toContain('moraine_storage_up 0')
    await served.line(
      ({ event, on, job }) => event === 'alert' && on === 'failed' && job === 'storage',
    )
    expect(served.child.exitCode).toBe(null)
    await server.start()
    expect((await Promise.all(waiting)).some((refused) => refused > 0)).toBe(true)
    await served.line(({ event, on }) => event === 'alert' && on === 'recovered')
    expect((await said(url, '/metrics')).text).toContain('moraine_storage_up 1')
    const before = finished('bronze.rates').length
    await served.line(() => finished('bronze.rates').length > before)
    await served.line(succeeded('bronze.events', 2))
    // It is told of once, not with each attempt.
    const told = served.lines
      .slice(lines)
      .filter(({ level }) => level === 'error' || level === 'warn')
    expect(told.length).toBeLessThan(8)
    expect(await served.stop()).toBe(0)
    const alerts = await readFile(join(project.folder, 'alerts.jsonl'), 'utf8')
    const [failed, recovered] = alerts.trim().split('\n').slice(-2)
    expect(JSON.parse(failed ?? '')).toMatchObject({ on: 'failed', job: 'storage' })
    expect(JSON.parse(recovered ?? '')).toMatchObject({ on: 'recovered', job: 'storage' })
    const run = await project.cli(
      'query',
      'select id from silver.events order by id',
      '--format',
      'csv',
    )
    expect(run.stdout.trim().split('\n')).toEqual(['id', '1', '2', '3', '4'])
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('a run waits for storage, says that it does, and goes on when it is back', async () => {
    const project = await Project.create({ 'lake.ts': lake(place('waits')), 'rates.csv': rates })
    await server.kill()
    const args = ['-C', project.folder, 'run', 'silver.rates', 'bronze.rates']
    const child = spawn(process.execPath, [join(repository, 'bin/moraine.js'), ...args], {
      env: { ...process.env, NO_COLOR: '1' },
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    let text = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        text += chunk
      })
    const closed = once(child, 'close')
    await until(
      () => `it waits:\n${text}`,
      () => text.includes('! waiting for'),
      child,
    )
    await server.start()
    const [code] = await closed
    expect([code, text]).toEqual([0, expect.not.stringContaining('✖')])
    expect(text).toMatch(
      /! waiting for s3:\/\/waits\/lake, for up to 60 s: Can't .*connection refused/,
    )
    expect(text).toMatch(/· s3:\/\/waits\/lake responds again, after \d+ s/)
  })

  it('a run that is refused for good does not wait', async () => {
    const denied = { AWS_ACCESS_KEY_ID: 'nobody', AWS_SECRET_ACCESS_KEY: 'wrong' }
    const project = await Project.create({ 'lake.ts': lake(place('denied')), 'rates.csv': rates })
    const { code, stdout, stderr } = await moraine(['-C', project.folder, 'run'], denied)
    expect(code).toBe(1)
    expect(stdout + stderr).not.toContain('waiting for')
  })

  it('serve goes on where storage takes requests and never answers them', async () => {
    let isStuck = false
    const proxy = await faultyProxy(server.url, () => (isStuck ? 'hang' : 'pass'))
    const root = `s3://outage/stuck?endpoint=${proxy.url}`
    const project = await Project.create({ 'lake.ts': lake(root), 'rates.csv': rates })
    const served = Served.start(project)
    const { url } = await served.line(({ event }) => event === 'listening')
    await insist(url, 1)
    isStuck = true
    expect((await post(url, 2)).status).toBe(503)
    await served.line(({ event }) => event === 'storage is away')
    expect((await said(url, '/status')).text).toContain('takes too long to respond')
    isStuck = false
    await insist(url, 2)
    expect((await said(url, '/readyz')).status).toBe(200)
    served.child.kill('SIGKILL')
    proxy.close()
  })

  it('a run goes on where one request of many is refused, lost or left alone', async () => {
    let n = 0
    const proxy = await faultyProxy(server.url, () => {
      n++
      return n % 7 === 0 ? 503 : n % 11 === 0 ? 'lose' : 'pass'
    })
    const root = `s3://waits/flapping?endpoint=${proxy.url}`
    const project = await Project.create({ 'lake.ts': lake(root), 'rates.csv': rates })
    const { code, stdout } = await moraine(['-C', project.folder, 'run'], minioKeys)
    expect([code, stdout]).toEqual([0, expect.stringContaining('silver.rates')])
    proxy.close()
  })
})

describe('a lake in a folder', () => {
  it('that is not mounted for a while is waited for, and no other is begun in its place', async () => {
    const project = await Project.create({ 'lake.ts': lake('lake'), 'rates.csv': rates })
    const served = Served.start(project)
    const { url } = await served.line(({ event }) => event === 'listening')
    await insist(url, 1)
    await served.line((l) => l.event === 'job finished' && l.job === 'bronze.events')
    const [here, away] = [join(project.folder, 'lake'), join(project.folder, 'elsewhere')]
    await rename(here, away)
    await mkdir(here)
    await served.line(({ event }) => event === 'storage is away')
    expect((await post(url, 2)).status).toBe(503)
    expect(String((await said(url, '/status')).text)).toContain('no longer exists')
    await rm(here, { recursive: true })
    await rename(away, here)
    await insist(url, 2)
    expect(await served.stop()).toBe(0)
    expect(await project.query('select id from bronze.events order by id')).toEqual([
      { id: '1' },
      { id: '2' },
    ])
  })

  it('in whose place another lake is mounted accepts nothing, says so, and goes on once it is back', async () => {
    const project = await Project.create({ 'lake.ts': lake('mnt/lake'), 'rates.csv': rates })
    const at = (name: string) => join(project.folder, name)
    // The other one is a lake of the same datasets, with as many commits and more.
    const other = await Project.create({ 'lake.ts': lake('lake'), 'rates.csv': rates })
    for (const rate of ['2.0', '3.0', '4.0', '5.0', '6.0', '7.0']) {
      await other.write({ 'rates.csv': `currency,rate\nEUR,${rate}\n` })
      expect((await other.run()).outcome).toBe('done')
    }
    await mkdir(at('mnt2'))
    await rename(join(other.folder, 'lake'), at('mnt2/lake'))
    const served = Served.start(project)
    const { url } = await served.line(({ event }) => event === 'listening')
    await insist(url, 1)
    const objects = async (root: string) =>
      (await readdir(at(root), { recursive: true })).filter((path) => path.endsWith('.json')).sort()
    const before = (await objects('mnt2/lake')).filter((path) => /landing|_moraine.log/.test(path))

    await rename(at('mnt'), at('away'))
    await rename(at('mnt2'), at('mnt'))
    expect((await post(url, 2)).status).toBe(503)
    const away = await served.line(({ event }) => event === 'storage is away')
    expect(String(away.message)).toContain(`Another lake lies in ${at('mnt/lake')}`)
    expect((await post(url, 2)).status).toBe(503)
    expect((await said(url, '/readyz')).status).toBe(503)
    expect((await said(url, '/status')).text).toContain('Another lake lies in')
    await served.line(
      ({ event, on, job }) => event === 'alert' && on === 'failed' && job === 'storage',
    )
    const after = (await objects('mnt/lake')).filter((path) => /landing|_moraine.log/.test(path))
    expect(after).toEqual(before)

    await rename(at('mnt'), at('mnt2'))
    await rename(at('away'), at('mnt'))
    await insist(url, 2)
    expect((await said(url, '/readyz')).status).toBe(200)
    expect(await served.stop()).toBe(0)
    const rows = await Project.at(at('mnt')).query('select id from bronze.events order by id')
    expect(rows).toEqual([{ id: '1' }, { id: '2' }])
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('in whose place another one is mounted before its first commit accepts nothing, and goes on once it is back', async () => {
    const project = await Project.create({ 'lake.ts': inbox })
    const at = (name: string) => join(project.folder, name)
    // Two that were begun, and that nothing was sent to yet.
    const begun = async (root: string) => {
      const served = Served.start(project, ['--root', at(root)])
      const { url } = await served.line(({ event }) => event === 'listening')
      await until('it has begun', () => existsSync(at(`${root}/_moraine/lake.json`)))
      return { served, url }
    }
    const other = await begun('mnt2/lake')
    expect(await other.served.stop()).toBe(0)
    const { served, url } = await begun('mnt/lake')
    await rename(at('mnt'), at('away'))
    await rename(at('mnt2'), at('mnt'))
    expect((await post(url, 1)).status).toBe(503)
    const away = await served.line(({ event }) => event === 'storage is away')
    expect(String(away.message)).toContain(`Another lake lies in ${at('mnt/lake')}`)
    const objects = await readdir(at('mnt/lake'), { recursive: true })
    expect(objects.filter((path) => /landing\/|log\//.test(path))).toEqual([])
    await rename(at('mnt'), at('mnt2'))
    await rename(at('away'), at('mnt'))
    await insist(url, 1)
    expect(await served.stop()).toBe(0)
    const rows = await Project.at(at('mnt')).query('select id from bronze.events')
    expect(rows).toEqual([{ id: '1' }])
  })

  it('gets no first commit of a run that began in another one', async () => {
    const at = (name: string) => join(project.folder, name)
    const { url } = await api(async () => {
      await rename(at('mnt'), at('away'))
      await rename(at('mnt2'), at('mnt'))
      return [{ id: 1 }]
    })
    const project = await Project.create({ 'lake.ts': asks(url) })
    await mkdir(at('mnt2/lake/_moraine'), { recursive: true })
    expect((await project.cli('run')).code).toBe(1)
    expect(await readdir(at('mnt/lake'), { recursive: true })).not.toContain('_moraine/log')
  })

  it('that can not be written to at first is served as soon as it can', async () => {
    const project = await Project.create({ 'lake.ts': lake('lake'), 'rates.csv': rates })
    // Where the folder should be is a file.
    await writeFile(join(project.folder, 'lake'), 'x')
    const bin = join(repository, 'bin/moraine.js')
    const served = new Served(
      spawn(process.execPath, [bin, '-C', project.folder, 'serve', '--port', '0', '--every', '1'], {
        stdio: ['ignore', 'pipe', 'inherit'],
      }),
    )
    const { url } = await served.line(({ event }) => event === 'listening')
    await served.line(({ event }) => event === 'storage is away')
    expect((await post(url, 1)).status).toBe(503)
    await rm(join(project.folder, 'lake'))
    await insist(url, 1)
    expect(await served.stop()).toBe(0)
  })
})
