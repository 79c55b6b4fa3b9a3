import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { quoteName, quoteText } from '../../../define/sql/sql.js'
import type { RowValue, Session } from '../../../engine/engine.js'
import { openEngine } from '../../../engine/open.js'
import { MoraineError } from '../../../errors.js'
import { withQueryMemory } from '../../../query/budget.js'
import type { QueryAnswer } from '../../../query/service/request.js'
import { engineType, typeOfEngine } from '../../../sql/trino/types.js'
import { scratchFolder } from '../../../storage/scratch.js'
import type { Storage } from '../../../storage/storage.js'

/** Rows of an answer in a file of JSON lines, and the SQL that reads them with their types. */
export interface RowsFile {
  sql: string
  rows: number
}

/** Memory of the engine that writes rows as Parquet. */
const MEMORY = 2 ** 29

/**
 * Gives the rows of an answer to a session of an engine that writes them. They are all read before
 * it has its part of the memory of queries.
 */
export async function withRowsFile<T>(
  answer: QueryAnswer,
  { staging, signal }: { staging: Storage['staging']; signal: AbortSignal | undefined },
  use: (session: Session, file: RowsFile, folder: string) => Promise<T>,
): Promise<T> {
  const folder = await scratchFolder('athena')
  try {
    const file = await rowsToFile(answer, folder)
    return await withEngine({ staging, signal }, (session) => use(session, file, folder))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Gives work a session of an engine that has its part of the memory of queries. */
export async function withEngine<T>(
  { staging, signal }: { staging: Storage['staging']; signal: AbortSignal | undefined },
  use: (session: Session) => Promise<T>,
): Promise<T> {
  return withQueryMemory(MEMORY, signal, async () => {
    const engine = await openEngine({
      memory: MEMORY,
      threads: 1,
      ...(staging ? { staging } : {}),
    })
    try {
      const session = await engine.open()
      const done = await use(session)
      session.close()
      return done
    } finally {
      await engine.close()
    }
  })
}

/** @throws MoraineError of kind `query` for columns that a table can't have. */
async function rowsToFile(answer: QueryAnswer, folder: string): Promise<RowsFile> {
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
