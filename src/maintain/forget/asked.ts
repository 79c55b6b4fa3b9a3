import { fullName } from '../../define/dataset.js'
import type { Silver } from '../../define/model.js'
import { quoteName, quoteText } from '../../define/sql/sql.js'
import type { ColumnType } from '../../define/types/column-type.js'
import { fieldsOfShape } from '../../define/types/schema.js'
import { count } from '../../engine/count.js'
import type { Relation, Session } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'
import { decode, isText } from '../../quality/grammar.js'
import { isNumeric } from '../../quality/numbers.js'
import { proveExpressions } from '../../sql/expression.js'
import { proveSelect } from '../../sql/guard.js'
import { type Fragment, inFragments } from '../../sql/pointer.js'
import type { Asked } from './options.js'

/** The columns that rows of a dataset can be found by. */
export const identifying = ({ key, identifies }: Silver): string[] => [
  ...new Set([...key, ...identifies]),
]

/**
 * The keys that are asked about, each once.
 *
 * @param rows SQL for all rows that may have them.
 * @throws MoraineError of kind `usage` for what can't be a key, and for conditions on other
 *   columns.
 */
export async function keysAsked(
  session: Session,
  { dataset, key, where }: Asked,
  rows: readonly string[],
): Promise<Relation> {
  const names = dataset.key.map(quoteName).join(', ')
  if (where !== undefined) {
    await checkCondition(session, dataset, where)
    const found = rows.map((sql) => `SELECT ${names} FROM (${sql}) AS r WHERE (${where}\n)`)
    return session.materialize(found.join('\nUNION\n'))
  }
  const values = dataset.key.map((column) => {
    const value = keyValue(session, key?.[column] ?? '', typeOf(dataset, column))
    return `${value} AS ${quoteName(column)}`
  })
  const found = await session.materialize(`SELECT ${values.join(', ')}`)
  const none = dataset.key.map((column) => `${quoteName(column)} IS NULL`).join(' OR ')
  const n = await count(session, `SELECT count(*) AS n FROM ${found.sql} WHERE ${none}`)
  if (n === 0) return found
  const given = dataset.key.map((column) => `${column}=${key?.[column]}`).join(', ')
  throw new MoraineError('usage', `${given} is not a key of ${fullName(dataset)}`, {
    hint: 'Write the value as it is in the table. Nothing was changed.',
  })
}

/**
 * SQL for the value that a text is, by what silver takes for one, or NULL: a cast alone would make
 * somebody else's key of `1.6` or `0x3`.
 */
function keyValue({ dialect }: Session, text: string, type: ColumnType): string {
  const value = decode(quoteText(text), type, dialect)
  if (isText(type)) return value
  if (text !== text.trim()) return `CASE WHEN false THEN ${value} END`
  if (isNumeric(type) || ['boolean', 'date', 'timestamp', 'timestamptz'].includes(type.kind))
    return value
  return `CASE WHEN ${dialect.values.text(value)} = ${quoteText(text)} THEN ${value} END`
}

/** The type of a dataset's column. */
export const typeOf = (dataset: Silver, column: string): ColumnType =>
  fieldsOfShape(dataset.schema.shape as never).find(({ name }) => name === column)
    ?.type as ColumnType

/** Conditions look at columns that are declared, and at nothing else. */
async function checkCondition(session: Session, dataset: Silver, where: string): Promise<void> {
  const table = `silver.${quoteName(dataset.name)}`
  const before = `SELECT 1 FROM ${table} WHERE (`
  const sql = `${before}${where}\n)`
  const { tables, nodes } = proved(await session.parser.tree(sql), sql, {
    text: where,
    at: before.length,
  })
  await proveExpressions(session.parser, [where])
  const known = identifying(dataset).map((name) => name.toLowerCase())
  const other = nodes
    .filter((node) => node.class === 'COLUMN_REF')
    .map((node) => String((node.column_names as string[]).at(-1)))
    .find((name) => !known.includes(name.toLowerCase()))
  if (other !== undefined)
    throw new MoraineError(
      'usage',
      `--where may look at ${identifying(dataset).join(', ')}, not at ${other}`,
      {
        hint: `If ${other} tells whose a row of ${fullName(dataset)} is, add it to lake.ts: identifies: ['${other}']`,
      },
    )
  if (tables.length > 1)
    throw new MoraineError('usage', '--where may not look into other tables', {
      hint: `Write a condition on ${identifying(dataset).join(', ')}.`,
    })
}

/** What is wrong with a condition is shown in its own text. */
function proved(tree: string, sql: string, condition: Fragment) {
  try {
    return proveSelect(tree, sql)
  } catch (error) {
    throw inFragments(error, sql, [condition])
  }
}
