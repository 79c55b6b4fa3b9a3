import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { expect, it } from 'vitest'
import { moraine, Project, step } from '../support/project.js'
import {
  mariadbProgram,
  postgresPrograms,
  startMariadb,
  startPostgres,
} from '../support/servers.js'
import { withService } from '../support/services.js'

/** Crawls, runs what was written, changes the source, and crawls again. */
async function story(url: string, run: (sql: string) => Promise<unknown>, cursor: string) {
  const project = await Project.create({})
  process.env.SHOP_URL = url
  const crawl = async () => {
    const { code, stdout, stderr } = await moraine(
      ['-C', project.folder, 'crawl', 'env:SHOP_URL'],
      { SHOP_URL: url },
    )
    expect([code, stderr]).toEqual([0, ''])
    return stdout
  }
  const first = await crawl()
  const text = await readFile(join(project.folder, 'lake.ts'), 'utf8')
  // The URL is nowhere: not in what is printed, written or remembered.
  expect(first + text).not.toContain(url)
  expect(text).toContain('process.env.SHOP_URL')
  // Also when somebody gives it itself: with a password it would be in a file that is committed.
  const given = new URL(url)
  given.password ||= 'w0rd'
  const direct = await project.cli('crawl', given.href, '--name', 'direct', '--out', 'direct.ts')
  expect(direct.code).toBe(0)
  expect(await readFile(join(project.folder, 'direct.ts'), 'utf8')).not.toContain(
    `:${given.password}@`,
  )
  expect(text).toContain("key: 'id'")
  expect(text).toContain(`cursor: '${cursor}'`)
  expect(text).toContain("status: z.enum(['open', 'paid'])")
  expect(text).toContain('amount: t.decimal(12, 2)')
  const record = await project.run()
  expect([record.error, ...record.steps.map((s) => s.error)].filter(Boolean)).toEqual([])
  expect(step(record, 'silver.orders').counts).toMatchObject({ in: 2, kept: 2 })
  expect(step(record, 'silver.order_lines').counts).toMatchObject({ in: 3, kept: 3 })
  expect(await crawl()).toContain('has not changed since the last crawl')
  await run('ALTER TABLE orders ADD COLUMN extra int')
  await run('DROP TABLE order_lines')
  await run('CREATE TABLE refunds (id int PRIMARY KEY)')
  const drift = await crawl()
  expect(drift).toMatch(/\+ extra: int/)
  expect(drift).toMatch(/- \S*order_lines is gone/)
  expect(drift).toMatch(/\+ \S*refunds is new/)
  return text
}

withService('PostgreSQL', [postgresPrograms], () => {
  it('a crawl writes definitions that run, and shows later what has changed', async () => {
    const server = await startPostgres()
    const client = new pg.Client(server.url)
    client.on('error', () => {})
    await client.connect()
    try {
      await client.query(`
        CREATE TYPE state AS ENUM ('open', 'paid');
        CREATE TABLE orders (id bigint PRIMARY KEY, status state NOT NULL, amount numeric(12,2), paid boolean, "Odd Name" jsonb, tags text[], updated_at timestamptz NOT NULL);
        CREATE TABLE order_lines (order_id bigint, line int, sku text NOT NULL, PRIMARY KEY (order_id, line));
        CREATE SCHEMA "Other"; CREATE VIEW "Other"."My View" AS SELECT 1 AS one;
        CREATE SCHEMA "order"; CREATE TABLE "order"."user" (id int PRIMARY KEY, day date NOT NULL);
        INSERT INTO orders VALUES (1, 'open', 1.5, true, '{"a": 1}', '{x}', now()), (2, 'paid', NULL, false, NULL, NULL, now());
        INSERT INTO order_lines VALUES (1, 1, 'a'), (1, 2, 'b'), (2, 1, 'a'); ANALYZE`)
      const text = await story(server.url, (sql) => client.query(sql), 'updated_at')
      expect(text).toContain("key: ['order_id', 'line']")
      expect(text).toContain(`.table('"Other"."My View"')`)
      expect(text).toContain(`.table('"order".user', { key: 'id' })`)
      expect(text).toContain("'Odd Name': t.json().nullable()")
      expect(text).toContain('paid: t.boolean().nullable()')
    } finally {
      await client.end()
      await server.stop()
    }
  })
})

withService('MariaDB', [mariadbProgram], () => {
  it('a crawl writes definitions that run, and shows later what has changed', async () => {
    const server = await startMariadb()
    const client = await mysql.createConnection({ uri: server.url, multipleStatements: true })
    try {
      await client.query(`
        CREATE TABLE orders (id bigint unsigned PRIMARY KEY, status enum('open', 'paid') NOT NULL, amount decimal(12,2), n int unsigned, updated_at timestamp(6) NOT NULL);
        CREATE TABLE order_lines (order_id bigint, line int, sku varchar(20) NOT NULL, PRIMARY KEY (order_id, line));
        INSERT INTO orders VALUES (18446744073709551615, 'open', 1.5, 4294967295, now(6)), (2, 'paid', NULL, 1, now(6));
        INSERT INTO order_lines VALUES (1, 1, 'a'), (1, 2, 'b'), (2, 1, 'a');
        CREATE TABLE \`order\` (id int PRIMARY KEY, day datetime NOT NULL);
        INSERT INTO \`order\` VALUES (1, '2026-01-01')`)
      const text = await story(server.url, (sql) => client.query(sql), 'updated_at')
      // A name that is reserved is quoted, in what is asked and in what is written.
      expect(text).toContain(".table('`order`', { key: 'id' })")
      expect(text).toContain('id: t.decimal(20, 0)')
      expect(text).toContain('n: t.bigint().nullable()')
    } finally {
      await client.end()
      await server.stop()
    }
  })
})
