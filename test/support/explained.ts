import { expect } from 'vitest'
import type { LineContext } from '../../src/branch/why/lines.js'
import { explain, type TextRow, type Why, type WhyAsked } from '../../src/branch/why/why.js'
import { fullName } from '../../src/define/dataset.js'
import type { Lake } from '../../src/define/lake.js'
import type { Gold } from '../../src/define/model.js'
import { quoteName } from '../../src/define/sql/sql.js'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import type { Session } from '../../src/engine/engine.js'
import { CommitLog } from '../../src/log/log.js'
import { abortController } from '../../src/signals.js'
import { InThisThread } from '../../src/step/javascript.js'
import { Relations } from '../../src/step/relations.js'
import type { Storage } from '../../src/storage/storage.js'

/** A lake whose values can be asked about, with an engine of its own. */
export class Explained implements AsyncDisposable {
  private constructor(
    readonly lake: Lake,
    private readonly engine: DuckDB,
    readonly session: Session,
    readonly context: LineContext,
  ) {}

  static async open(lake: Lake, storage: Storage): Promise<Explained> {
    const engine = await DuckDB.start({ threads: 2 })
    const session = await engine.open()
    const state = await new CommitLog(storage).head()
    const context = {
      ...{ lake, storage, signal: abortController().signal, javascript: new InThisThread() },
      relations: new Relations(storage, state),
    }
    return new Explained(lake, engine, session, context)
  }

  /** The rows of a query as texts. */
  async texts(sql: string): Promise<TextRow[]> {
    const columns = await this.session.describe(sql)
    const shown = columns.map(({ name }, i) => `CAST(${quoteName(name)} AS VARCHAR) AS v${i}`)
    const rows = await this.session.rows(`SELECT ${shown} FROM (${sql}) ORDER BY ALL`)
    return rows.map((row) =>
      Object.fromEntries(columns.map(({ name }, i) => [name, (row[`v${i}`] ?? null) as string])),
    )
  }

  explain(asked: WhyAsked): Promise<Why> {
    return explain(this.context, this.session, asked)
  }

  /** A row of each gold dataset, explained as a whole and by one of its columns. */
  async explainGold(turn: number): Promise<{ asked: number; refused: string[] }> {
    const found = { asked: 0, refused: [] as string[] }
    for (const dataset of this.lake.datasets.filter((one): one is Gold => one.tier === 'gold')) {
      await this.context.relations.define(this.session, [dataset])
      const rows = await this.texts(`SELECT * FROM gold.${quoteName(dataset.name)}`)
      const row = rows[turn % rows.length] as TextRow
      const names = Object.keys(row)
      for (const column of [undefined, names[turn % names.length]]) {
        found.asked++
        try {
          const { origins } = await this.explain({ dataset, rows: [row], column, most: 1 })
          expect(origins.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThan(0)
          for (const { rows: shown, dataset: name } of origins)
            if (name.startsWith('silver.'))
              for (const { from } of shown)
                expect(from, `${name} of ${fullName(dataset)}`).not.toBeNull()
        } catch (error) {
          // A rank among all rows is made of all of them.
          expect((error as Error).message).toMatch(/has no PARTITION BY/)
          found.refused.push(`${dataset.name}.${column}`)
        }
      }
    }
    return found
  }

  async [Symbol.asyncDispose]() {
    this.session.close()
    await this.engine.close()
  }
}
