import { join } from 'node:path'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { expect, it } from 'vitest'
import { type Ending, killed } from '../support/kills.js'
import { Project } from '../support/project.js'
import { random, seed } from '../support/seed.js'
import {
  mariadbProgram,
  postgresPrograms,
  type Server,
  startMariadb,
  startPostgres,
} from '../support/servers.js'
import { withService } from '../support/services.js'

/*
 * Writers insert, change and delete rows, and commit late, while runs take the rows in and are
 * killed at any moment. Once the writers have stopped, one more run holds exactly what the source
 * does.
 */

/** Seconds of writing; three minutes in CI. */
const SECONDS = Number(process.env.MORAINE_STORM ?? 15)

/** Of so many times that a run touches the lake's folder it is killed at one. */
const POINTS = 400
/** None ever comes to it. */
const NEVER = 1_000_000_000

interface Writer {
  query(sql: string): Promise<unknown>
  end(): Promise<void>
}

/** Who sets the times of rows: the database's clock, or programs, each by its own count. */
type Clock = 'server' | 'programs'

interface Kind {
  start(): Promise<Server>
  connect(url: string): Promise<Writer>
  rows(url: string): Promise<[number, number, string | null][]>
  create: string
  now: string
  /** What a SELECT of constants is from. */
  nothing: string
  source: string
}

const table = (time: string, now: string) =>
  `CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL, note varchar(40), updated_at ${time} NOT NULL DEFAULT ${now})`

const postgres: Kind = {
  start: startPostgres,
  connect: async (url) => {
    const client = new pg.Client(url)
    client.on('error', () => {})
    await client.connect()
    await client.query("SET lock_timeout = '1s'")
    return client
  },
  rows: async (url) => {
    const client = new pg.Client(url)
    await client.connect()
    const { rows } = await client.query({
      text: 'SELECT id, amount, note FROM orders ORDER BY id',
      rowMode: 'array',
    })
    await client.end()
    return rows as never
  },
  create: table('timestamptz', 'now()'),
  now: 'now()',
  nothing: '',
  source: 'postgres',
}

const mariadb: Kind = {
  start: startMariadb,
  connect: async (url) => {
    const client = await mysql.createConnection(url)
    await client.query('SET SESSION innodb_lock_wait_timeout = 1')
    return client as unknown as Writer
  },
  rows: async (url) => {
    const client = await mysql.createConnection({ uri: url, rowsAsArray: true })
    const [rows] = await client.query('SELECT id, amount, note FROM orders ORDER BY id')
    await client.end()
    return rows as never
  },
  create: table('timestamp(6)', 'current_timestamp(6)'),
  now: 'current_timestamp(6)',
  nothing: 'FROM dual',
  source: 'mysql',
}

/** Seconds that a slow writer waits at most before it commits. */
const LONGEST_WAIT = Math.min(60, SECONDS / 4)
/** Seconds of programs' time that go by in a second. */
const PACE = 600

/**
 * Times that programs write: of long ago, several rows with the same, and now and then one that
 * lies after now. They go on ten minutes a second, however many changes the machine makes in it; a
 * program that waits before it commits writes an older one, which `lag` covers, in seconds.
 */
class Program {
  private readonly begun = Date.now()
  readonly lag = Math.ceil((LONGEST_WAIT + SECONDS / 5) * PACE)

  constructor(private readonly next: () => number) {}

  time(): string {
    if (this.next() < 0.02) return `'20${30 + Math.floor(this.next() * 7)}-06-01 00:00:00'`
    const seconds = ((Date.now() - this.begun) / 1000) * PACE
    // Changes that follow each other have one time.
    const time = new Date(Date.UTC(2024, 0, 1) + Math.floor(seconds / 10) * 10_000)
    return `'${time.toISOString().slice(0, 19).replace('T', ' ')}'`
  }
}

const lake = (source: string, url: string, lag: number) => `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { ${source} } from 'moraine/sources'
const shop = ${source}({ url: '${url}' })
const raw = bronze('orders', { from: shop.table('orders', { key: 'id', cursor: 'updated_at', ${lag > 0 ? `lag: '${lag}s', ` : ''}deletes: 'compare' }) })
const orders = silver('orders', {
  from: raw,
  schema: z.object({ id: t.int(), amount: t.int(), note: t.string().nullable(), updated_at: t.timestamptz() }),
  key: 'id',${lag > 0 ? '' : " cursor: 'updated_at',"}
})
export default defineLake({ name: 'storm', datasets: [orders] })
`

const IDS = 3000

/** Transactions of one to five changes; of slow writers one in ten stays open for a while. */
async function write(
  kind: Kind,
  url: string,
  until: number,
  next: () => number,
  slow: boolean,
  program: Program | undefined,
): Promise<number> {
  const client = await kind.connect(url)
  const below = (n: number) => Math.floor(next() * n)
  const now = () => program?.time() ?? kind.now
  let done = 0
  while (Date.now() < until) {
    await client.query('BEGIN')
    try {
      for (let i = below(5); i >= 0; i--) {
        const id = below(IDS)
        const note =
          below(4) === 0
            ? 'NULL'
            : `'${['', 'a"b', 'x,y', 'line\nend', 'ä€'][below(5)]}${below(1000)}'`
        const change = below(5)
        if (change === 0) await client.query(`DELETE FROM orders WHERE id = ${id}`)
        else if (change < 3)
          await client.query(
            `UPDATE orders SET amount = ${below(1e6)}, note = ${note}, updated_at = ${now()} WHERE id = ${id}`,
          )
        else
          await client.query(
            `INSERT INTO orders (id, amount, note, updated_at) SELECT ${id}, ${below(1e6)}, ${note}, ${now()} ${kind.nothing} WHERE NOT EXISTS (SELECT 1 FROM orders WHERE id = ${id})`,
          )
      }
      const wait = slow && below(10) === 0 ? below(LONGEST_WAIT * 1000) : below(20)
      await new Promise((go) => setTimeout(go, Math.min(wait, Math.max(0, until - Date.now()))))
      await client.query(below(8) === 0 ? 'ROLLBACK' : 'COMMIT')
      done++
    } catch (error) {
      // Two writers that met: one of them gives way.
      await client.query('ROLLBACK').catch(() => {})
      if (!/deadlock|duplicate|serialize|lock (wait )?timeout/i.test(String(error))) throw error
    }
  }
  await client.end()
  return done
}

async function storm(kind: Kind, clock: Clock): Promise<void> {
  const next = random(seed)
  const server = await kind.start()
  try {
    const setUp = await kind.connect(server.url)
    await setUp.query(kind.create)
    await setUp.end()
    const program = clock === 'programs' ? new Program(next) : undefined
    const project = await Project.create({
      'lake.ts': lake(kind.source, server.url, program?.lag ?? 0),
    })
    const until = Date.now() + SECONDS * 1000
    const writers = Array.from({ length: 6 }, (_, i) =>
      write(kind, server.url, until, next, i < 2, program),
    )
    const outcomes = { done: 0, failed: 0, killed: 0 }
    const said: string[] = []
    // On a slow machine no run may have been killed by then, or none have been let live.
    while (Date.now() < until || (said.length === 0 && (!outcomes.killed || !outcomes.done))) {
      const { died, code, output } = await runAndKill(project, next)
      if (code === 0) outcomes.done++
      else if (died) outcomes.killed++
      else {
        outcomes.failed++
        said.push(output)
      }
    }
    const changes = (await Promise.all(writers)).reduce((a, b) => a + b, 0)
    expect(said).toEqual([])
    const last = await project.cli('run')
    expect(last.code, last.stdout + last.stderr).toBe(0)
    const held = await project.query('SELECT id, amount, note FROM silver.orders ORDER BY id')
    const ours = held.map(({ id, amount, note }) => [id, amount, note])
    expect(ours).toEqual(await kind.rows(server.url))
    expect((await project.cli('verify', '--deep')).code).toBe(0)
    console.log(`seed ${seed}: ${changes} transactions, runs:`, outcomes)
    expect([outcomes.killed > 0, outcomes.done > 0]).toEqual([true, true])
  } finally {
    await server.stop()
  }
}

/** A run; two in three are killed at some point of their work, where they come to it. */
function runAndKill(project: Project, next: () => number): Promise<Ending> {
  const point = next() < 2 / 3 ? 1 + Math.floor(next() * POINTS) : NEVER
  const how = `${next() < 0.5 ? 'before' : 'after'}:${point}`
  return killed(project, join(project.folder, 'lake'), how)
}

withService('PostgreSQL', [postgresPrograms], () => {
  it.each<Clock>(['server', 'programs'])(
    'holds what the source holds, whoever commits late and whoever is killed: times by the %s',
    async (clock) => {
      await storm(postgres, clock)
    },
    (SECONDS + 1800) * 1000,
  )
})

withService('MariaDB', [mariadbProgram], () => {
  it.each<Clock>(['server', 'programs'])(
    'holds what the source holds, whoever commits late and whoever is killed: times by the %s',
    async (clock) => {
      await storm(mariadb, clock)
    },
    (SECONDS + 1800) * 1000,
  )
})
