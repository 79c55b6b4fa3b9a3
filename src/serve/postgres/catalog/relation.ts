import { quoteName, quoteText } from '../../../define/sql/sql.js'

type Cell = string | number | boolean | null | readonly (string | number)[]

/** A row of a catalog: values of the columns that are not the same in all rows. */
export type CatalogRow = Readonly<Record<string, Cell>>

interface Column {
  name: string
  type: string
  /** What it is where rows do not say it. */
  usual: string | undefined
}

/** A relation of a catalog, whose rows are made from what somebody may see. */
export interface CatalogRelation<T = unknown> {
  columns: readonly Column[]
  rows: (from: T) => readonly CatalogRow[]
}

const types: Readonly<Record<string, string>> = {
  text: 'VARCHAR',
  int: 'INTEGER',
  small: 'SMALLINT',
  long: 'BIGINT',
  bool: 'BOOLEAN',
  real: 'FLOAT',
  time: 'TIMESTAMPTZ',
  texts: 'VARCHAR[]',
  smalls: 'SMALLINT[]',
  longs: 'BIGINT[]',
}

/**
 * A relation by its columns: `name:type`, with `=value` for what it usually is, which is NULL
 * otherwise.
 */
export function relation<T = unknown>(
  columns: string,
  rows: (from: T) => readonly CatalogRow[] = () => [],
): CatalogRelation<T> {
  const parsed = columns
    .trim()
    .split(/\s+/)
    .map((text) => {
      const [, name = '', type = '', usual] = /^(\w+):(\w+)(?:=(.*))?$/.exec(text) ?? []
      return { name, type: types[type] as string, usual }
    })
  return { columns: parsed, rows }
}

/**
 * A query for the rows of a relation, which come as JSON in a parameter.
 *
 * @param from SQL for the JSON of the rows.
 */
export function relationSql(
  { columns }: Pick<CatalogRelation, 'columns'>,
  rows: readonly CatalogRow[],
  from: string,
): string {
  const given = columns.filter(({ name }) => rows.some((row) => Object.hasOwn(row, name)))
  const shown = columns.map(({ name, type, usual }) => {
    const value = usual === undefined ? 'NULL' : quoteText(usual)
    const constant = `CAST(${value} AS ${type})`
    const isGiven = given.some((one) => one.name === name)
    return `${isGiven ? `r.${quoteName(name)}` : constant} AS ${quoteName(name)}`
  })
  if (given.length === 0)
    return `SELECT ${shown.join(', ')}${rows.length === 0 ? ' WHERE false' : ''}`
  const structure = `[{${given.map(({ name, type }) => `"${name}":"${type}"`).join(',')}}]`
  return `SELECT ${shown.join(', ')} FROM (SELECT unnest(from_json(${from}, '${structure}')) AS r)`
}
