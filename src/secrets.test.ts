import fc from 'fast-check'
import { expect, it } from 'vitest'
import { OwnSecrets, redact, Secrets, shownUrl, starred, starredSql } from './secrets.js'

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

it.each([
  (secret: string) => `secretAccessKey: '${secret}', read: ['*']`,
  (secret: string) => `{ "secret_access_key": "${secret}" }`,
  (secret: string) => `s3('s3://b', { accessKey: '${secret}', region: 'eu' })`,
  (secret: string) => `const privateKey = \`${secret}\``,
  (secret: string) => `headers: { 'x-api-key': '${secret}' }`,
  (secret: string) => `dbPassword: '${secret}'`,
  (secret: string) => `sessionToken: "${secret}"`,
  (secret: string) => `headers: { Authorization: 'Basic ${secret}' }`,
  (secret: string) => `spark({ connect: 'sc://host:15002/;use_ssl=true;token=${secret}' })`,
])('shows no secret of code that is called by a longer name: %#', (line) => {
  expect(starred(line('wJalrXUtnFEMI/K7'))).toBe(line('****************'))
})

it('leaves code as it is in which names and texts only resemble those of secrets', () => {
  for (const line of [
    `key: 'id', keyColumn: 'secret_id', tokens: ['a'], nextToken: 'meta.next', passwordless: 'yes'`,
    `privateKey: secret('env:KEY'), token: env.TOKEN, accessKey: 'env:ACCESS_KEY'`,
    `note: 'the bearer responsibility', primaryKey: 'order_id', foreign_key: 'customer_id'`,
    'spark({ connect: `sc://host:15002/;token=${process.env.TOKEN}` })',
    `paging: { token: response.next }, monkey: 'banana', secretary: 'Ada'`,
  ])
    expect(starred(line)).toBe(line)
})

it('stars what is a token or a key by its look, in statements that were answered too', () => {
  for (const secret of [
    'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl',
    'AKIAIOSFODNN7EXAMPLE',
    'ghp_abcdefghijklmnopqrstuvwxyz0123456789',
    'xoxb-123456789012-abcdefghij',
    'sk_live_abcdefghij0123456789',
  ])
    expect(starredSql(`select '${secret}' as a`, false)).toBe(
      `select '${'*'.repeat(secret.length)}' as a`,
    )
  for (const sql of [
    (secret: string) => `select 'Bearer ${secret}'`,
    (secret: string) => `select 'secret_key: ${secret}'`,
    (secret: string) => `select 'x;aws_secret_access_key=${secret} y'`,
    (secret: string) => `select * from silver.people where password = '${secret}'`,
    (secret: string) => `select 1 where api_key = '${secret}'`,
    (secret: string) => `select {'private_key': '${secret}'}`,
  ])
    expect(starredSql(sql('abcdefghijklmnop1234'), false)).toBe(sql('********************'))
})

it('leaves statements as they are that only ask', () => {
  for (const sql of [
    `select token, count(*) from silver.events where token = 'visit' and key_id = 'a1' group by 1`,
    `select a.api_key from silver.a join silver.b on a.api_key = b.api_key and a.access_token = b.access_token`,
    `select 'basic plan', 'the bearer of good news', 'token bucket' from gold.x where kind = 'secret' and a = 'b'`,
    `select * from silver.orders where key = 'monkey' and secretary = 'Ada' and id = 'ORD-2024-000000123456'`,
    `select sha1('x') = '11f6ad8ec52a2984abaafd7c3b516503785c2072', uuid = '123e4567-e89b-12d3-a456-426614174000'`,
    `select password_hash, api_keys from silver.users where passwordless = 'yes' -- password: none`,
  ])
    expect(starredSql(sql, false)).toBe(sql)
})

it('shows statements without the secrets that they set', () => {
  for (const sql of [
    (secret: string) => `ALTER USER x PASSWORD '${secret}' VALID UNTIL '2030-01-01'`,
    (secret: string) => `alter role x with encrypted password E'${secret}'`,
    (secret: string) => `CREATE SECRET (TYPE s3, KEY_ID 'XXXX', SECRET '${secret}', REGION 'eu')`,
    (secret: string) =>
      `create secret (type r2, "session_token" = $a$${secret}$a$, scope 's3://b')`,
    (secret: string) => `select f({'password': '${secret}', 'n': 'm'})`,
    (secret: string) => `IMPORT DATABASE 'postgres://u:${secret}@h/db'`,
    (secret: string) => `ATTACH 'host=h password=${secret} user=u' AS p (TYPE postgres)`,
  ]) {
    const shown = sql('**********').replace(/(?<=KEY_ID ')XXXX/, '****')
    expect(starredSql(sql('pass-word1'))).toBe(shown)
  }
  const good = `select 'token', "password" from silver.nothing where tokens > 'a' and x = 'b'`
  expect(starredSql(good)).toBe(good)
})
