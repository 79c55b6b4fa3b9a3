import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { quoteName, quoteText } from '../../../define/sql/sql.js'
import type { RowValue } from '../../../engine/engine.js'
import { MoraineError } from '../../../errors.js'
import type { QueryAnswer } from '../../../query/service/request.js'
import { engineType, typeOfEngine } from '../../../sql/trino/types.js'

/** Rows of an answer in a file of JSON lines, and the SQL that reads them with their types. */
export interface RowsFile {
  sql: string
  rows: number
}

/** @throws MoraineError of kind `query` for columns that a table can't have. */
export async function rowsToFile(answer: QueryAnswer, folder: string): Promise<RowsFile> {
  const names = answer.columns.map(({ name }) => name.toLowerCase())
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined)
    throw new MoraineError('query', `Column name '${twice}' specified more than once`, {
      hint: 'Give each column a name: … AS name',
    })
  const types = answer.columns.map(({ name, type }) => {
    const found = typeOfEngine(type)
    const engine = found && engineType(found)
    if (engine === undefined || type.includes('BLOB'))
      throw new MoraineError(
        'query',
        `The column ${name} is a ${type}, which is not written to tables here`,
        { hint: 'Cast it.' },
      )
    return engine
  })
  const path = join(folder, 'rows.jsonl')
  const file = await open(path, 'wx', 0o600)
  let rows = 0
  try {
    for await (const batch of answer.rows) {
      rows += batch.length
      await file.write(batch.map((row) => lineOf(row)).join(''))
    }
  } finally {
    await file.close()
  }
  const columns = types.map((_, i) => `'c${i}': 'JSON'`).join(', ')
  const picked = names.map(
    (name, i) =>
      `CAST(${cellOf(`c${i}`, types[i] as string)} AS ${types[i]}) AS ${quoteName(name)}`,
  )
  const sql = `SELECT ${picked.join(', ')} FROM read_json(${quoteText(path)}, format = 'newline_delimited', columns = {${columns}}, maximum_object_size = 16777216)`
  return { sql, rows }
}

/** Texts come out of their quotes; what has parts is cast as JSON. */
const cellOf = (column: string, type: string) =>
  /[[(]/.test(type) && !type.startsWith('DECIMAL') ? column : `${column} ->> '$'`

function lineOf(row: readonly RowValue[]): string {
  const text = JSON.stringify(
    Object.fromEntries(row.map((value, i) => [`c${i}`, value])),
    (_, value) => {
      if (typeof value === 'bigint') return String(value)
      return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
    },
  )
  return `${text}\n`
}
