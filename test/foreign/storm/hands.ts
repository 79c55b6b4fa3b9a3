import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { repository, temporaryFolder } from '../../support/project.js'
import { python, sparkJar } from '../readers.js'
import { TOKEN } from './catalogs.js'
import type { Action } from './deeds.js'
import { Helper } from './helper.js'
import { type Dialect, duckdb, spark, statementsOf } from './sql.js'
import type { Hand } from './writer.js'

const script = (name: string) => join(repository, 'test/foreign/storm', name)

/** PyIceberg, a process of its own. */
export class PyicebergHand implements Hand {
  readonly can = [
    ...(['append', 'append', 'append', 'update', 'delete'] as const),
    ...(['create', 'rename', 'drop', 'replace'] as const),
  ]
  readonly createsEmpty = true
  readonly helper: Helper

  constructor(url: string) {
    this.helper = new Helper(
      python as string,
      [script('storm_pyiceberg.py'), url, TOKEN],
      'PyIceberg',
    )
  }

  async perform(action: Action): Promise<void> {
    await this.helper.ask({ action })
  }

  ask<T>(way: 'tag' | 'read' | 'names' | 'tagged' | 'trespass', ...args: string[]): Promise<T> {
    return this.helper.ask({ way, arguments: args })
  }
}

/** Whoever speaks SQL. */
class SqlHand implements Hand {
  readonly createsEmpty = false

  constructor(
    readonly can: Hand['can'],
    private readonly dialect: Dialect,
    private readonly run: (statements: string[]) => Promise<unknown>,
  ) {}

  async perform(action: Action): Promise<void> {
    await this.run(statementsOf(action, this.dialect))
  }
}

/** DuckDB, a process of its own. */
export function duckdbHand(url: string): Hand & { helper: Helper } {
  const args = [script('storm-duckdb.mjs'), process.env.DUCKDB_EXTENSIONS as string, url, TOKEN]
  const helper = new Helper(process.execPath, args, 'DuckDB')
  const can = [
    ...(['append', 'append', 'append', 'update', 'delete'] as const),
    ...(['create', 'drop', 'together'] as const),
  ]
  const hand = new SqlHand(can, duckdb, (sql) => helper.ask({ sql }))
  return Object.assign(hand, { helper })
}

/** Spark, a session that all of these share; each has a catalog of its own, with its address. */
export async function sparkHands(
  urls: readonly string[],
): Promise<{ hands: Hand[]; helper: Helper }> {
  const names = urls.map((_, i) => `lake${i}`)
  const settings = names.flatMap((name, i) => {
    const at = `spark.sql.catalog.${name}`
    return [
      [at, 'org.apache.iceberg.spark.SparkCatalog'],
      [`${at}.type`, 'rest'],
      [`${at}.uri`, urls[i]],
      [`${at}.token`, TOKEN],
      [`${at}.cache-enabled`, 'false'],
    ]
  })
  const file = join(await temporaryFolder(), 'spark.json')
  const extensions = 'org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions'
  const properties = { 'spark.sql.extensions': extensions, ...Object.fromEntries(settings) }
  await writeFile(file, JSON.stringify(properties))
  const args = [script('storm_spark.py'), sparkJar as string, String(urls.length), file]
  const helper = new Helper(python as string, args, 'Spark')
  const can = [
    ...(['append', 'append', 'append', 'update', 'delete'] as const),
    ...(['create', 'rename', 'drop', 'replace', 'compact'] as const),
  ]
  const hands = names.map((name) => new SqlHand(can, spark(name), (sql) => helper.ask({ sql })))
  return { hands, helper }
}
