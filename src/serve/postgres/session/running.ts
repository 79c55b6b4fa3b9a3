import type { RowValue } from '../../../engine/engine.js'
import type { QueryAnswer } from '../../../query/service/request.js'
import type { RowFormat } from '../types/row-format.js'
import { write } from '../wire/write-message.js'
import type { Connection } from './connection.js'
import { pgErrorOf } from './errors.js'

/** A query whose rows are being read, all at once or some at a time. */
export class Running {
  private readonly batches: AsyncIterator<RowValue[][]>
  private batch: RowValue[][] = []
  private at = 0
  private isDone = false
  /** Rows that were sent. */
  sent = 0

  constructor(
    private readonly answer: QueryAnswer,
    private readonly stop: AbortController,
    private readonly about: { own: string | undefined; turn: () => () => void },
  ) {
    this.batches = answer.rows[Symbol.asyncIterator]()
  }

  get columns() {
    return this.answer.columns
  }

  /** The next row; `undefined` at the end. */
  async next(): Promise<RowValue[] | undefined> {
    while (this.at >= this.batch.length) {
      if (this.isDone) return undefined
      const found = await this.batches.next().catch((error) => {
        const { aborted, reason } = this.stop.signal
        throw pgErrorOf(aborted ? reason : error, this.about.own)
      })
      this.at = 0
      this.batch = found.done ? [] : found.value
      this.isDone = found.done === true
    }
    return this.batch[this.at++]
  }

  /**
   * Sends rows, as fast as the client takes them.
   *
   * @param most rows at most; 0 for all.
   * @returns whether there may be more.
   */
  async send(connection: Connection, format: RowFormat, most = 0): Promise<boolean> {
    return this.forClient(async () => {
      for (let count = 0; most === 0 || count < most; count++) {
        const row = await this.next()
        if (!row) return false
        connection.write(write.dataRow(format.row(row)))
        this.sent++
        if (connection.isFull) await connection.flush()
      }
      return true
    })
  }

  /** Does what the client waits for. */
  async forClient<T>(act: () => Promise<T>): Promise<T> {
    const end = this.about.turn()
    try {
      return await act()
    } finally {
      end()
    }
  }

  /** Ends the query, where its rows were not read to the end. */
  async close(): Promise<void> {
    if (!this.isDone) this.stop.abort()
    this.isDone = true
    await this.answer.close().catch(() => {})
  }
}
