import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Project } from '../support/project.js'
import { postgresPrograms, type Server, startPostgres } from '../support/servers.js'
import { withService } from '../support/services.js'
import { tracesOf } from '../support/traces.js'

withService('PostgreSQL', [postgresPrograms], () => {
  let server: Server
  let client: pg.Client
  beforeAll(async () => {
    server = await startPostgres()
    client = new pg.Client(server.url)
    await client.connect()
  })
  afterAll(async () => {
    await client.end()
    await server.stop()
  })

  it('removes rows of tables of a database, and says what brings them back', async () => {
    await client.query(
      `CREATE TABLE people (id int PRIMARY KEY, name text, v bigint);
       CREATE TABLE letters (id int PRIMARY KEY, person int, said text);
       INSERT INTO people VALUES (41, 'Bob', 1), (42, 'Ada Lovelace', 2), (43, 'Eve', 3);
       INSERT INTO letters VALUES (1, 41, 'hello'), (2, 42, 'analytical-engine')`,
    )
    const project = await Project.create({
      'lake.ts': `
import { bronze, check, defineLake, silver, t, z } from 'moraine'
import { postgres } from 'moraine/sources'
const shop = postgres('${server.url}')
const people = silver('people', {
  from: bronze('people', { from: shop.table('people', { key: 'id', cursor: 'v' }), format: 'avro' }), key: 'id',
  schema: z.object({ id: t.int(), name: z.string(), v: t.bigint() }),
})
const letters = silver('letters', {
  from: bronze('letters', { from: shop.table('letters', { key: 'id' }), format: 'jsonl' }), key: 'id',
  checks: [check.references('person', people, 'id', { severity: 'warn' })],
  schema: z.object({ id: t.int(), person: t.int(), said: z.string() }),
})
export default defineLake({ name: 'shop', datasets: [people, letters] })
`,
    })
    const traces = () =>
      tracesOf(join(project.folder, 'lake'), ['Ada Lovelace', 'analytical-engine'])
    const forget = async () => {
      const done = await project.cli('forget', 'people', '--key', '42', '--yes')
      expect([done.stderr, done.code]).toEqual(['', 0])
      expect(await traces()).toEqual([])
      return done.stdout
    }
    const run = async () => expect((await project.run()).outcome).toBe('done')
    await run()
    expect((await traces()).length).toBeGreaterThan(0)
    const said = await forget()
    expect(said).toMatch(
      /bronze\.people: table \S*people of \S+ \(read again when a row changes, and by each full extract\)/,
    )
    expect(said).toMatch(
      /bronze\.letters: table \S*letters of \S+ \(all rows are read again once any of them changes\)/,
    )
    // What was read is not read again, nor does what is new bring it along.
    await run()
    await client.query("UPDATE people SET name = 'Bobby', v = 4 WHERE id = 41")
    await run()
    expect(await project.query('select id, name from silver.people order by id')).toEqual([
      { id: 41, name: 'Bobby' },
      { id: 43, name: 'Eve' },
    ])
    expect(await traces()).toEqual([])
    // Both come back as was said.
    await client.query(
      "UPDATE people SET v = 5 WHERE id = 42; UPDATE letters SET said = 'hi' WHERE id = 1",
    )
    await run()
    expect(await project.query('select id from silver.letters order by id')).toHaveLength(2)
    expect(await project.query('select id from silver.people order by id')).toHaveLength(3)
    await forget()
    expect((await project.cli('verify', '--deep')).code).toBe(0)
  })
})
