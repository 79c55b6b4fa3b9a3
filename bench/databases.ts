import { spawnSync } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import mysql from 'mysql2/promise'
import pg from 'pg'
import { type Server, startMariadb, startPostgres } from '../test/support/servers.js'
import type { Contender } from './main.js'
import { measure } from './measure.js'
import { benchFolder, repository } from './tickit.js'

const ROWS = 5_000_000

const columns = `id bigint primary key, customer_id bigint, customer text, status text, amount numeric(12,2), quantity int,
  country text, notes text, created_at timestamptz, updated_at timestamptz`

/** Nothing of a server is left when the benchmark ends. */
function endWith({ data }: Server): void {
  process.on('exit', () => {
    spawnSync('pkill', ['-9', '-f', '--', data])
    spawnSync('rm', ['-rf', data])
  })
}

/**
 * 5,000,000 orders of PostgreSQL to committed bronze, beside a raw COPY of the same rows to a file,
 * or beside dlt (`--against connectorx`, `--against pyarrow`: its ways to read; DLT_PYTHON names a
 * Python that has it).
 */
export async function postgres(scale: number, against?: string): Promise<[Contender, Contender]> {
  const server = await startPostgres()
  endWith(server)
  const client = new pg.Client(server.url)
  await client.connect()
  await client.query(`CREATE TABLE orders (${columns})`)
  await client.query(
    `INSERT INTO orders SELECT i, i % 100000, 'customer ' || i % 100000, (ARRAY['paid','open','sent','gone'])[i % 4 + 1],
       (i % 100000) / 7.0, i % 20, (ARRAY['CH','DE','FR'])[i % 3 + 1], md5(i::text) || ' "quoted", and more' ,
       now() - i * interval '1 second', now() - i * interval '1 second' FROM generate_series(1, ${ROWS * scale}) i`,
  )
  await client.query('CREATE INDEX ON orders (updated_at)')
  await client.query('ANALYZE')
  await client.end()
  const folder = await benchFolder()
  const out = join(folder, 'raw.csv')
  const dlt = process.env.DLT_PYTHON ?? 'python3'
  const script = join(import.meta.dirname, 'orders_by_dlt.py')
  const raw = ['-X', '-q', server.url, '-c', `\\copy orders to '${out}' (format csv)`]
  return [
    await lake('postgres', server, folder),
    against === undefined
      ? { name: 'raw COPY to CSV', run: () => measure('psql', raw, {}) }
      : {
          name: `dlt with ${against}`,
          run: () => measure(dlt, [script, against, String(server.port), join(folder, 'dlt')], {}),
        },
  ]
}

/**
 * 5,000,000 orders of MariaDB to committed bronze, beside `mariadb --quick -B` of the same rows to
 * a file.
 */
export async function mariadb(scale: number): Promise<[Contender, Contender]> {
  const server = await startMariadb()
  endWith(server)
  const client = await mysql.createConnection(server.url)
  const types = columns
    .replaceAll('timestamptz', 'timestamp(6) null')
    .replaceAll('numeric', 'decimal')
  await client.query(`CREATE TABLE orders (${types})`)
  await client.query(
    `INSERT INTO orders SELECT seq, seq % 100000, concat('customer ', seq % 100000), elt(seq % 4 + 1, 'paid', 'open', 'sent', 'gone'),
       (seq % 100000) / 7, seq % 20, elt(seq % 3 + 1, 'CH', 'DE', 'FR'), concat(md5(seq), ' "quoted", and more'),
       now() - interval seq second, now() - interval seq second FROM seq_1_to_${ROWS * scale}`,
  )
  await client.query('CREATE INDEX by_time ON orders (updated_at)')
  await client.end()
  const folder = await benchFolder()
  const login = ['--no-defaults', '-h127.0.0.1', `-P${server.port}`, '-ushop', '-ps3cret']
  const raw = `mariadb ${login.join(' ')} --quick -B shop -e 'select * from orders' > ${join(folder, 'raw.txt')}`
  return [
    await lake('mysql', server, folder),
    { name: 'mariadb --quick -B', run: () => measure('bash', ['-c', raw], {}) },
  ]
}

async function lake(source: string, server: Server, folder: string): Promise<Contender> {
  const project = join(folder, 'project')
  await mkdir(project)
  await writeFile(
    join(project, 'lake.ts'),
    `import { bronze, defineLake, silver, t, z } from 'moraine'
import { ${source} } from 'moraine/sources'
const orders = silver('orders', {
  from: bronze('orders', { from: ${source}('${server.url}').table('orders', { key: 'id', cursor: 'updated_at' }) }),
  schema: z.object({
    id: t.bigint(), customer_id: t.bigint(), customer: t.string(), status: t.string(), amount: t.decimal(12, 2), quantity: t.int(),
    country: t.string(), notes: t.string(), created_at: t.timestamptz(), updated_at: t.timestamptz(),
  }),
  key: 'id', cursor: 'updated_at',
})
export default defineLake({ name: 'orders', datasets: [orders] })
`,
  )
  const args = [join(repository, 'bin/moraine.js'), '-C', project, 'run', 'bronze.orders']
  return {
    name: 'moraine run bronze.orders',
    run: async () => {
      await rm(join(project, 'lake'), { recursive: true, force: true })
      return measure(process.execPath, args, {})
    },
  }
}
