import { quoteName, quoteText } from '../../define/sql/sql.js'
import type { Session } from '../../engine/engine.js'
import { MoraineError, messageOf } from '../../errors.js'
import { type FileReading, type IngestedFile, keepRows, textOf } from '../files/ingested.js'
import type { SourceFile } from '../files/source-file.js'
import { namesOfTable } from '../text/columns.js'
import { distinctNames, type Key, keysInOrder, outsideOfTable } from '../text/names.js'
import { nestedJson } from './nested-json.js'

/** Types of which every value has one text, which gives it back. */
const EXACT = /^(TINYINT|SMALLINT|INTEGER|BIGINT|DECIMAL\(\d+,\d+\)|DATE|TIMESTAMP)$/

/**
 * Writes the rows of a file of Parquet, which is a table already. Values become texts, lists and
 * structs JSON.
 */
export async function ingestTable({ file, source, target }: FileReading): Promise<IngestedFile> {
  const { session, requested, large } = target
  const relation = session.files.parquet(textOf(file))
  const found = await session.describe(`SELECT * FROM ${relation}`).catch((cause) => {
    throw new MoraineError('source', `${file.name} can't be read: ${messageOf(cause)}`, {
      cause,
      hint: 'Is it complete, and in the declared format?',
    })
  })
  const exact = new Map<string, string>()
  const keys = await keysOf(file, session, found)
  const names = namesOfTable(distinctNames(keys), source, file)
  const texts = found.map(({ name, sqlType }, i) => {
    const as = names[i] as string
    if (large && EXACT.test(sqlType) && requested.get(as.toLowerCase()) === sqlType) {
      exact.set(as, sqlType)
      return `${quoteName(name)} AS ${quoteName(as)}`
    }
    return `${textSql(quoteName(name), sqlType)} AS ${quoteName(as)}`
  })
  const rows = `(SELECT ${texts.join(', ')} FROM ${relation})`
  const kept = (await keepRows(
    file,
    { relation: rows, clean: true, columns: names, exact, firstLine: 1 },
    target,
  ).catch(async (cause) => {
    target.signal?.throwIfAborted()
    throw (await damageOf(file, session, relation)) ?? cause
  })) as IngestedFile
  return { ...kept, ...outsideOfTable(names, keys) }
}

/** What says nothing of a file's own bytes. */
const ELSEWHERE =
  /out of memory|no space left|interrupt|could not|cannot open|permission|invalidated/i

/**
 * Why a file can't be read whose footer can: a page of it is damaged. `undefined` where the fault
 * is not its own.
 */
async function damageOf(
  file: SourceFile,
  session: Session,
  relation: string,
): Promise<MoraineError | undefined> {
  // All of its values are read once more, and nothing is written.
  const found = await session.rows(`SELECT bit_xor(hash(t)) FROM ${relation} t`).then(
    () => undefined,
    (error) => error,
  )
  if (found === undefined || ELSEWHERE.test(messageOf(found))) return undefined
  return new MoraineError('source', `${file.name} can't be read: ${messageOf(found)}`, {
    hint: 'Nothing was ingested from it. It is damaged: download it again.',
  })
}

/**
 * What columns are called in the file: the engine gives those a number that it can't tell apart.
 */
async function keysOf(
  file: SourceFile,
  session: Session,
  found: readonly { name: string }[],
): Promise<Key[]> {
  const numbered = found.some(({ name }) => /_\d+$/.test(name))
  if (!numbered) return found.map(({ name }) => [name, 0])
  const fields = await session.rows(
    `SELECT name, coalesce(num_children, 0) AS inner FROM parquet_schema(${quoteText(textOf(file))})`,
  )
  const names: string[] = []
  // The root comes first, and what is inside of a column after it.
  let skip = 0
  for (const { name, inner } of fields.slice(1)) {
    if (skip === 0) names.push(String(name))
    else skip--
    skip += Number(inner)
  }
  return keysInOrder(names)
}

function textSql(column: string, type: string): string {
  if (type === 'BLOB')
    return `CASE WHEN ${column} IS NOT NULL THEN ${quoteText('\\x')} || lower(hex(${column})) END`
  if (/\[\d*\]$|^STRUCT|^MAP/.test(type)) return nestedJson(column, type)
  return `CAST(${column} AS VARCHAR)`
}
