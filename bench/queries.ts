import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Table } from '../src/iceberg/table.js'
import { CommitLog } from '../src/log/log.js'
import { LocalStorage } from '../src/storage/local.js'
import { tpcdsQueries } from '../test/support/tpcds.js'
import type { Contender, Measure } from './main.js'
import { measure } from './measure.js'
import { benchFolder, repository } from './tickit.js'
import { tpcdsData } from './tpcds.js'

/**
 * The 99 queries of TPC-DS through `moraine query`, beside a script that asks DuckDB the same of
 * the same Parquet files. Their text comes from DuckDB's extension: DUCKDB_EXTENSIONS names its
 * folder.
 *
 * @param against `single`: each is a process; `together`: one process asks them one after the
 *   other.
 */
export async function queries(scale: number, against = 'single'): Promise<[Contender, Contender]> {
  const extensions = process.env.DUCKDB_EXTENSIONS
  if (!extensions) throw new Error('Set DUCKDB_EXTENSIONS to the folder with its tpcds extension')
  const data = await tpcdsData(scale)
  const folder = await benchFolder()
  const root = join(folder, 'lake')
  const bin = join(repository, 'bin/moraine.js')
  const lake = [bin, '-C', join(repository, 'examples/tpcds'), '--root', root]
  await measure(process.execPath, [...lake, 'run'], { TPCDS_DATA: data })
  const views = join(folder, 'views.sql')
  await writeFile(views, await viewsOf(root))
  const asked = await tpcdsQueries(extensions)
  const script = join(import.meta.dirname, 'tpcds/query-by-hand.mjs')
  if (against === 'together') {
    const files = asked.map((_, i) => join(folder, `${String(i + 1).padStart(2, '0')}.sql`))
    await Promise.all(files.map((file, i) => writeFile(file, asked[i] ?? '')))
    return [
      {
        name: 'moraine query --file',
        run: () => measure(process.execPath, [...lake, '--json', 'query', '--file', ...files], {}),
      },
      {
        name: 'script',
        run: () => measure(process.execPath, [script, ...asked], { VIEWS: views }),
      },
    ]
  }
  return [
    { name: 'moraine query', run: () => total(asked, (sql) => [...lake, 'query', sql]) },
    { name: 'script', run: () => total(asked, (sql) => [script, sql], { VIEWS: views }) },
  ]
}

async function total(
  asked: readonly string[],
  argsOf: (sql: string) => string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Measure> {
  const sum: Measure = { seconds: 0, cpu: 0, mebibytes: 0 }
  for (const sql of asked) {
    const one = await measure(process.execPath, argsOf(sql), env)
    sum.seconds += one.seconds
    sum.cpu += one.cpu
    sum.mebibytes = Math.max(sum.mebibytes, one.mebibytes)
  }
  return sum
}

async function viewsOf(root: string): Promise<string> {
  const storage = new LocalStorage(root)
  const { tables } = await new CommitLog(storage).head()
  const views = Object.entries(tables)
    .filter(([name]) => name.startsWith('silver.'))
    .map(async ([name, { metadata }]) => {
      const table = await Table.load(storage, metadata)
      const files = (await table.scan()).map((file) => join(root, table.pathOf(file.path)))
      const list = files.map((file) => `'${file.replaceAll("'", "''")}'`).join(', ')
      return `CREATE VIEW ${name} AS FROM read_parquet([${list}], hive_partitioning = false);`
    })
  return `CREATE SCHEMA silver;\n${(await Promise.all(views)).join('\n')}`
}
