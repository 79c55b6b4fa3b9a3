import { spawnSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { startPostgres } from '../test/support/servers.js'
import type { Contender } from './main.js'
import { measure } from './measure.js'
import { benchFolder, repository } from './tickit.js'

const ROWS = 5_000_000

const columns = `id bigint, customer_id bigint, customer text, status text, amount numeric(12,2), quantity int,
  country text, note text, day date, created_at timestamp`

const lake = (url: string, rows: number) => `
import { bronze, defineLake, gold, sql, warehouse } from 'moraine'
import { files, postgres } from 'moraine/sources'

const one = bronze('one', { from: files('one.csv') })
const sales = gold('sales', {
  query: sql\`
    select i as id, i % 100000 as customer_id, 'customer ' || (i % 100000) as customer,
      case i % 4 when 0 then 'paid' when 1 then 'open' when 2 then 'sent' else 'gone' end as status,
      cast((i % 100000) / 7.0 as decimal(12, 2)) as amount, cast(i % 20 as integer) as quantity,
      case i % 3 when 0 then 'CH' when 1 then 'DE' else 'FR' end as country,
      md5(cast(i as varchar)) || ' "quoted", and more' as note,
      date '2020-01-01' + cast(i % 2000 as integer) as day,
      timestamp '2020-01-01 00:00:00.123456' + i * interval '1 second' as created_at
    from \${one}, unnest(range(1, ${rows + 1})) as r(i)\`,
})
export default defineLake({
  name: 'bench',
  datasets: [sales],
  exports: [
    warehouse(postgres('${url}'), { tables: [sales], schema: 'moraine', afterRuns: false }),
  ],
})
`

/**
 * 5,000,000 rows of gold to PostgreSQL by `moraine export --full`, recorded and compared, beside a
 * raw COPY of the same rows, which lie there as CSV, into a new table.
 */
export async function exporting(scale: number): Promise<[Contender, Contender]> {
  const server = await startPostgres()
  process.on('exit', () => {
    spawnSync('pkill', ['-9', '-f', '--', server.data])
    spawnSync('rm', ['-rf', server.data])
  })
  const folder = await benchFolder()
  const project = join(folder, 'project')
  await mkdir(project)
  await writeFile(join(project, 'lake.ts'), lake(server.url, ROWS * scale))
  await writeFile(join(project, 'package.json'), '{ "type": "module" }')
  await writeFile(join(project, 'one.csv'), 'a\n1\n')
  const command = [join(repository, 'bin/moraine.js'), '-C', project]
  await measure(process.execPath, [...command, 'run'], {})
  await measure(process.execPath, [...command, 'export'], {})
  const csv = join(folder, 'rows.csv')
  const psql = ['-X', '-q', '-v', 'ON_ERROR_STOP=1', server.url]
  await measure('psql', [...psql, '-c', `\\copy moraine.sales to '${csv}' (format csv)`], {})
  const copied = `BEGIN;\nDROP TABLE IF EXISTS raw;\nCREATE TABLE raw (${columns});\n\\copy raw from '${csv}' (format csv)\nCOMMIT;\n`
  await writeFile(join(folder, 'raw.sql'), copied)
  const client = new pg.Client(server.url)
  await client.connect()
  // What one has written is no burden to the other.
  const settled = () => client.query('CHECKPOINT')
  return [
    {
      name: 'moraine export --full',
      run: async () => {
        await settled()
        return measure(process.execPath, [...command, 'export', '--full'], {})
      },
      close: () => client.end(),
    },
    {
      name: 'raw COPY from CSV',
      run: async () => {
        await settled()
        return measure('psql', [...psql, '-f', join(folder, 'raw.sql')], {})
      },
    },
  ]
}
