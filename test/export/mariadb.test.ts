import { createConnection } from 'mysql2/promise'
import { expect, it } from 'vitest'
import { Project } from '../support/project.js'
import { mariadbProgram, startMariadb } from '../support/servers.js'
import { withService } from '../support/services.js'
import { until } from '../support/until.js'
import { exported } from './exported.js'

const lake = (url: string, more = '') => `
import { bronze, defineLake, gold, sql, warehouse } from 'moraine'
import { files, mysql } from 'moraine/sources'
const raw = bronze('one', { from: files('one.csv') })
const daily = gold('daily', { query: sql\`select count(*) as n from \${raw}\` })
export default defineLake({
  name: 'shop',
  datasets: [daily],
  exports: [warehouse(mysql('${url}'), { tables: [daily], afterRuns: false${more} })],
})`

withService('MariaDB with limits of its own', [mariadbProgram], () => {
  it('waits for another export for longer than statements may take there', async () => {
    const server = await startMariadb()
    const project = await Project.create({ 'lake.ts': lake(server.url), 'one.csv': 'a\n1\n' })
    await project.run()
    const admin = await createConnection(server.url.replace('shop:s3cret@', 'root@'))
    for (const limit of ['max_statement_time', 'net_read_timeout', 'wait_timeout'])
      await admin.query(`set global ${limit} = 1`)
    const other = await createConnection(server.url)
    await other.query('set session wait_timeout = 600')
    await other.query("select get_lock(concat('moraine exports ', sha1(database())), 0)")
    let ended = false
    const export_ = exported(project).finally(() => {
      ended = true
    })
    const waited = async () => {
      const [rows] = await admin.query(
        "select 1 from information_schema.processlist where state = 'User lock' and time_ms > 2500",
      )
      return ended || (rows as unknown[]).length > 0
    }
    await until('it has waited for longer than it may', waited)
    await other.query('select release_all_locks()')
    expect((await export_).stdout).toContain('exported daily: first export')
    await other.end()
    await admin.end()
    await server.stop()
  })

  it('makes a grant with the next export that could not be made with the rows', async () => {
    const server = await startMariadb()
    const definition = lake(server.url, ", grants: ['analysts']")
    const project = await Project.create({ 'lake.ts': definition, 'one.csv': 'a\n1\n' })
    await project.run()
    const refused = await project.cli('export')
    expect(refused.code, refused.stdout).toBe(1)
    expect(refused.stdout).toContain('The table has the rows of the lake, but not all of grants')
    const admin = await createConnection(server.url.replace('shop:s3cret@', 'root@'))
    expect((await admin.query('select n from daily'))[0]).toEqual([{ n: 1 }])
    const [users] = await admin.query("select user from mysql.user where user = 'analysts'")
    expect(users).toEqual([])
    await admin.query('create user analysts')
    const granted = await project.cli('export')
    expect([granted.code, granted.stdout]).toEqual([
      0,
      expect.stringContaining('it has the rows of commit'),
    ])
    const [grants] = await admin.query({ sql: 'show grants for analysts', rowsAsArray: true })
    expect(String(grants)).toContain('GRANT SELECT ON `shop`.`daily`')
    await admin.end()
    await server.stop()
  })
})
