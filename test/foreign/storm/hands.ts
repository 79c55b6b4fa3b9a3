import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { repository, temporaryFolder } from '../../support/project.js'
import { Trino } from '../../support/trino.js'
import { fromGuide } from '../engines/guide.js'
import { python, sparkJar } from '../readers.js'
import { TOKEN } from './catalogs.js'
import type { Action } from './deeds.js'
import { Helper } from './helper.js'
import { type Dialect, duckdb, spark, statementsOf, trino } from './sql.js'
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

/** A catalog of its own for each address, configured as the guide says. */
function catalogsAt(urls: readonly string[], title: string, blocks: readonly number[]) {
  return urls.map((url, i) => {
    const name = `lake${i}`
    const address = { url, token: TOKEN, example: '' }
    return { name, text: blocks.map((at) => fromGuide(title, at, name, address)).join('') }
  })
}

/** Spark, a session that all of these share. */
export async function sparkHands(urls: readonly string[]): Promise<Engine> {
  const catalogs = catalogsAt(urls, 'Spark', [0])
  const lines = catalogs.flatMap(({ text }) => text.trim().split('\n'))
  const properties = lines.map((line) => [
    line.slice(0, line.indexOf('=')),
    line.slice(line.indexOf('=') + 1),
  ])
  // Others write, too: what it remembers of tables would be old.
  for (const { name } of catalogs)
    properties.push([`spark.sql.catalog.${name}.cache-enabled`, 'false'])
  const file = join(await temporaryFolder(), 'spark.json')
  await writeFile(file, JSON.stringify(Object.fromEntries(properties)))
  const args = [script('storm_spark.py'), sparkJar as string, String(urls.length), file]
  const helper = new Helper(python as string, args, 'Spark')
  await helper.ready
  const can = [
    ...(['append', 'append', 'append', 'update', 'delete'] as const),
    ...(['create', 'rename', 'drop', 'replace', 'compact'] as const),
  ]
  const run = (sql: string[]) => helper.ask({ sql })
  const hands = catalogs.map(({ name }) => new SqlHand(can, spark(name), run))
  return { hands, stop: () => helper.stop() }
}

/** Trino, a server that all of these share. */
export async function trinoHands(urls: readonly string[]): Promise<Engine> {
  const catalogs = catalogsAt(urls, 'Trino', [0, 1])
  const server = await Trino.start(Object.fromEntries(catalogs.map((one) => [one.name, one.text])))
  onTestFinished(() => server.stop())
  const can = [
    ...(['append', 'append', 'append', 'update', 'delete'] as const),
    ...(['create', 'rename', 'drop', 'compact'] as const),
  ]
  const run = async (sql: string[]) => {
    for (const statement of sql) await server.run(statement)
  }
  const hands = catalogs.map(({ name }) => new SqlHand(can, trino(name), run))
  return { hands, stop: () => server.stop() }
}

/** Writers that share an engine. */
interface Engine {
  hands: Hand[]
  stop: () => unknown
}
