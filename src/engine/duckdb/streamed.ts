import type {
  DuckDBConnection,
  DuckDBDataChunk,
  DuckDBPreparedStatement,
  DuckDBResult,
} from '@duckdb/node-api'
import { messageOf } from '../../errors.js'
import { ResultReturnType } from './driver.js'

type Bind = (statement: DuckDBPreparedStatement) => void

/**
 * A result whose rows come as they are computed. The driver ends one whose query has failed
 * meanwhile as it ends any other: only the result's type says so then, and nothing says why.
 */
export class Streamed {
  private constructor(
    private readonly connection: DuckDBConnection,
    private readonly sql: string,
    private readonly bind: Bind,
    readonly result: DuckDBResult,
  ) {}

  /** Several statements are refused: nothing runs but what was asked for. */
  static async open(
    connection: DuckDBConnection,
    sql: string,
    bind: Bind = () => {},
  ): Promise<Streamed> {
    const statement = await connection.prepare(sql)
    try {
      bind(statement)
      return new Streamed(connection, sql, bind, await statement.stream())
    } finally {
      statement.destroySync()
    }
  }

  /**
   * The next rows, some thousand; `undefined` behind the last.
   *
   * @throws where the query has failed, which some of its rows may have come before.
   */
  async next(): Promise<DuckDBDataChunk | undefined> {
    const chunk = await this.result.fetchChunk()
    if (chunk && chunk.rowCount > 0) return chunk
    if (this.result.returnType === ResultReturnType.INVALID) throw await this.failure()
    return undefined
  }

  /** Why it failed: it runs once more, and keeps no rows. */
  private async failure(): Promise<Error> {
    try {
      const again = await this.connection.prepare(`${AGAIN}${this.sql}`)
      try {
        this.bind(again)
        await again.run()
      } finally {
        again.destroySync()
      }
    } catch (cause) {
      return new Error(atOwnLine(messageOf(cause)), { cause })
    }
    return new Error('It failed after its first rows, and succeeded when it was run again')
  }
}

const AGAIN = 'EXPLAIN ANALYZE\n'

/** A message without the line that was put before. */
const atOwnLine = (message: string) =>
  message.replace(/\nLINE (\d+): (.*)\n( *)\^/, (_, line: string, text: string, space: string) => {
    const own = String(Number(line) - 1)
    return `\nLINE ${own}: ${text}\n${space.slice(line.length - own.length)}^`
  })
