import { type ChildProcess, spawn } from 'node:child_process'
import { request } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { turn } from '../../support/effort.js'
import { Project, repository, step } from '../../support/project.js'
import { random } from '../../support/seed.js'
import { until } from '../../support/until.js'

const lake = (options = '') => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { ingest, secret } from 'moraine/sources'
const events = bronze('events', { from: ingest({ ${options} }) })
const seen = silver('events', { from: events, schema: z.object({ id: t.int(), n: t.decimal(20, 10).nullable() }), key: 'id' })
export default defineLake({ name: 'events', datasets: [seen] })
`

interface Server {
  url: string
  child: ChildProcess
  ended: Promise<number | null>
}

/** `moraine serve`, as a process of its own. */
async function serve(project: Project, ...args: string[]): Promise<Server> {
  const child = spawn(
    process.execPath,
    [
      join(repository, 'bin/moraine.js'),
      '-C',
      project.folder,
      'serve',
      '--port',
      '0',
      '--every',
      '1',
      ...args,
    ],
    { env: { ...process.env, EVENTS_TOKEN: 'tok3n' }, stdio: ['ignore', 'pipe', 'inherit'] },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  const ended = new Promise<number | null>((done) => child.once('exit', done))
  const url = await new Promise<string>((resolve, reject) => {
    let text = ''
    child.stdout?.on('data', (chunk) => {
      text += chunk
      const found = /"url":"([^"]+)"/.exec(text)?.[1]
      if (found) resolve(found)
    })
    child.once('exit', () => reject(new Error(`serve ended: ${text}`)))
  })
  return { url, child, ended }
}

const post = (url: string, body: string, headers: Record<string, string> = {}) =>
  fetch(`${url}/ingest/events`, { method: 'POST', body, headers })

const ids = async (project: Project) =>
  (await project.query('SELECT id FROM bronze.events ORDER BY CAST(id AS INT)')).map(({ id }) =>
    Number(id),
  )

describe('POST /ingest', () => {
  it('takes JSON and JSON lines, every digit of them, each request once', async () => {
    const project = await Project.create({ 'lake.ts': lake() })
    const server = await serve(project)
    const first = await post(
      server.url,
      '[{"id": 1, "n": 1234567890.0123456789, "pos": {"lat": 32.383276483316240}},\n {"id": 2}]',
    )
    expect([first.status, await first.json()]).toEqual([
      200,
      { rows: 2, key: expect.any(String), duplicate: false },
    ])
    const key = { 'idempotency-key': 'once' }
    for (const duplicate of [false, true, true]) {
      const answer = await post(server.url, '{"id":3}\n{"id":4,"text":"a\\nb"}\n', key)
      expect(await answer.json()).toEqual({ rows: 2, key: 'once', duplicate })
    }
    await expect.poll(() => ids(project)).toEqual([1, 2, 3, 4])
    // Also when it is sent again after it was taken in, and to a server that was started since.
    const same = '[{"id":3}, {"id":4,"text":"a\\nb"}]'
    expect(await (await post(server.url, same, key)).json()).toMatchObject({ duplicate: true })
    const others = await post(server.url, '{"id":3}', key)
    expect([others.status, await others.json()]).toEqual([
      409,
      { error: 'the Idempotency-Key once was already used for a different body' },
    ])
    server.child.kill('SIGTERM')
    expect(await server.ended).toBe(0)
    const next = await serve(project)
    expect(await (await post(next.url, same, key)).json()).toMatchObject({ duplicate: true })
    expect((await post(next.url, '{"id":3}', key)).status).toBe(409)
    expect((await post(next.url, '{"id":5}')).status).toBe(200)
    next.child.kill('SIGINT')
    expect(await next.ended).toBe(0)
    // What was accepted is taken in before it ends.
    expect(await ids(project)).toEqual([1, 2, 3, 4, 5])
    expect((await project.run()).outcome).toBe('done')
    expect(await project.query('SELECT n FROM silver.events WHERE id = 1')).toEqual([
      { n: '1234567890.0123456789' },
    ])
    expect(await project.query("SELECT pos FROM bronze.events WHERE id = '1'")).toEqual([
      { pos: '{"lat":32.383276483316240}' },
    ])
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })

  it('loses no row that it acknowledged, and doubles none, whenever it is killed', async () => {
    const project = await Project.create({ 'lake.ts': lake() })
    let server = await serve(project)
    let number = 0
    let stop = false
    const acknowledged = new Set<number>()
    /** Sends until it is told that it was taken, as clients do. */
    const client = async () => {
      while (!stop) {
        const own = Array.from({ length: 20 }, () => ++number)
        const key = `request-${own[0]}`
        const body = own.map((id) => JSON.stringify({ id })).join('\n')
        for (;;) {
          const answer = await post(server.url, body, { 'idempotency-key': key }).catch(
            () => undefined,
          )
          if (answer?.status === 200) break
          await new Promise((done) => setTimeout(done, 50))
        }
        for (const id of own) acknowledged.add(id)
      }
    }
    const clients = Promise.all(Array.from({ length: 8 }, client))
    const draw = random(turn)
    for (let round = 0; round < 5; round++) {
      const enough = acknowledged.size + 20 * Math.ceil(draw() * 300)
      await until(
        `${enough} rows are acknowledged`,
        () => acknowledged.size >= enough,
        server.child,
      )
      server.child.kill('SIGKILL')
      await server.ended
      server = await serve(project)
    }
    stop = true
    await clients
    server.child.kill('SIGTERM')
    await server.ended
    await project.run()
    const rows = await ids(project)
    expect(acknowledged.size).toBeGreaterThan(100)
    expect(rows).toEqual([...acknowledged].sort((a, b) => a - b))
  })

  it('of two servers of one lake gives the same rows, each once', async () => {
    const project = await Project.create({ 'lake.ts': lake() })
    const [a, b] = await Promise.all([serve(project), serve(project)])
    for (let id = 1; id <= 40; id++) {
      const body = JSON.stringify({ id })
      const key = { 'idempotency-key': `k${id}` }
      // A client that got no answer from one asks the other.
      await Promise.all([post(a.url, body, key), post(b.url, body, key)])
    }
    for (const { child, ended } of [a, b]) {
      child.kill('SIGTERM')
      await ended
    }
    await project.run()
    expect(await ids(project)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1))
  })

  it('refuses what it can not take, and takes nothing of it', async () => {
    const project = await Project.create({
      'lake.ts': lake("token: secret('env:EVENTS_TOKEN'), maxBytes: 1000"),
    })
    const { url } = await serve(project)
    const token = { authorization: 'Bearer tok3n' }
    const said = async (body: string, headers: Record<string, string> = token, at = 'events') => {
      const answer = await fetch(`${url}/ingest/${at}`, { method: 'POST', body, headers })
      return [answer.status, ((await answer.json()) as { error?: string }).error]
    }
    expect(await said('{"id":1}', {})).toEqual([401, 'the token is missing or wrong'])
    expect(await said('{"id":1}', { authorization: 'Bearer wrong' })).toEqual([
      401,
      'the token is missing or wrong',
    ])
    expect(await said('{"id":1}', token, 'others')).toEqual([404, 'no such dataset accepts rows'])
    expect(await said('{"id":1}\nnope')).toEqual([400, 'row 2 is not JSON: nope'])
    expect(await said('[{"id":1}, 2]')).toEqual([400, 'row 2 is not a JSON object: 2'])
    expect(await said('{"id":1}\n{"id"')).toEqual([400, 'line 2: the document ends in the middle'])
    expect(await said(JSON.stringify({ text: 'x'.repeat(2000) }))).toEqual([
      413,
      'the request body exceeds the limit of 1000 bytes',
    ])
    expect(await said('{"id":1}', { ...token, 'idempotency-key': 'x'.repeat(300) })).toEqual([
      400,
      'an Idempotency-Key must have 1 to 200 characters',
    ])
    expect(await said('{"id":1}', { ...token, origin: 'https://evil.example' })).toEqual([
      403,
      'cross-origin requests are refused',
    ])
    expect(await status(url, { ...token, host: 'evil.example' })).toBe(421)
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
    expect((await project.storage.list('bronze/landing/')).length).toBe(0)
  })

  it('refuses rows that no run could take in, and takes in all others, every digit of them', async () => {
    const project = await Project.create({ 'lake.ts': lake() })
    const server = await serve(project, '--every', '3600')
    const said = async (body: string | Uint8Array<ArrayBuffer>) => {
      const answer = await fetch(`${server.url}/ingest/events`, { method: 'POST', body })
      return [answer.status, ((await answer.json()) as { error?: string }).error]
    }
    const wide = (from: number, count: number) =>
      JSON.stringify(
        Object.fromEntries([
          ['id', from],
          ...Array.from({ length: count }, (_, i) => [`n${from + i}`, 1]),
        ]),
      )
    const latin = Buffer.from('{"id":1}\n{"id":"\xe9"}\n', 'latin1')
    expect(await said(latin)).toEqual([400, 'line 2 is not valid UTF-8'])
    expect(await said('{"a\\u0000b":1}')).toEqual([
      400,
      'row 1 has a field name that is not valid text: "a\\u0000b"',
    ])
    expect(await said(wide(1, 2000))).toEqual([
      400,
      'row 1 has 2001 field names, more than the limit of 2000',
    ])
    expect((await said('{"\\ud800":1}'))[0]).toBe(400)
    expect((await project.storage.list('bronze/landing/')).length).toBe(0)
    for (let from = 0; from < 3; from++)
      expect(await said(wide(from * 700, 700))).toEqual([200, undefined])
    expect(await said('{"id":20000,"n":1,"x":1e-99999999999999999999,"y":-2.5E+400}')).toEqual([
      200,
      undefined,
    ])
    const deep = `{"id":20001,"x":${'['.repeat(200_000)}${']'.repeat(200_000)}}`
    expect((await said(deep))[0]).toBe(400)
    server.child.kill('SIGKILL')
    await server.ended
    const record = await project.run()
    expect(step(record, 'bronze.events')).toMatchObject({ outcome: 'done', rows: 4 })
    expect(await project.query('SELECT x, y FROM bronze.events WHERE id = 20000')).toEqual([
      { x: '1e-99999999999999999999', y: '-2.5E+400' },
    ])
    expect(await project.query('SELECT id FROM silver.events ORDER BY id')).toHaveLength(4)
  })

  it.each([
    [
      lake(),
      ['--host', '0.0.0.0', '--behind-proxy'],
      /accepts rows from anyone who can reach 0\.0\.0\.0/,
    ],
    [lake("token: 'x'"), ['--host', '0.0.0.0'], /would be sent unencrypted/],
    [lake(), ['--port', '99999'], /--port must be a whole number, 0 to 65535, not '99999'/],
  ])('does not listen where it should not', async (text, args, message) => {
    const project = await Project.create({ 'lake.ts': text })
    const { code, stderr } = await project.cli('serve', ...args)
    expect([code, stderr]).toEqual([2, expect.stringMatching(message)])
  })

  it('what has landed is not removed by vacuum, and taken in by any run', async () => {
    const project = await Project.create({ 'lake.ts': lake() })
    const server = await serve(project, '--every', '3600')
    expect((await post(server.url, '{"id":7}')).status).toBe(200)
    server.child.kill('SIGKILL')
    await server.ended
    const { utimes } = await import('node:fs/promises')
    for (const { path } of await project.storage.list('bronze/landing/'))
      await utimes(join(project.folder, 'lake', path), 0, 0)
    await project.cli('vacuum', '--delete')
    const record = await project.run()
    expect(step(record, 'bronze.events')).toMatchObject({ rows: 1, reason: '1 object has arrived' })
    expect(await ids(project)).toEqual([7])
    expect((await project.cli('history')).stdout).toContain('ingest 1 row of bronze.events')
    expect((await project.storage.list('bronze/landing/')).length).toBe(0)
  })
})

/** The status of a request with a header that `fetch` would not send. */
function status(url: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/ingest/events`, { method: 'POST', headers }, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    })
    sent.on('error', reject)
    sent.end('{"id":1}')
  })
}
