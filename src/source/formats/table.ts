import type { FilesSource } from '../../define/source.js'
import { quoteName, quoteText } from '../../define/sql.js'
import { MoraineError, messageOf } from '../../errors.js'
import { namesOfTable } from '../columns.js'
import type { SourceFile } from '../discover.js'
import type { Inspection } from '../inspect.js'
import { keepRows, type TakenFile, type Target, textOf } from '../taken.js'
import { nestedJson } from './nested-json.js'
import { columnName } from './take-json.js'

/** Types of which every value has one text, which gives it back. */
const EXACT = /^(TINYINT|SMALLINT|INTEGER|BIGINT|DECIMAL\(\d+,\d+\)|DATE|TIMESTAMP)$/

/** Writes the rows of a file of Parquet, which is a table already. Values become texts, lists and structs JSON. */
export async function takeTable(
  file: SourceFile,
  source: FilesSource,
  _: Inspection,
  target: Target,
): Promise<TakenFile> {
  const { session, wanted, large } = target
  const relation = session.parquet(textOf(file))
  const found = await session.describe(`SELECT * FROM ${relation}`).catch((cause) => {
    throw new MoraineError('source', `${file.name} can't be read: ${messageOf(cause)}`, {
      cause,
      hint: 'Is it complete, and of the format that its source says?',
    })
  })
  const exact = new Map<string, string>()
  const names = namesOfTable(
    found.map(({ name }) => columnName(name)),
    source,
    file,
  )
  const texts = found.map(({ name, sqlType }, i) => {
    const as = names[i] as string
    if (large && EXACT.test(sqlType) && wanted.get(as.toLowerCase()) === sqlType) {
      exact.set(as, sqlType)
      return `${quoteName(name)} AS ${quoteName(as)}`
    }
    return `${textSql(quoteName(name), sqlType)} AS ${quoteName(as)}`
  })
  const rows = `(SELECT ${texts.join(', ')} FROM ${relation})`
  return (await keepRows(
    file,
    { relation: rows, sound: true, columns: names, exact, firstLine: 1 },
    target,
  )) as TakenFile
}

function textSql(column: string, type: string): string {
  if (type === 'BLOB')
    return `CASE WHEN ${column} IS NOT NULL THEN ${quoteText('\\x')} || lower(hex(${column})) END`
  if (/\[\d*\]$|^STRUCT|^MAP/.test(type)) return nestedJson(column, type)
  return `CAST(${column} AS VARCHAR)`
}
