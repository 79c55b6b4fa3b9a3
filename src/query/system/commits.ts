import type { Commit } from '../../log/commit.js'
import { isQueried } from '../../sql/guard.js'
import { numbersOf } from './conditions.js'
import {
  checkRecords,
  columnsOf,
  readAll,
  type SystemRow,
  type SystemTable,
} from './system-table.js'

/** Bytes that a commit has, more or less. */
const RECORD = 2048

/** `system.commits`: the log up to the commit that is asked. */
export const commitsTable: SystemTable = {
  columns: columnsOf({
    number: 'bigint',
    id: 'string',
    time: 'timestamp',
    author: 'string',
    run: 'string',
    message: 'string',
    program: 'string',
    tables: ['string'],
    batches: ['string'],
    rollback: 'bigint',
  }),
  async plan({ state, log, goesOn }, conditions) {
    const { low, high } = numbersOf(conditions, 'number')
    const first = Math.max(1, low)
    const count = Math.max(0, Math.min(state.number, high) - first + 1)
    checkRecords(count, 'system.commits', `number > ${state.number - 1000}`)
    const numbers = Array.from({ length: count }, (_, i) => first + i)
    return {
      bytes: count * RECORD,
      async *rows() {
        for await (const entry of readAll(numbers, (number) => log.entry(number), goesOn))
          yield rowOf(entry.commit)
      },
    }
  },
}

function rowOf({ number, id, time, author, run, message, program, changes }: Commit): SystemRow {
  const { tables = {}, views = {}, external, batches = [], rollback } = changes
  const relations = Object.keys(external?.relations ?? {}).map((key) => key.replaceAll('\x1f', '.'))
  return {
    ...{ number, id, time, author, run, message, program, rollback },
    tables: [...[...Object.keys(tables), ...Object.keys(views)].filter(isQueried), ...relations],
    batches: batches.map(({ batch }) => batch),
  }
}
