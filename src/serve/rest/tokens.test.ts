import { createHmac } from 'node:crypto'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { principal } from '../../define/access/principal.js'
import type { AuditedCall } from '../../query/audit/call.js'
import { MemoryStorage } from '../../storage/memory.js'
import { Principals } from '../principals.js'
import { catalog } from './catalog.js'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const SECRET = 'the secret of ml: 50% + more'

/** A catalog whose principal `ml` has a token and a client secret, and what it tells. */
function server(secret = SECRET, token = 'the token of ml') {
  const calls: AuditedCall[] = []
  const errors: unknown[] = []
  const access = [
    principal('ml', { token, clientSecret: () => secret, write: ['ml.*'] }),
    principal('hr', { clientSecret: 'the secret of hr', write: ['hr.*'] }),
  ]
  const app = catalog(new MemoryStorage(), {
    token: 'the token of the server',
    access,
    onCall: (call) => calls.push(call),
    onError: (error) => errors.push(error),
  })
  const exchange = async (form: Record<string, string>, headers: Record<string, string> = {}) => {
    const body = new URLSearchParams(form)
    const answer = await app.request('/v1/oauth/tokens', { method: 'POST', body, headers })
    return { status: answer.status, json: (await answer.json()) as any, answer }
  }
  const status = async (bearer: string, path = 'config') => {
    const headers = { authorization: `Bearer ${bearer}` }
    return (await app.request(`/v1/${path}`, { headers })).status
  }
  /** Whom a token is taken for: the namespaces that it may create tell. */
  const isFor = async (bearer: string) => {
    const create = async (namespace: string) => {
      const headers = { authorization: `Bearer ${bearer}` }
      const body = JSON.stringify({ namespace: [namespace] })
      return (await app.request('/v1/namespaces', { method: 'POST', headers, body })).status
    }
    const [ml, hr] = [await create('ml'), await create('hr')]
    return [ml, hr].map((one) => one === 200 || one === 409)
  }
  return { app, calls, errors, exchange, status, isFor }
}

const client = (client_id: string, client_secret: string) => ({
  grant_type: 'client_credentials',
  client_id,
  client_secret,
})
const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })

describe('a token', () => {
  it('is given for a client’s credentials, in the form or by Basic, and is that principal’s', async () => {
    const { exchange, isFor } = server()
    const grant = { grant_type: 'client_credentials' }
    const encoded = new URLSearchParams({ a: SECRET }).toString().slice(2)
    for (const answer of [
      await exchange(client('ml', SECRET)),
      await exchange(grant, basic(`ml:${SECRET}`)),
      await exchange(grant, basic(`ml:${encoded}`)),
    ]) {
      expect(answer.json).toMatchObject({ token_type: 'bearer', expires_in: 3600 })
      expect(answer.answer.headers.get('cache-control')).toBe('no-store')
      expect(await isFor(answer.json.access_token)).toEqual([true, false])
    }
    expect(await isFor('the token of ml')).toEqual([true, false])
    const all = await exchange(client('anything', 'the token of the server'))
    expect(await isFor(all.json.access_token)).toEqual([true, true])
  })

  it('tells its principal and its end as clients read it, and no secret', async () => {
    const { exchange } = server()
    const token = (await exchange(client('ml', SECRET))).json.access_token as string
    const [header, claims] = token.split('.').map((part) => {
      const text = Buffer.from(part, 'base64url').toString()
      return text.startsWith('{') ? JSON.parse(text) : undefined
    })
    expect(header).toEqual({ alg: 'HS256', typ: 'JWT' })
    expect(claims).toMatchObject({ sub: 'ml', by: 'clientSecret' })
    expect(claims.exp - claims.iat).toBe(3600)
    expect(Buffer.from(token, 'base64url').toString()).not.toContain('secret of')
  })

  it('is refused by the words of OAuth2', async () => {
    const { exchange, calls } = server()
    const refused = async (form: Record<string, string>, headers = {}) => {
      const { status, json } = await exchange(form, headers)
      expect(Object.keys(json).sort()).toEqual(['error', 'error_description'])
      return [status, json.error]
    }
    expect(await refused({})).toEqual([400, 'invalid_request'])
    expect(await refused({ grant_type: 'password' })).toEqual([400, 'unsupported_grant_type'])
    expect(await refused(client('ml', 'wrong'))).toEqual([401, 'invalid_client'])
    expect(await refused(client('hr', SECRET))).toEqual([401, 'invalid_client'])
    expect(await refused(client('nobody', SECRET))).toEqual([401, 'invalid_client'])
    // A static token is no client's secret, nor the other way round.
    expect(await refused(client('ml', 'the token of ml'))).toEqual([401, 'invalid_client'])
    expect(await refused({ grant_type: 'client_credentials' }, basic('ml:no'))).toEqual([
      401,
      'invalid_client',
    ])
    const subject_token = 'none'
    expect(await refused({ grant_type: EXCHANGE, subject_token })).toEqual([400, 'invalid_grant'])
    expect(calls.at(-1)).toMatchObject({
      principal: null,
      route: 'POST /v1/oauth/tokens',
      status: 400,
      error: 'invalid_grant',
      names: [],
    })
  })

  it('is renewed by itself, and together with the credentials once it has expired', async () => {
    const { exchange, isFor, status } = server()
    const first = (await exchange(client('ml', SECRET))).json.access_token as string
    const renewal = { grant_type: EXCHANGE, subject_token: first }
    expect(await isFor((await exchange(renewal)).json.access_token)).toEqual([true, false])
    const static_ = { grant_type: EXCHANGE, subject_token: 'the token of ml' }
    expect(await isFor((await exchange(static_)).json.access_token)).toEqual([true, false])
    onTestFinished(() => void vi.useRealTimers())
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_601_000 })
    expect(await status(first)).toBe(401)
    expect((await exchange(renewal)).json.error).toBe('invalid_grant')
    expect((await exchange(renewal, basic('hr:the secret of hr'))).json.error).toBe('invalid_grant')
    const again = await exchange(renewal, basic(`ml:${SECRET}`))
    expect(await isFor(again.json.access_token)).toEqual([true, false])
  })

  it('is void once its secret has changed, on whatever server', async () => {
    const { exchange } = server()
    const token = (await exchange(client('ml', SECRET))).json.access_token as string
    expect(await server().status(token)).toBe(200)
    expect(await server('another secret').status(token)).toBe(401)
    const byToken = await exchange({ grant_type: EXCHANGE, subject_token: 'the token of ml' })
    expect(await server('another secret').status(byToken.json.access_token)).toBe(200)
    expect(await server(SECRET, 'another token').status(byToken.json.access_token)).toBe(401)
  })

  it('can’t be forged', async () => {
    const { exchange, status } = server()
    const token = (await exchange(client('ml', SECRET))).json.access_token as string
    const [header = '', claims = '', signature = ''] = token.split('.')
    const said = JSON.parse(Buffer.from(claims, 'base64url').toString())
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const signedBy = (key: string, text: string) =>
      `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
    const forged = [
      `${header}.${part({ ...said, sub: 'hr' })}.${signature}`,
      `${header}.${part({ ...said, sub: 'token' })}.${signature}`,
      `${header}.${part({ ...said, by: 'token' })}.${signature}`,
      `${header}.${part({ ...said, by: '__proto__' })}.${signature}`,
      `${header}.${part({ ...said, exp: said.exp + 1 })}.${signature}`,
      `${header}.${part({ ...said, exp: 'never' })}.${signature}`,
      `${part({ alg: 'none', typ: 'JWT' })}.${claims}.`,
      `${part({ alg: 'none', typ: 'JWT' })}.${claims}.${signature}`,
      `${header}.${claims}.`,
      `${header}.${claims}`,
      `${token}.x`,
      `${header}.${claims}.${signature.slice(0, -1)}`,
      `${header}.${claims}.${'A'.repeat(43)}`,
      signedBy('', `${header}.${claims}`),
      signedBy('undefined', `${header}.${claims}`),
      signedBy('ml', `${header}.${claims}`),
      'x'.repeat(100_000),
      '..',
      'moraine.9999999999.x',
    ]
    for (const one of forged) expect(await status(one)).toBe(401)
    expect(await status(token)).toBe(200)
  })

  it('with a claim that is not known is not valid: it may say that it is for less', async () => {
    const { exchange, status } = server()
    const token = (await exchange(client('ml', SECRET))).json.access_token as string
    const [header, claims = ''] = token.split('.')
    const more = { ...JSON.parse(Buffer.from(claims, 'base64url').toString()), only: ['ml.scores'] }
    const text = `${header}.${Buffer.from(JSON.stringify(more)).toString('base64url')}`
    const key = createHmac('sha256', SECRET).update('moraine access token').digest()
    const signature = createHmac('sha256', key).update(text).digest('base64url')
    expect(await status(`${text}.${signature}`)).toBe(401)
  })
})

describe('secrets', () => {
  it('are in no answer, no error and no record', async () => {
    const { app, calls, errors, exchange, status } = server()
    const answers: string[] = []
    for (const form of [client('ml', SECRET), client('ml', 'wrong'), client(SECRET, 'wrong')])
      answers.push(JSON.stringify((await exchange(form)).json))
    for (const token of ['the token of ml', 'the token of the server', SECRET])
      answers.push(String(await status(token, `namespaces/${encodeURIComponent(token)}/tables`)))
    const headers = { authorization: 'Bearer the token of ml' }
    const table = `/v1/namespaces/ml/tables/${encodeURIComponent('the token of ml')}`
    const request = await app.request(table, { headers })
    expect(request.status).toBe(404)
    // The client's own words come back to it; they go nowhere else.
    const kept = answers.join('\n') + JSON.stringify(calls.filter(({ route }) => !route)) + errors
    for (const secret of [SECRET, 'the token of ml', 'the token of the server'])
      expect(kept).not.toContain(secret)
    expect(calls.every((call) => !JSON.stringify(call).includes('Bearer'))).toBe(true)
  })

  it('that can’t be looked up keep nobody else out', async () => {
    const gone = () => Promise.reject(new Error('no such file'))
    const errors: string[] = []
    const found = new Principals(
      undefined,
      [
        principal('a', { token: gone, read: ['*'] }),
        principal('b', { token: 'right', read: ['*'] }),
      ],
      { onError: (error) => errors.push((error as Error).message) },
    )
    expect((await found.ofBearer('right'))?.principal.name).toBe('b')
    expect(await found.ofBearer('undefined')).toBeUndefined()
    expect(errors).toEqual(['no such file', 'no such file'])
    await expect(found.check()).rejects.toThrow('no such file')
  })

  it('that two have are found when a server starts, and are nobody’s', async () => {
    const same = () => 'hunter2-hunter2'
    const two = [
      principal('a', { token: () => same(), read: ['*'] }),
      principal('b', { token: () => same(), read: ['*'] }),
    ]
    const found = new Principals(undefined, two)
    expect(await found.ofBearer('hunter2-hunter2')).toBeUndefined()
    const error = await found.check().catch((one) => one)
    expect(error.message).toBe("The principal 'b' has the same secret as the principal 'a'")
    expect(error.message + error.hint).not.toContain('hunter2')
    const empty = new Principals(() => ' ', [])
    await expect(empty.check()).rejects.toThrow('MORAINE_TOKEN has an empty secret')
    expect(await empty.ofBearer(' ')).toBeUndefined()
  })

  it('that change are known soon, without a restart', async () => {
    let secret = 'first'
    let now = 0
    const one = [principal('a', { token: () => secret, read: ['*'] })]
    const found = new Principals(undefined, one, { now: () => now })
    expect(await found.ofBearer('first')).toBeDefined()
    secret = 'second'
    now = 10_000
    expect(await found.ofBearer('first')).toBeUndefined()
    expect(await found.ofBearer('second')).toBeDefined()
  })
})
