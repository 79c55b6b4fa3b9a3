import { quoteName, quoteText } from '../../define/sql/sql.js'
import { type FileReading, type IngestedFile, keepRows, textOf } from '../files/ingested.js'
import type { Inspection } from '../files/inspect.js'
import { byteOf, ESCAPE, headerRowsOf, isTerminated, SEPARATOR } from '../text/canonical.js'
import { columnsOf, readHeader, readRecords } from '../text/header.js'
import type { TextRecord } from '../text/records.js'
import { ingestCarefully } from './careful.js'

/**
 * Reads a text between delimiters. Plain ones go through the engine's own reader; all others, and
 * those with records that do not fit, are read carefully.
 */
export async function ingestDelimited(reading: FileReading): Promise<IngestedFile> {
  const plain = reading.inspection.plain ? await ingestPlain(reading) : undefined
  return plain ?? (await ingestCarefully(reading))
}

/** `undefined` when the engine finds records that do not fit, or another number of them. */
async function ingestPlain(reading: FileReading): Promise<IngestedFile | undefined> {
  const { file, source, inspection } = reading
  const { footer = 0, comment } = source
  if (footer > 0 || comment !== undefined) return undefined
  const header = source.header ? await readHeader(file, source, inspection) : []
  const { columns, outside } = columnsOf(source, header, file)
  const ingested = inspection.quotes
    ? await ingestText(reading, columns)
    : await ingestUnquoted(reading, columns, header[0])
  return ingested && { ...ingested, ...outside }
}

async function ingestUnquoted(
  reading: FileReading,
  columns: readonly string[],
  header: TextRecord | undefined,
): Promise<IngestedFile | undefined> {
  const ingested = await ingestValues(reading, columns)
  if (ingested) return ingested
  const wide = columns.length > WIDE && (await ingestText(reading, columns))
  return wide || ingestLines(reading, columns, header)
}

/** Columns from which on the engine's own reader is much quicker than to split lines by SQL. */
const WIDE = 256

/** By the engine's own reader of delimited text. */
async function ingestText(
  reading: FileReading,
  columns: readonly string[],
): Promise<IngestedFile | undefined> {
  const { file, source, inspection, target } = reading
  const { delimiter, quote, skip: before = 0 } = source
  const skip = before + headerRowsOf(source)
  // The engine counts lines before the records as it counts records.
  const isUsual = byteOf(delimiter) !== undefined && source.escape === undefined
  const quoted = inspection.quotes
  if (quoted && quote === null) return undefined
  if (!isUsual || before > 0 || skip > 1) return undefined
  const others = source.nulls.filter((text) => text !== '')
  // Only unquoted texts stand for NULL; once they are read, the two can't be told apart.
  if (others.length > 0) return undefined
  // The engine lets further fields pass that begin like a text for NULL, so it is told none but
  // the empty one, or one that no plain file holds.
  const nulls = source.nulls.includes('') ? [''] : [SEPARATOR]
  const text = target.session.files.text(textOf(file), {
    columns,
    delimiter,
    quote: quoted ? quote : null,
    nulls,
    skip,
    longest: inspection.longest,
  })
  return tryRecords(reading, { text, columns, skip })
}

/** The records of a text, behind so many lines. */
interface Records {
  text: string
  columns: readonly string[]
  skip: number
  /** Columns that are values already. */
  values?: Inspection['values']
}

/**
 * `undefined` when the engine finds records that do not fit, or another number of them than there
 * are lines.
 */
async function tryRecords(
  { file, inspection: { lines }, target }: FileReading,
  { text, columns, skip, values }: Records,
): Promise<IngestedFile | undefined> {
  const about = { columns, rows: lines - skip, firstLine: skip + 1 }
  const rows = { relation: text, clean: true, ...about, ...(values ? { exact: values } : {}) }
  try {
    return await keepRows(file, rows, target)
  } catch (error) {
    if (/CSV Error|Invalid Input|Conversion Error/i.test((error as Error).message)) return undefined
    throw error
  }
}

/**
 * Where it is known that fields are just what values are written as, the engine reads them as
 * values, and that they give their texts back need not be proved. `undefined` where there are none,
 * or the engine can't read one after all: a day that its month does not have.
 */
async function ingestValues(
  reading: FileReading,
  columns: readonly string[],
): Promise<IngestedFile | undefined> {
  const { file, source, inspection, target } = reading
  const { longest, values } = inspection
  if (!values || values.size === 0) return undefined
  const { delimiter } = source
  const skip = (source.skip ?? 0) + headerRowsOf(source)
  const layout = { columns, delimiter, quote: null, nulls: [''], skip, longest }
  const text = target.session.files.text(textOf(file), { ...layout, types: values })
  return tryRecords(reading, { text, columns, skip, values })
}

/**
 * Without quotes a line is a record, and splitting it is all there is to do: the engine does it,
 * and keeps lines that do not fit whole. `undefined` when no line fits, which is for the careful
 * way to tell.
 */
async function ingestLines(
  { file, source, inspection, target }: FileReading,
  columns: readonly string[],
  header: TextRecord | undefined,
): Promise<IngestedFile | undefined> {
  const { delimiter, nulls } = source
  const skip = (source.skip ?? 0) + headerRowsOf(source)
  const { longest } = inspection
  // Neither of the two control characters is in a plain file.
  const text = target.session.files.text(textOf(file), {
    columns: ['line'],
    delimiter: SEPARATOR,
    quote: null,
    nulls: [ESCAPE],
    skip,
    longest,
  })
  const n = columns.length
  const values = columns.map((name, i) => {
    const value = nulls.reduce((sql, text) => `nullif(${sql}, ${quoteText(text)})`, `g[${i + 1}]`)
    return `${value} AS ${quoteName(name)}`
  })
  // Delimiters at the end of a line make no further fields.
  const fits = `len(f) = ${n} OR (len(f) > ${n} AND array_to_string(f[${n + 1}:], '') = '')`
  const first = header ?? (await readRecords(file, source, inspection, 1))[0]
  const counted = first && isTerminated(first) ? 'len(f) > 1' : `len(f) > ${n}`
  const fields = `(len(f) - CASE WHEN ${counted} AND f[-1] = '' THEN 1 ELSE 0 END)`
  const error = `concat(${fields}, CASE WHEN ${fields} = 1 THEN ' field' ELSE ' fields' END, ' instead of ${n}')`
  const relation = `(SELECT CASE WHEN NOT fits THEN ${error} END AS _error, CASE WHEN NOT fits THEN line END AS _raw,
    ${values.join(', ')}
    FROM (SELECT *, CASE WHEN fits THEN f END AS g FROM (SELECT *, ${fits} AS fits FROM (SELECT line, string_split(line, ${quoteText(delimiter)}) AS f FROM ${text}))))`
  const rows = inspection.lines - skip
  const kept = await keepRows(file, { relation, columns, rows, firstLine: skip + 1 }, target)
  return kept && kept.rows > 0 && kept.broken === kept.rows ? undefined : kept
}
