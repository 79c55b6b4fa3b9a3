import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { amount } from '../../support/effort.js'
import { seed } from '../../support/seed.js'
import { connect, type ServedShop, serveShop } from '../../support/served-shop.js'
import { postgresPrograms, type Server, startPostgres } from '../../support/servers.js'
import { withService } from '../../support/services.js'

/** Values that both servers make of the same text, or of the same parameter. */
interface Value {
  sql: string
}

const digits = (most: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${most}}$`))

const numbers: fc.Arbitrary<Value>[] = [
  fc.boolean().map((value) => ({ sql: `${value}` })),
  fc.integer({ min: -32_768, max: 32_767 }).map((n) => ({ sql: `CAST('${n}' AS SMALLINT)` })),
  fc.integer().map((n) => ({ sql: `CAST('${n}' AS INTEGER)` })),
  fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    .map((n) => ({ sql: `CAST('${n}' AS BIGINT)` })),
  fc
    .tuple(fc.constantFrom('', '-'), digits(20), digits(10), fc.integer({ min: 0, max: 10 }))
    .map(([sign, whole, part, scale]) => ({
      sql: `CAST('${sign}${whole}.${part}' AS DECIMAL(38, ${scale}))`,
    })),
  fc.double().map((n) => ({ sql: `CAST('${n}' AS DOUBLE PRECISION)` })),
  fc.float().map((n) => ({ sql: `CAST('${n}' AS REAL)` })),
]

// From 4000 BC on.
const days = fc.integer({ min: -2_190_000, max: 2_000_000 })
const seconds = fc.integer({ min: 0, max: 86_399 })
const micros = fc.integer({ min: 0, max: 999_999 })

const times: fc.Arbitrary<Value>[] = [
  days.map((n) => ({ sql: `DATE '2000-01-01' + (${n})` })),
  fc.tuple(days, seconds, micros).map(([day, second, micro]) => ({
    sql: `CAST(DATE '2000-01-01' + (${day}) AS TIMESTAMP) + INTERVAL '${second} seconds' + INTERVAL '${micro} microseconds'`,
  })),
  fc.integer({ min: 0, max: 86_399_999 }).map((ms) => ({
    sql: `CAST('${new Date(ms).toISOString().slice(11, 23)}' AS TIME)`,
  })),
  fc
    .tuple(...[500, 40_000, 1_000_000].map((most) => fc.integer({ min: -most, max: most })))
    .map(([months, days, seconds]) => ({
      sql: `CAST('${months} months ${days} days ${seconds} seconds' AS INTERVAL)`,
    })),
  fc
    .constantFrom('infinity', '-infinity')
    .chain((end) =>
      fc.constantFrom('DATE', 'TIMESTAMP').map((type) => ({ sql: `${type} '${end}'` })),
    ),
]

const text = fc
  .string({ unit: 'binary', maxLength: 12 })
  .map((value) => value.replaceAll('\0', '').toWellFormed())
const quoted = (value: string) => `'${value.replaceAll("'", "''")}'`

const others: fc.Arbitrary<Value>[] = [
  text.map((value) => ({ sql: `CAST(${quoted(value)} AS TEXT)` })),
  fc.uuid().map((value) => ({ sql: `CAST('${value}' AS UUID)` })),
  fc
    .array(fc.option(fc.oneof(text, fc.constantFrom('', 'NULL', 'null', 'a"b', '\\', '{', ' '))), {
      minLength: 1,
    })
    .map((items) => ({
      sql: `CAST(ARRAY[${items.map((item) => (item === null ? 'NULL' : quoted(item))).join(', ')}] AS TEXT[])`,
    })),
  fc.array(fc.option(fc.integer()), { minLength: 1 }).map((items) => ({
    sql: `CAST(ARRAY[${items.map(String).join(', ')}] AS INTEGER[])`.replaceAll('null', 'NULL'),
  })),
  fc.constant({ sql: 'CAST(NULL AS INTEGER)' }),
]

withService('PostgreSQL', [postgresPrograms], () => {
  let server: Server
  let shop: ServedShop
  const clients: pg.Client[] = []
  beforeAll(async () => {
    ;[server, shop] = await Promise.all([startPostgres(), serveShop()])
    const own = new pg.Client({ connectionString: server.url })
    await own.connect()
    await own.query("SET TimeZone = 'UTC'")
    clients.push(own, await connect(shop.port))
  })
  afterAll(async () => {
    for (const client of clients) await client.end()
    await server?.stop()
    await shop?.close()
  })

  /** What both servers answer, in their own bytes, and the types that they say. */
  async function answers(sql: string, values: unknown[], binary: boolean) {
    const types = { getTypeParser: () => (value: unknown) => value }
    const asked = clients.map((client) =>
      client.query({
        text: sql,
        values,
        rowMode: 'array',
        binary,
        types,
        queryMode: 'extended',
      } as never),
    )
    return (await Promise.all(asked)).map((result) => {
      const { rows, fields } = result as unknown as pg.QueryArrayResult<(Buffer | string | null)[]>
      return {
        values: (rows[0] ?? []).map((value) =>
          value instanceof Buffer ? value.toString('hex') : value,
        ),
        types: fields.map(
          ({ dataTypeID, dataTypeModifier }) => `${dataTypeID} ${dataTypeModifier}`,
        ),
      }
    })
  }

  it('writes every value as PostgreSQL does, as texts and in binary', async () => {
    const all = fc.array(fc.oneof(...numbers, ...times, ...others), { minLength: 1, maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(all, async (found) => {
        const sql = `SELECT ${found.map((value, i) => `${value.sql} AS c${i}`).join(', ')}`
        for (const binary of [false, true]) {
          const [theirs, ours] = await answers(sql, [], binary)
          expect(ours).toEqual(theirs)
        }
      }),
      // A number between two that have as few digits.
      { seed, numRuns: amount(10, 60), examples: [[[{ sql: "CAST('-264947.625' AS REAL)" }]]] },
    )
  })

  it('takes every parameter as PostgreSQL does, and gives it back', async () => {
    const casts = fc.oneof(
      fc.tuple(fc.constant('int'), fc.integer().map(String)),
      fc.tuple(
        fc.constant('bigint'),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
      ),
      fc.tuple(
        fc.constant('bytea'),
        fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      ),
      fc.tuple(fc.constant('text'), text),
      fc.tuple(fc.constant('text[]'), fc.array(fc.option(text), { minLength: 1 })),
      fc.tuple(fc.constant('boolean'), fc.boolean()),
      fc.tuple(
        fc.constant('numeric(20,4)'),
        digits(12).map((whole) => `-${whole}.1250`),
      ),
      fc.tuple(fc.constant('date'), fc.constantFrom('2024-02-29', '0001-01-01', '9999-12-31')),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(casts, { minLength: 1, maxLength: 20 }), async (found) => {
        const sql = `SELECT ${found.map(([type], i) => `$${i + 1}::${type} AS c${i}`).join(', ')}`
        const [theirs, ours] = await answers(
          sql,
          found.map(([, value]) => value),
          false,
        )
        expect(ours).toEqual(theirs)
      }),
      { seed, numRuns: amount(10, 60) },
    )
  })
})
