import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { seed } from '../../../test/support/seed.js'
import { aws } from '../../aws/index.js'
import { DefinitionError } from '../../errors.js'
import { files, http, inbox, ingest, logs, mysql, postgres, sqlserver } from '../../source/index.js'
import { principal } from '../access/principal.js'
import { alert } from '../alert.js'
import { check } from '../check.js'
import { bronze, gold, history, silver } from '../dataset.js'
import { duckdbFile } from '../export/duckdb-file.js'
import { warehouse } from '../export/warehouse.js'
import { defineLake } from '../lake.js'
import { nearest } from '../nearest.js'
import { takeMistakes } from '../problems/mistakes.js'
import { rule } from '../rule.js'
import { after, cron, every } from '../schedule.js'
import { sql } from '../sql/sql.js'
import { t } from '../types/t.js'

const raw = bronze('raw', { from: files('orders.csv') })
const one = sql`select 1 as one`

/** Every call that takes options, with some that it has. */
const builders: Record<string, [call: (options: any) => unknown, ...options: string[]]> = {
  bronze: [(o) => bronze('a', o), 'from', 'format', 'archive', 'keep', 'schedule', 'owner', 'tags'],
  silver: [
    (o) => silver('a', o),
    ...['from', 'select', 'schema', 'key', 'cursor', 'rules', 'severity', 'partitionBy'],
    ...['deleteWhen', 'onInvalidUpdate', 'checks', 'history', 'freshWithin', 'compression'],
  ],
  gold: [(o) => gold('a', o), 'query', 'columns', 'partitionBy', 'incremental', 'checks', 'keep'],
  defineLake: [(o) => defineLake(o), 'name', 'datasets', 'root', 'publish', 'folders', 'alerts'],
  rule: [(o) => rule('a', one, o), 'severity'],
  files: [
    (o) => files('a.csv', o),
    ...['format', 'delimiter', 'quote', 'header', 'columns', 'nulls', 'encoding', 'rows', 'widths'],
  ],
  logs: [(o) => logs('a.log', o), 'format', 'columns', 'encoding'],
  http: [
    (o) => http('https://a.example', o),
    ...['format', 'rows', 'headers', 'params', 'auth', 'paging', 'cursor', 'pause', 'timeout'],
  ],
  inbox: [(o) => inbox(o), 'settle', 'token', 'queue', 'feed', 'delimiter', 'header'],
  ingest: [(o) => ingest(o), 'token', 'columns', 'maxBytes'],
  postgres: [(o) => postgres(o), 'host', 'port', 'user', 'password', 'database', 'concurrency'],
  mysql: [(o) => mysql(o), 'host', 'password'],
  sqlserver: [(o) => sqlserver(o), 'host', 'password'],
  'a table': [
    (o) => postgres('postgres://a').table('b', o),
    ...['columns', 'where', 'key', 'cursor', 'lag', 'drift', 'deletes'],
  ],
  't.date': [(o) => t.date(o), 'format'],
  't.timestamp': [(o) => t.timestamp(o), 'format'],
  't.boolean': [(o) => t.boolean(o), 'true', 'false'],
  cron: [(o) => cron('0 6 * * *', o), 'timezone', 'missed', 'overlap', 'jitter', 'timeout'],
  every: [(o) => every('1d', o), 'retries', 'backoff'],
  after: [(o) => after(raw, o), 'retries', 'backoff'],
  'check.unique': [(o) => check.unique('id', o), 'severity'],
  'check.fresh': [(o) => check.fresh('id', o), 'within', 'severity'],
  'check.rowCount': [(o) => check.rowCount(o), 'min', 'max'],
  'check.usualRows': [(o) => check.usualRows(o), 'deviations', 'runs'],
  'check.discarded': [(o) => check.discarded(o), 'max'],
  'check.sql': [(o) => check.sql('a', one, o), 'severity'],
  'alert.slack': [(o) => alert.slack('https://a.example', o), 'on'],
}

/** What a call leaves to be told. */
function mistakesOf(call: () => unknown) {
  takeMistakes()
  try {
    call()
  } catch (error) {
    if (error instanceof DefinitionError) return error.problems
    throw error
  }
  return takeMistakes()
}

/** A slip of a finger: a letter that is left out, put in, or swapped with the next. */
const slip = fc
  .tuple(fc.constantFrom('drop', 'add', 'swap'), fc.nat(), fc.constantFrom(...'aeiourstn'))
  .map(([kind, at, letter]) => (word: string) => {
    const i = at % word.length
    if (kind === 'drop') return word.slice(0, i) + word.slice(i + 1)
    if (kind === 'add') return word.slice(0, i) + letter + word.slice(i)
    const [a = '', b = ''] = [word[i], word[i + 1]]
    return word.slice(0, i) + b + a + word.slice(i + 2)
  })

const cases = Object.entries(builders).flatMap(([name, [call, ...options]]) =>
  options.map((option) => ({ name, call, option, options })),
)

describe('an option', () => {
  it('that is misspelt is found, with the name that was meant and the place', () => {
    fc.assert(
      fc.property(fc.constantFrom(...cases), slip, ({ name, call, option }, misspell) => {
        const written = misspell(option)
        const all = builders[name]?.slice(1) as string[]
        if (written === '' || written === '__proto__' || all.includes(written)) return
        const found = mistakesOf(() => call({ [written]: 'x' }))
        const unknown = found.find(({ message }) => message.endsWith(`no option '${written}'`))
        expect(unknown?.place?.file).toMatch(/options\.test\.ts$/)
        expect(unknown?.place?.near).toBe(`${written}:`)
        // Short words are near to many.
        if (nearest(written, all) === option && option.length > 4)
          expect(unknown?.hint).toBe(`Did you mean '${option}'?`)
      }),
      { seed, numRuns: 1000 },
    )
  })

  it('of a wrong kind never throws, and is told once', () => {
    const values = [3, 'text', true, null, [], [undefined], {}, () => 1, /x/, new Date(), raw, one]
    fc.assert(
      fc.property(
        fc.constantFrom(...cases),
        fc.constantFrom<unknown>(...values),
        ({ name, call, option }, value) => {
          const found = mistakesOf(() => call({ [option]: value }))
          const told = found.filter(({ message }) => message.includes(`: ${option} must be `))
          expect(told.length, name).toBeLessThanOrEqual(1)
        },
      ),
      { seed, numRuns: 1000 },
    )
  })

  it('list that is no object is told', () => {
    for (const [name, [call]] of Object.entries(builders))
      for (const given of [3, [], null, raw, () => 1])
        expect(mistakesOf(() => call(given))[0]?.message, name).toContain(
          ' needs an object of options',
        )
  })

  it('that stands in a wrong place is told without the password or token in it', () => {
    const url = 'postgres://me:hunter2@db.example/shop?sslpassword=hunter2'
    const hook = 'https://hooks.example/services/hunter2'
    const inLists = cases.map(({ call, option }) => [() => call({ [option]: url })])
    const calls: (() => unknown)[] = [
      ...inLists.flat(),
      ...Object.values(builders).flatMap(([call]) => [() => call(url), () => call(hook)]),
      () => warehouse(url as never, { tables: [] }),
      () => warehouse(duckdbFile('a.duckdb'), { tables: [raw as never], name: url }),
      () => defineLake({ name: url, datasets: [raw] }),
      () => silver(url, { from: raw, schema: z.object({ a: t.string() }) }),
      () => bronze('a', { from: url as never }),
      () => cron(url, { timezone: 3 as never }),
      () => postgres({ password: 70707070 as never }),
      () => ingest('hunter2' as never),
      () => ingest({ token: ['hunter2'] as never, maxBytes: 'hunter2' as never }),
      () => postgres({ host: 'db', port: 'hunter2' as never }),
      () => principal('ada', 'hunter2' as never),
      () => principal('ada', { read: 'hunter2' as never }),
      () => alert.slack(hook, 'hunter2' as never),
      () => defineLake({ name: 'x', datasets: [raw], alerts: [hook] as never }),
    ]
    let told = 0
    for (const call of calls)
      for (const { message, hint = '' } of mistakesOf(call)) {
        told++
        expect(`${message} ${hint}`).not.toMatch(/hunter2|70707070/)
      }
    expect(told).toBeGreaterThan(100)
    const [wrong] = mistakesOf(() => warehouse(url as never, { tables: [] }))
    expect(wrong?.message).toMatch(/not the string 'postgres:\/\/…'$/)
    const [quoted] = mistakesOf(() => postgres({ port: '5432' as never }))
    expect(quoted).toMatchObject({ hint: 'Without quotes: 5432' })
  })

  it('names the entry of a list or an object that is wrong', () => {
    const region = 'eu-central-1'
    const first = (call: () => unknown) => mistakesOf(call)[0]
    const deployed = (more: object) => first(() => aws({ region, ...more } as never))?.message
    expect(deployed({ environment: { A: 'x', 'A-B': 'x' } })).toMatch(
      /, not an object with the entry 'A-B'$/,
    )
    expect(deployed({ secrets: { A: 'hunter2 hunter2' } })).toMatch(
      /, not an object with the entry 'A'$/,
    )
    expect(deployed({ teams: { ana: { read: ['gold'] }, Ops: { read: ['gold'] } } })).toMatch(
      /, not an object with the entry 'Ops'$/,
    )
    const subnets = ['subnet-0123456789abcdef0', 'exploded']
    expect(deployed({ vpc: { subnets, securityGroups: ['sg-0123456789abcdef0'] } })).toMatch(
      /, not a list whose item 2 is the string 'exploded'$/,
    )
    const tables = first(() => warehouse(duckdbFile('a'), { tables: ['daily' as never] }))
    expect(tables?.message).toMatch(/, not a list whose item 1 is the string 'daily'$/)
    expect(tables?.hint).toBe('Refer to datasets by their variables, without quotes.')
    const on = first(() => alert.command(['x'], { on: ['failed', 'exploded'] as never }))
    expect(on?.message).toMatch(/, not a list whose item 2 is the string 'exploded'$/)
    expect(first(() => gold('g', { query: ['x'] as never }))?.message).toMatch(/, not a list$/)
    expect(first(() => silver('s', { rules: rule('r', one) } as never))?.message).toMatch(
      /^silver\.s: rules must be a list of rules, not a rule$/,
    )
  })

  it('that is undefined is as good as none', () => {
    const given = { host: undefined, url: undefined, password: undefined }
    expect(mistakesOf(() => postgres(given as never))).toEqual([])
    expect(mistakesOf(() => postgres(undefined as never))).toEqual([])
  })
})

describe('an option of what is within options', () => {
  const environments = (of: object) => () =>
    defineLake({ name: 'x', datasets: [raw], environments: of as never })

  it('is told with the name that was meant, of each environment', () => {
    const found = mistakesOf(environments({ dev: { brnach: 'x' }, prod: { root: 'a', ttl: 3 } }))
    expect(found.map(({ message, hint }) => [message, hint])).toEqual([
      ["defineLake: environments: dev has no option 'brnach'", "Did you mean 'branch'?"],
      [
        "defineLake: environments: prod: ttl must be a duration such as '30s', '15m', '2h' or '1d', not 3",
        'Include the unit, in quotes.',
      ],
    ])
    expect(found[0]?.place?.near).toBe('brnach:')
    const sampled = { branch: 'x', sources: { 'bronze.raw': { sample: 3, seed: 1 } } }
    expect(mistakesOf(environments({ dev: sampled }))[0]?.message).toBe(
      "Environment 'dev': bronze.raw must be a source, or { sample: 10_000 }",
    )
    expect(mistakesOf(environments({ dev: 'x' }))[0]?.message).toBe(
      "defineLake: environments: dev must be an object, not the string 'x'",
    )
    expect(mistakesOf(environments({ Dev: {} }))[0]?.message).toMatch(
      /environments must be an object of environments/,
    )
  })

  it("that other tools call schema is 'columns' here", () => {
    const shape = { id: t.int() }
    for (const call of [
      () => gold('g', { query: one, schema: shape } as never),
      () => http('https://a.example', { schema: shape } as never),
    ])
      expect(mistakesOf(call)[0]?.hint).toBe("Did you mean 'columns'?")
    expect(
      mistakesOf(() => bronze('b', { from: files('a'), schema: shape } as never))[0],
    ).toMatchObject({
      message: "bronze.b has no option 'schema'",
      hint: expect.stringContaining('Its options are'),
    })
  })
})

describe('mistakes', () => {
  it('are all told by the lake, whatever builder found them', () => {
    const problems = mistakesOf(() => {
      const orders = silver('orders', { from: raw, schem: 1, rules: 'x' } as never)
      gold('daily', { query: sql`from ${orders}`, incrementall: {} } as never)
      return defineLake({ name: 'Shop', datasets: [orders] })
    })
    const said = problems.map(({ message }) => message)
    expect(said).toEqual(
      expect.arrayContaining([
        "silver.orders has no option 'schem'",
        "silver.orders: rules must be a list of rules, not the string 'x'",
        "gold.daily has no option 'incrementall'",
        expect.stringContaining("The lake's name 'Shop'"),
      ]),
    )
    expect(said).toHaveLength(4)
  })

  it('of arguments are told without a stack', () => {
    const calls = [() => t.list(undefined as never), () => t.struct({ a: 'int' } as never)]
    const others = [() => sql('select 1' as never), () => history('orders' as never)]
    for (const call of [...calls, ...others]) expect(mistakesOf(call)).toHaveLength(1)
    const said = mistakesOf(() => bronze('x', files('a.csv') as never)).map((p) => p.message)
    expect(said).toEqual(['bronze.x needs an object of options, not a source'])
  })

  it('are not told again by the next lake', () => {
    mistakesOf(() => defineLake({ name: 'x', datasets: [], rot: 1 } as never))
    expect(defineLake({ name: 'x', datasets: [raw] }).datasets).toEqual([raw])
  })

  it('of values in SQL are found where they stand', () => {
    for (const value of [undefined, () => 1, {}, Symbol('x'), files('x.csv'), new Date('x')])
      expect(mistakesOf(() => sql`select ${value as never}`)).toHaveLength(1)
    for (const value of [
      null,
      1,
      1n,
      'a',
      true,
      new Date(0),
      [1, 'a', null],
      raw,
      one,
      raw.columns,
    ])
      expect(mistakesOf(() => sql`select ${value as never}`)).toHaveLength(
        value === raw.columns ? 1 : 0,
      )
  })
})
