import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Project, step } from '../support/project.js'
import { postgresPrograms, type Server, startPostgres } from '../support/servers.js'
import { withService } from '../support/services.js'

withService('PostgreSQL', [postgresPrograms], () => {
  let server: Server
  beforeAll(async () => {
    server = await startPostgres()
  })
  afterAll(() => server.stop())

  const create = (url: string, schema: string, options = '') =>
    Project.create({
      'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { postgres } from 'moraine/sources'
const raw = bronze('rows', { from: postgres({ url: '${url}' }).table('strange', { ${options} }) })
export default defineLake({ name: 'strange', datasets: [silver('rows', { from: raw, schema: z.object({ ${schema} }), key: 'id' })] })
`,
    })

  async function tableAt(url: string, ...sql: string[]): Promise<void> {
    const client = new pg.Client(url)
    await client.connect()
    for (const text of ['DROP TABLE IF EXISTS strange', ...sql]) await client.query(text)
    await client.end()
  }

  it('strange values cost nothing but themselves', async () => {
    const columns = Array.from({ length: 1500 }, (_, i) => `c${i} text`)
    await tableAt(
      server.url,
      `CREATE TABLE strange (id int PRIMARY KEY, v text, j json, f float8, d timestamp, n numeric, ${columns})`,
      `INSERT INTO strange (id, v, j, f, d, n) VALUES
        (1, 'good', '{}', 1, '2026-01-01', 1),
        (2, E'\\x01\\x1a\\x1f"\\n\\r,', '{"a\\u0000b": "\\ud800"}', 'NaN', 'infinity', 'NaN'),
        (3, repeat('x', 120000000), '[]', 2, '4000-01-01 BC', ('1' || repeat('0', 100000))::numeric),
        (4, 'good', 'null', '1e-320', '294276-12-31', 'Infinity')`,
    )
    const project = await create(server.url, 'id: t.int(), v: z.string(), f: t.double()')
    const record = await project.run()
    expect(record.steps.map(({ error }) => error).filter(Boolean)).toEqual([])
    expect(step(record, 'bronze.rows').rows).toBe(4)
    const { counts } = step(record, 'silver.rows')
    expect(counts?.in).toBe(4)
    const found = await project.query('SELECT id, length(v) AS n FROM silver.rows ORDER BY id')
    expect(found).toContainEqual({ id: 3, n: 120000000n })
  })

  it('bytes that are no text, which the server does not hand over, are told with what to do', async () => {
    const client = new pg.Client(server.url)
    await client.connect()
    await client.query(
      "CREATE DATABASE bytes ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
    )
    await client.end()
    const url = new URL(server.url)
    url.pathname = '/bytes'
    await tableAt(
      url.href,
      'CREATE TABLE strange (id int PRIMARY KEY, v text)',
      "INSERT INTO strange VALUES (1, 'good'), (2, E'caf\\xe9'), (3, E'caf\\xc3\\xa9'), (4, E'\\xff\\xfe')",
    )
    const project = await create(url.href, 'id: t.int(), v: z.string()')
    const { error } = step(await project.run(), 'bronze.rows')
    expect(error?.message).toContain('strange: invalid byte sequence for encoding "UTF8"')
    expect(error?.hint).toContain('columns')
  })
})
