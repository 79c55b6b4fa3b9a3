import fc from 'fast-check'
import { expect, it } from 'vitest'
import { OwnSecrets, redact, Secrets, shownUrl, starred } from './secrets.js'

const hidden = (value: string) => {
  const secrets = new Secrets()
  secrets.hide(value)
  return secrets
}

it('finds a secret however an answer or an error spells it', () => {
  const text = fc.string({
    unit: fc.constantFrom(...'aZ9+/=-_ "\\%&:@ü'),
    minLength: 6,
    maxLength: 40,
  })
  fc.assert(
    fc.property(text, fc.string(), fc.string(), (secret, before, after) => {
      const bytes = Buffer.from(secret)
      const around = Buffer.from(`${before}:${secret}:${after}`)
      const spelled = [
        secret,
        secret.toUpperCase(),
        encodeURIComponent(secret),
        new URLSearchParams({ q: secret }).toString(),
        JSON.stringify(secret),
        bytes.toString('base64'),
        bytes.toString('base64url'),
        bytes.toString('hex'),
        around.toString('base64'),
      ]
      const secrets = hidden(secret)
      for (const text of spelled) expect(secrets.redact(`it said ${text}.`)).toContain('***')
      expect(secrets.redact(`it said ${secret}.`)).not.toContain(secret)
      const left = Buffer.from(
        secrets.redact(around.toString('base64')).replaceAll('***', ''),
        'base64',
      )
      expect(left.includes(bytes)).toBe(false)
    }),
    { seed: 22, numRuns: 300 },
  )
})

it('hides the secrets of a source in texts about anything, unless they are too short to be told from words', () => {
  const own = new OwnSecrets()
  own.hide('correct horse', 'abc', undefined, '')
  expect(own.redact('no, Correct Horse, abc')).toBe('no, ***, ***')
  expect(redact('no, Correct Horse, abc')).toBe('no, ***, abc')
})

it('shows an address without what may be secret in it', () => {
  const shown = [
    'https://me:pass@api.example/x?key=1#part',
    'postgres://me:s3cr/et@pa:ss@host:99999x/db',
    'not an address',
    's3://bucket/a*.csv',
  ].map(shownUrl)
  expect(shown).toEqual([
    'https://api.example/x',
    'postgres://…',
    'not an address',
    's3://bucket/a*.csv',
  ])
})

it('shows code with its columns, and no secret that is written in it', () => {
  const line = (secret: string) => `const db = postgres({ url: 'postgres://me:${secret}@host/db' })`
  expect(starred(line('s3cr/et@pa:ss'))).toBe(line('*************'))
  const auth = (secret: string) => `http('https://a.example', { auth: { bearer: '${secret}' } })`
  expect(starred(auth('abc'))).toBe(auth('***'))
  const good = `postgres({ host: 'db', password: secret('env:DB_PASSWORD'), user: 'token' })`
  expect(starred(good)).toBe(good)
})
