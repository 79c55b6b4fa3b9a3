import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Project } from '../support/project.js'
import { postgresPrograms, startPostgres } from '../support/servers.js'
import { withService } from '../support/services.js'
import { until } from '../support/until.js'
import { exported } from './exported.js'

const lake = (url: string) => `
import { bronze, defineLake, silver, t, warehouse, z } from 'moraine'
import { files, postgres } from 'moraine/sources'
const notes = silver('notes', {
  from: bronze('notes', { from: files('in/*.csv') }),
  schema: z.object({ id: t.bigint(), note: t.string() }),
  key: 'id',
})
export default defineLake({
  name: 'shop',
  datasets: [notes],
  exports: [warehouse(postgres('${url}'), { tables: [notes], schema: 'reports', afterRuns: false })],
})`

withService('PostgreSQL with settings of its own', [postgresPrograms], () => {
  let server: Awaited<ReturnType<typeof startPostgres>>
  let admin: pg.Client
  beforeAll(async () => {
    server = await startPostgres()
    admin = new pg.Client(server.url)
    await admin.connect()
  })
  afterAll(async () => {
    await admin?.end()
    await server?.stop()
  })

  /** A lake with a database of its own. */
  const into = async (database: string, options: string, rows: string) => {
    await admin.query(`create database ${database} template template0 ${options}`)
    const url = server.url.replace(/[^/]*$/, database)
    const project = await Project.create({ 'lake.ts': lake(url), 'in/1.csv': `id,note\n${rows}` })
    await project.run()
    const client = new pg.Client(url)
    client.on('error', () => {})
    await client.connect()
    return { project, client }
  }

  it('has texts in the encoding of its database, or says which one it does not have', async () => {
    const options = "encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'"
    const { project, client } = await into('latin', options, '1,Käse\n2,año\n3,plain\n4,more\n')
    expect((await exported(project)).stdout).toContain('exported reports.notes: first export')
    await project.write({ 'in/2.csv': 'id,note\n5,blå\n' })
    await project.run()
    expect((await exported(project)).stdout).toContain('exported reports.notes: changed since')
    const { rows } = await client.query('select note from reports.notes order by id')
    expect(rows.map(({ note }) => note)).toEqual(['Käse', 'año', 'plain', 'more', 'blå'])
    await project.write({ 'in/3.csv': 'id,note\n6,😀\n' })
    await project.run()
    const refused = await exported(project)
    expect(refused.stdout).toMatch(/failed reports.notes: .*has no equivalent in encoding "LATIN1"/)
    await client.end()
  })

  it('has each export see what others did meanwhile, whatever isolation its roles have', async () => {
    const { project, client } = await into('stable', '', '1,a\n2,b\n3,c\n')
    for (const setting of ["isolation = 'repeatable read'", 'read_only = on'])
      await admin.query(`alter database stable set default_transaction_${setting}`)
    await client.query('begin read write')
    await client.query("select pg_advisory_xact_lock(hashtextextended('moraine reports.notes', 0))")
    const ended = [exported(project), exported(project)]
    const waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
    await until('both wait', async () => (await admin.query(waiting)).rows.length === 2)
    await client.query('commit')
    const all = (await Promise.all(ended)).map(({ stdout }) => stdout).join('')
    expect(all).toContain('exported reports.notes: first export')
    expect(all).toContain('unchanged reports.notes: it has the rows of commit')
    await client.end()
  })
})
