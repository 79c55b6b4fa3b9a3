import { describe, expect, it } from 'vitest'
import { moraine, Project } from '../../support/project.js'
import { Served } from '../../support/served.js'

const definition = (access: string) => `
import { bronze, defineLake, principal, silver, t, z } from 'moraine'
import { files, secret } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.csv') })
const orders = silver('orders', { from: raw, key: 'id', schema: z.object({ id: t.int() }) })
export default defineLake({ name: 'shared', datasets: [orders], access: ${access} })
`
const two = `[
  principal('analyst', { token: secret('env:ANALYST_TOKEN'), read: ['*'] }),
  principal('ml', { clientSecret: secret('env:ML_SECRET'), read: [orders], write: ['ml.*'] }),
]`
const secrets = { ANALYST_TOKEN: 'token-of-the-analyst', ML_SECRET: 'secret-of-ml-and-its-jobs' }
const rows = { 'in/1.csv': 'id\n1\nx\n2\n' }

describe('a server of a lake with access', () => {
  it('says who may do what, holds to it, and records who did what, without a secret', async () => {
    const project = await Project.create({ 'lake.ts': definition(two), ...rows })
    expect((await project.run()).outcome).toBe('done')
    const served = Served.start(project, ['--catalog'], secrets)
    const told = await served.line(({ event }) => event === 'catalog')
    expect(told).toMatchObject({
      writes: true,
      operator: false,
      principals: [
        { name: 'analyst', read: ['*'], write: [] },
        { name: 'ml', read: ['silver.orders'], write: ['ml.*'] },
      ],
    })
    expect(told.message).toContain('analyst  reads *')
    const url = String(told.url)
    const ask = async (token: string, path: string, body?: object) => {
      const headers = { authorization: `Bearer ${token}` }
      const sent = body ? { method: 'POST', body: JSON.stringify(body) } : {}
      const answer = await fetch(`${url}/v1/${path}`, { headers, ...sent })
      return { status: answer.status, json: (await answer.json()) as any }
    }
    const form = {
      grant_type: 'client_credentials',
      client_id: 'ml',
      client_secret: secrets.ML_SECRET,
    }
    const given = await fetch(`${url}/v1/oauth/tokens`, {
      method: 'POST',
      body: new URLSearchParams(form),
    })
    const { access_token: ml } = (await given.json()) as { access_token: string }
    const analyst = secrets.ANALYST_TOKEN
    expect((await ask(analyst, 'namespaces')).json.namespaces).toEqual([['silver']])
    expect((await ask(analyst, 'namespaces/discarded/tables/orders')).status).toBe(404)
    expect((await ask(ml, 'namespaces', { namespace: ['ml'] })).status).toBe(200)
    expect((await ask(analyst, 'namespaces', { namespace: ['mine'] })).status).toBe(403)
    expect((await ask('wrong', 'namespaces')).status).toBe(401)
    await served.line(({ event, status }) => event === 'refused' && status === 403)
    expect(await served.stop()).toBe(0)

    const { stdout } = await project.cli('audit', '--json')
    const trail = JSON.parse(stdout)
    expect(trail.map((call: any) => [call.principal, call.status, call.names.join()])).toEqual([
      [null, 401, ''],
      ['analyst', 403, 'mine'],
      ['ml', 200, 'ml'],
      ['analyst', 404, 'discarded.orders'],
      ['analyst', 200, ''],
      ['ml', 200, ''],
    ])
    expect(trail[2]).toMatchObject({
      route: 'POST /v1/{prefix}/namespaces',
      commit: expect.any(Number),
      from: '127.0.0.1',
      client: 'node',
    })
    const history = JSON.parse((await project.cli('history', '--json')).stdout)
    expect(history[0]).toMatchObject({ number: trail[2].commit, author: 'ml' })
    const refused = await project.cli('audit', '--refused', '--principal', 'analyst')
    expect(refused.stdout).toMatch(/analyst +POST namespaces +mine +403 ForbiddenException/)
    expect(refused.stdout.trim().split('\n')).toHaveLength(3)
    const all = JSON.stringify(served.lines) + stdout
    for (const secret of [...Object.values(secrets), ml, 'wrong']) expect(all).not.toContain(secret)

    // What keeps the lake in order passes it by, and removes what is old.
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    expect((await project.cli('copy', 'copied')).code).toBe(0)
    expect((await project.cli('audit', '--root', 'copied')).stdout).toContain('No such calls')
    const vacuumed = await project.cli('vacuum', '--history', '1s', '--grace', '1s', '--delete')
    expect(vacuumed.code).toBe(0)
  })

  it('says in its log what was refused of tables of lake.ts, to whom and why', async () => {
    const project = await Project.create({ 'lake.ts': definition('undefined'), ...rows })
    expect((await project.run()).outcome).toBe('done')
    const token = 'the-token-of-the-server'
    const served = Served.start(project, ['--catalog'], { MORAINE_TOKEN: token })
    const { url } = await served.line(({ event }) => event === 'catalog')
    const headers = { authorization: `Bearer ${token}` }
    const gone = await fetch(`${url}/v1/namespaces/silver/tables/orders`, {
      method: 'DELETE',
      headers,
    })
    expect(gone.status).toBe(400)
    const told = await served.line(({ event }) => event === 'refused')
    expect(told).toMatchObject({
      principal: 'token',
      status: 400,
      names: ['silver.orders'],
      reason: expect.stringContaining('Cannot drop silver.orders: lake.ts defines it'),
      message: expect.stringContaining('token at 127.0.0.1 was refused (400)'),
    })
    expect(await served.stop()).toBe(0)
    const { stdout } = await project.cli('audit', '--refused')
    expect(stdout).toMatch(/silver\.orders +400 IllegalArgumentException/)
  })

  it('does not start where a secret is not set, or two are the same', async () => {
    const project = await Project.create({ 'lake.ts': definition(two) })
    const serve = (env: NodeJS.ProcessEnv) =>
      moraine(['-C', project.folder, 'serve', '--catalog', '--port', '0'], env)
    const unset = await serve({ ANALYST_TOKEN: 'x' })
    expect(unset.stderr).toContain('The secret env:ML_SECRET is missing or empty')
    const same = await serve({ ANALYST_TOKEN: 'one-for-both', ML_SECRET: 'one-for-both' })
    expect(same.stderr).toContain("'ml' has the same secret as the principal 'analyst'")
    expect(same.stderr).not.toContain('one-for-both')
  })

  it('is behind a proxy only with a token or access', async () => {
    const project = await Project.create({ 'lake.ts': definition('undefined') })
    const { code, stderr } = await project.cli('serve', '--catalog', '--behind-proxy')
    expect(code).toBe(2)
    expect(stderr).toContain('Anyone who can reach the proxy could read the lake')
    // Nor with one where its files are on this machine alone.
    await project.write({ 'lake.ts': definition("[principal('bi', { token: 'b', read: ['*'] })]") })
    const shown = await project.cli('serve', '--catalog', '--behind-proxy')
    expect(shown.code).toBe(2)
    expect(shown.stderr).toContain('Engines on other machines cannot open the files of')
  })
})
