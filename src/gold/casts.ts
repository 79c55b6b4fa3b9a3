import { fullName } from '../define/dataset.js'
import type { Gold } from '../define/model.js'
import { quoteName, quoteText, renderSql } from '../define/sql/sql.js'
import { type Field, typeName } from '../define/types/column-type.js'
import type { ResultColumn, Session } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import { exactCast, fitOf, isUnrounded } from '../plan/exact.js'
import type { Dialect } from '../sql/dialect.js'
import { atUserSql } from '../step/sql-errors.js'

/** A gold dataset's columns, and what its query gives for each. */
export interface GoldColumns {
  fields: readonly Field[]
  found: readonly ResultColumn[]
}

const MARK = 'moraine-does-not-fit'
/** Columns of a row that a message shows. */
const SHOWN = 4
const LONGEST = 60

/**
 * Refuses declared types that would round what the query gives, as far as types prove it: fewer
 * digits after the point, a fraction that is not rounded.
 *
 * @throws MoraineError of kind `definition`.
 */
export async function refuseRounding(
  session: Session,
  dataset: Gold,
  { fields, found }: GoldColumns,
): Promise<void> {
  const candidates = fields.flatMap((field) => {
    const given = found.find(({ name }) => name === field.name)
    return given && fitOf(given.sqlType, field.type) === 'rounds' ? [{ field, given }] : []
  })
  if (candidates.length === 0) return
  const tree = await session.parser.tree(renderSql(dataset.query))
  const isExact = ({ given }: (typeof candidates)[number]) => given.sqlType.startsWith('DECIMAL')
  const wrong = candidates.filter((one) => isExact(one) || isUnrounded(tree, one.field.name))
  const [first, ...others] = wrong
  if (!first) return
  const { field, given } = first
  const gives = isExact(first)
    ? typeName(given.type)
    : `a ${given.sqlType.toLowerCase()} without rounding`
  const also = others.map((one) => `'${one.field.name}'`).join(', ')
  throw new MoraineError(
    'definition',
    `${fullName(dataset)}: '${field.name}' is declared as ${typeName(field.type)}, but the query returns ${gives}`,
    {
      place: dataset.place && { ...dataset.place, near: `${field.name}:` },
      hint: `${roundingHint(field)}${also ? `. The same applies to ${also}` : ''}`,
    },
  )
}

function roundingHint({ name, type }: Field): string {
  const scale = type.kind === 'decimal' ? type.scale : 0
  return `Round it in the SQL: round(…, ${scale}) AS ${name}; or declare a wider type`
}

/** SQL for the rows of a query as the columns' types, which fails where one can't hold a value. */
export function castRows({ fields, found }: GoldColumns, query: string, dialect: Dialect): string {
  const { json, texts, values } = dialect
  const casts = fields.map((field) => {
    const name = quoteName(field.name)
    const given = found.find((column) => column.name === field.name)
    const said = json.object([
      ['column', quoteText(field.name)],
      ['value', texts.first(values.text(name), LONGEST)],
      ['row', rowOf(fields, field, dialect)],
    ])
    const errorText = `${quoteText(MARK)} || ${said}`
    return `${exactCast(name, given?.sqlType ?? '', field.type, errorText, dialect)} AS ${name}`
  })
  return `SELECT ${casts.join(', ')} FROM (\n${query}\n)`
}

/** SQL for the beginning of a row, as a text. */
function rowOf(fields: readonly Field[], field: Field, { texts, values }: Dialect): string {
  const others = fields.filter((one) => one !== field).slice(0, SHOWN)
  const shown = others.map(
    ({ name }) =>
      `${quoteText(`${name} = `)} || coalesce(${texts.first(values.text(quoteName(name)), LONGEST)}, 'NULL')`,
  )
  return shown.length > 0 ? texts.joinBy(', ', shown) : quoteText('')
}

/** Computes a dataset's rows; a value that its declared type can't hold is told with its row. */
export async function computing<T>(
  dataset: Gold,
  fields: readonly Field[],
  use: () => Promise<T>,
): Promise<T> {
  try {
    return await atUserSql(dataset.query, 1, use)
  } catch (error) {
    const text = error instanceof MoraineError ? error.message : ''
    const at = text.indexOf(MARK)
    if (at < 0) throw error
    const { column, value, row } = JSON.parse(text.slice(at + MARK.length)) as Record<
      string,
      string
    >
    const field = fields.find(({ name }) => name === column) as Field
    throw new MoraineError(
      'definition',
      `${fullName(dataset)}: '${column}' is declared as ${typeName(field.type)}, which cannot hold ${value}${row ? ` (in the row with ${row})` : ''}`,
      {
        cause: error,
        place: dataset.place && { ...dataset.place, near: `${column}:` },
        hint: roundingHint(field),
      },
    )
  }
}
