import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { quoteName, quoteText } from '../../../define/sql/sql.js'
import type { RowValue, Session } from '../../../engine/engine.js'
import { openEngine } from '../../../engine/open.js'
import { MoraineError } from '../../../errors.js'
import { withQueryMemory } from '../../../query/budget.js'
import { engineType, typeOfEngine } from '../../../sql/trino/types.js'
import { scratchFolder } from '../../../storage/scratch.js'
import type { Storage } from '../../../storage/storage.js'
import type { RowsToWrite } from './lake-access.js'

/** Rows of an answer in a file of JSON lines, and the SQL that reads them with their types. */
export interface RowsFile {
  sql: string
  rows: number
}

/** Bytes of lines that the engine makes room for in any case. */
const SHORT = 2 ** 24

/** Memory of the engine that writes rows as Parquet. */
const MEMORY = 2 ** 29

/**
 * Gives the rows of an answer to a session of an engine that writes them. They are all read before
 * it has its part of the memory of queries.
 */
export async function withRowsFile<T>(
  answer: RowsToWrite['answer'],
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
      const done = await interruptible(session, signal, () => use(session))
      session.close()
      return done
    } finally {
      await engine.close()
    }
  })
}

/**
 * Work of a session, which is interrupted once it is to stop: whatever it begins after that, too.
 */
async function interruptible<T>(
  session: Session,
  signal: AbortSignal | undefined,
  work: () => Promise<T>,
): Promise<T> {
  let again: NodeJS.Timeout | undefined
  const stop = () => {
    session.interrupt()
    again ??= setInterval(() => session.interrupt(), AGAIN)
  }
  signal?.throwIfAborted()
  signal?.addEventListener('abort', stop)
  try {
    return await work()
  } catch (error) {
    // What was interrupted says so in the engine's words.
    signal?.throwIfAborted()
    throw error
  } finally {
    clearInterval(again)
    signal?.removeEventListener('abort', stop)
  }
}

/** Milliseconds between two interruptions. */
const AGAIN = 200

/** @throws MoraineError of kind `query` for columns that a table can't have. */
async function rowsToFile(answer: RowsToWrite['answer'], folder: string): Promise<RowsFile> {
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
  let longest = SHORT
  try {
    for await (const batch of answer.rows) {
      refuseMaps(answer, batch)
      rows += batch.length
      const lines = batch.map((row) => lineOf(row, types))
      for (const line of lines) longest = Math.max(longest, Buffer.byteLength(line))
      await file.appendFile(lines.join(''))
    }
  } finally {
    await file.close()
  }
  const columns = types.map((_, i) => `'c${i}': 'JSON'`).join(', ')
  const picked = names.map(
    (name, i) =>
      `CAST(${cellOf(`c${i}`, types[i] as string)} AS ${types[i]}) AS ${quoteName(name)}`,
  )
  const sql = `SELECT ${picked.join(', ')} FROM read_json(${quoteText(path)}, format = 'newline_delimited', columns = {${columns}}, maximum_object_size = ${longest})`
  return { sql, rows }
}

/** @throws MoraineError of kind `query` for a map: programs see it as one text. */
function refuseMaps({ columns }: RowsToWrite['answer'], rows: readonly RowValue[][]): void {
  for (const [i, { name, type }] of columns.entries())
    if (/\bMAP\(/.test(type) && rows.some((row) => row[i] !== null))
      throw new MoraineError(
        'query',
        `The column ${name} is a ${type}, and values of that are not written to tables here`,
        { hint: 'Leave it out, or write its entries as rows or as a text.' },
      )
}

/** Texts come out of their quotes; what has parts is cast as JSON. */
const cellOf = (column: string, type: string) =>
  /[[(]/.test(type) && !type.startsWith('DECIMAL') ? column : `${column} ->> '$'`

function lineOf(row: readonly RowValue[], types: readonly string[]): string {
  // Years of more than four digits have a sign, which the engine does not read.
  const isMoment = (value: RowValue, i: number): value is string =>
    typeof value === 'string' && /^(DATE|TIMESTAMP)/.test(types[i] ?? '')
  const cells = row.map((value, i) => (isMoment(value, i) ? value.replace(/^\+/, '') : value))
  const text = JSON.stringify(
    Object.fromEntries(cells.map((value, i) => [`c${i}`, value])),
    (_, value) => {
      if (typeof value === 'bigint') return String(value)
      // JSON of JavaScript has no sign of zero, and no numbers that are none.
      if (Object.is(value, -0)) return '-0'
      return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value
    },
  )
  return `${text}\n`
}
