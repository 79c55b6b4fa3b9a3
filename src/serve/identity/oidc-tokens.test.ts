import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { principal } from '../../define/access/index.js'
import { Principals } from '../principals.js'

type Keys = Awaited<ReturnType<typeof generateKeyPair>>

/** An identity provider on this machine, which can change its keys and be away. */
class Provider {
  server!: Server
  issuer = ''
  asked: string[] = []
  isAway = false
  keysAreAway = false
  private keys: { id: string; pair: Keys }[] = []

  async start(): Promise<void> {
    await this.rotate('first')
    this.server = createServer(async (request, response) => {
      this.asked.push(request.url ?? '')
      if (this.isAway || (this.keysAreAway && request.url === '/keys'))
        return void response.writeHead(503).end()
      const keys = await Promise.all(
        this.keys.map(async ({ id, pair }) => ({
          ...(await exportJWK(pair.publicKey)),
          ...{ kid: id, use: 'sig' },
        })),
      )
      const found = request.url?.endsWith('/keys')
        ? { keys }
        : { issuer: this.issuer, jwks_uri: `${this.issuer}/keys` }
      response.setHeader('content-type', 'application/json').end(JSON.stringify(found))
    }).listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    this.issuer = `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  async rotate(id: string): Promise<void> {
    this.keys = [{ id, pair: await generateKeyPair('ES256') }]
  }

  /** A token; what is given takes the place of what is right. */
  async token(
    claims: Record<string, unknown> = {},
    pair?: Keys,
    alg = 'ES256',
    kid?: string,
  ): Promise<string> {
    const [key] = this.keys as [{ id: string; pair: Keys }]
    const now = Math.floor(Date.now() / 1000)
    const right = {
      iss: this.issuer,
      aud: 'lake',
      iat: now,
      exp: now + 60,
      email: 'ada@example.com',
      email_verified: true,
    }
    return new SignJWT({ ...right, ...claims })
      .setProtectedHeader({ alg, kid: kid ?? key.id })
      .sign((pair ?? key.pair).privateKey)
  }
}

const provider = new Provider()
beforeAll(() => provider.start())
afterAll(() => void provider.server.close())

function principals(now?: () => number, errors: unknown[] = []): Principals {
  const defined = [
    principal('ada', { oidc: 'ada@example.com', read: ['gold.*'] }),
    principal('ben', { token: 'ben-token', read: ['gold.*'] }),
  ]
  const oidc = { issuer: provider.issuer, audience: 'lake', claim: 'email' }
  return new Principals(undefined, defined, {
    oidc,
    onError: (error) => errors.push(error),
    ...(now ? { now } : {}),
  })
}

const nameOf = async (known: Principals, token: string) =>
  (await known.ofBearer(token))?.principal.name

describe('tokens of an identity provider', () => {
  it('stand for the principal whose claim they have, beside static tokens', async () => {
    const known = principals()
    expect(await nameOf(known, await provider.token())).toBe('ada')
    expect(await nameOf(known, 'ben-token')).toBe('ben')
    expect(await nameOf(known, await provider.token({ email_verified: 'true' }))).toBe('ada')
    expect(await nameOf(known, await provider.token({ aud: ['other', 'lake'] }))).toBe('ada')
    expect(await nameOf(known, await provider.token({ email: 'ben' }))).toBeUndefined()
    expect(await nameOf(known, await provider.token({ email: 'eve@example.com' }))).toBeUndefined()
  })

  it('are refused where anything about them is wrong', async () => {
    const known = principals()
    const now = Math.floor(Date.now() / 1000)
    const stranger = await generateKeyPair('ES256')
    const right = await provider.token()
    const [head, body, sum] = right.split('.') as [string, string, string]
    const plain = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const forged: Record<string, string> = {
      'another issuer': await provider.token({ iss: 'https://login.example.com' }),
      'another audience': await provider.token({ aud: 'shop' }),
      'no audience': await provider.token({ aud: undefined }),
      'a time that is over': await provider.token({ exp: now - 3600 }),
      'no end': await provider.token({ exp: undefined }),
      'a time to come': await provider.token({ nbf: now + 3600 }),
      'a key of somebody else': await provider.token({}, stranger),
      'an address that nobody has verified': await provider.token({ email_verified: false }),
      'the same, said as a text': await provider.token({ email_verified: 'false' }),
      'an address of which nothing is said': await provider.token({ email_verified: undefined }),
      'an address that is said to be so by a number': await provider.token({ email_verified: 1 }),
      'no claim': await provider.token({ email: undefined }),
      'a claim that is no text': await provider.token({ email: ['ada@example.com'] }),
      'no signature': `${plain({ alg: 'none' })}.${body}.`,
      'a shared secret': await new SignJWT({
        iss: provider.issuer,
        aud: 'lake',
        exp: now + 60,
        email: 'ada@example.com',
        email_verified: true,
      })
        .setProtectedHeader({ alg: 'HS256', kid: 'first' })
        .sign(new TextEncoder().encode('a'.repeat(32))),
      'another body': `${head}.${plain({ iss: provider.issuer, aud: 'lake', exp: now + 60, email: 'ada@example.com', email_verified: true, more: 1 })}.${sum}`,
      'more parts': `${right}.x`,
      'no JSON': `${head}.e30x.${sum}`,
      nothing: '..',
    }
    for (const [what, token] of Object.entries(forged))
      expect([what, await nameOf(known, token)]).toEqual([what, undefined])
    expect(await nameOf(known, right)).toBe('ada')
  })

  it('may come from a clock that is a little late', async () => {
    const late = principals(() => Date.now() + 100_000)
    expect(await nameOf(late, await provider.token())).toBe('ada')
    const later = principals(() => Date.now() + 130_000)
    expect(await nameOf(later, await provider.token())).toBeUndefined()
  })

  it('are proved by keys that are fetched once, and anew when they change', async () => {
    provider.asked = []
    const known = principals()
    const tokens = await Promise.all(Array.from({ length: 20 }, () => provider.token()))
    expect(await Promise.all(tokens.map((token) => nameOf(known, token)))).toEqual(
      tokens.map(() => 'ada'),
    )
    expect(provider.asked.toSorted()).toEqual(['/.well-known/openid-configuration', '/keys'])
    await provider.rotate('second')
    expect(await nameOf(principals(), await provider.token())).toBe('ada')
    expect(await nameOf(known, 'x.eyJpc3MiOiJvdGhlciJ9.x')).toBeUndefined()
    expect(provider.asked).toHaveLength(4)
  })

  it('prove nothing while the provider is away, which the server hears of', async () => {
    const errors: unknown[] = []
    let time = Date.now()
    const known = principals(() => time, errors)
    provider.isAway = true
    const token = await provider.token()
    expect(await nameOf(known, token)).toBeUndefined()
    expect(await nameOf(known, 'ben-token')).toBe('ben')
    expect(String(errors[0])).toContain('does not say where the keys')
    provider.isAway = false
    time += 15_000
    expect(await nameOf(known, token)).toBe('ada')
  })

  it('that come in any number while its keys are away ask for them, and are told of, once', async () => {
    const errors: unknown[] = []
    let time = Date.now()
    const known = principals(() => time, errors)
    provider.keysAreAway = true
    provider.asked = []
    const token = await provider.token()
    for (let i = 0; i < 20; i++) expect(await nameOf(known, token)).toBeUndefined()
    expect(provider.asked).toEqual(['/.well-known/openid-configuration', '/keys'])
    expect(errors.map(String)).toEqual([expect.stringContaining('/keys answered 503')])
    time += 15_000
    expect(await nameOf(known, token)).toBeUndefined()
    expect([provider.asked.length, errors.length]).toEqual([3, 2])
    provider.keysAreAway = false
    expect(await nameOf(known, token)).toBeUndefined()
    time += 15_000
    expect(await nameOf(known, token)).toBe('ada')
    // Keys that are known go on proving tokens, whatever strangers ask for meanwhile.
    provider.keysAreAway = true
    time += 15_000
    const stranger = await generateKeyPair('ES256')
    const unknown = await provider.token({}, stranger, 'ES256', 'no such key')
    for (let i = 0; i < 5; i++) expect(await nameOf(known, unknown)).toBeUndefined()
    expect(await nameOf(known, token)).toBe('ada')
    expect([provider.asked.length, errors.length]).toEqual([4, 2])
    provider.keysAreAway = false
  })
})
