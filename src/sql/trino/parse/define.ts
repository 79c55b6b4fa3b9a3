import type { TrinoType } from '../types.js'
import type { Cursor } from './cursor.js'
import { parseType } from './type.js'

/** A column as a table is made with it. */
export interface ColumnDefinition {
  name: string
  type: TrinoType
  comment?: string
  at: number
}

/** What ALTER TABLE does. */
export type Alteration =
  | { does: 'add columns' | 'replace columns'; columns: ColumnDefinition[] }
  | { does: 'drop column'; column: string }
  | { does: 'change column'; column: string; to: ColumnDefinition }
  | { does: 'rename'; to: string[] }
  | { does: 'set properties'; properties: Map<string, string> }
  | { does: 'unset properties'; names: string[] }

/** Statements that make tables, or change what they are like. */
export type DefineStatement =
  | {
      kind: 'create table'
      table: string[]
      ifNotExists: boolean
      columns: ColumnDefinition[]
      comment?: string
      /** `day`, `bucket(16, id)`. */
      partitions: string[]
      properties: Map<string, string>
    }
  | { kind: 'alter table'; table: string[]; alteration: Alteration }

function column(cursor: Cursor): ColumnDefinition {
  const { at } = cursor.token
  const name = cursor.name('a column').toLowerCase()
  const type = parseType(cursor)
  if (cursor.at('NOT', 'NULL'))
    throw cursor.refuse('Columns of tables are made without NOT NULL', 'Leave it out.')
  return { name, type, at, ...(cursor.take('COMMENT') ? { comment: cursor.string() } : {}) }
}

export const parseColumns = (cursor: Cursor): ColumnDefinition[] =>
  cursor.inBrackets(() => cursor.list(() => column(cursor)))

/** `('name' = 'value', …)`, as Hive has it. */
export function textProperties(cursor: Cursor): Map<string, string> {
  const found = new Map<string, string>()
  cursor.inBrackets(() =>
    cursor.list(() => {
      const name = cursor.string('the name of a property').toLowerCase()
      cursor.expectSymbol('=')
      found.set(name, cursor.string('the value of a property'))
    }),
  )
  return found
}

/** What follows CREATE TABLE and its name, where columns do. */
export function parseColumnsOfTable(
  cursor: Cursor,
  table: string[],
  ifNotExists: boolean,
): DefineStatement {
  const made: DefineStatement = {
    ...{ kind: 'create table', table, ifNotExists },
    ...{ columns: parseColumns(cursor), partitions: [], properties: new Map() },
  }
  if (cursor.take('COMMENT')) made.comment = cursor.string()
  if (cursor.take('PARTITIONED', 'BY'))
    made.partitions = cursor.inBrackets(() => cursor.list(() => partition(cursor)))
  for (const words of [
    ['ROW', 'FORMAT'],
    ['STORED', 'AS'],
    ['CLUSTERED', 'BY'],
  ])
    if (cursor.at(...words))
      throw cursor.refuse(
        `${words.join(' ')} is of tables in Hive's formats, and tables here are Iceberg's`,
        "Write TBLPROPERTIES ('table_type' = 'ICEBERG') instead.",
      )
  // Where tables lie is for the lake to say.
  if (cursor.take('LOCATION')) cursor.string("an address: 's3://…'")
  if (cursor.take('TBLPROPERTIES')) made.properties = textProperties(cursor)
  return made
}

/** A column of the table, or a transform of one. */
function partition(cursor: Cursor): string {
  const { at } = cursor.token
  const name = cursor.name()
  if (cursor.isSymbol('(')) {
    const inside = cursor.inBrackets(() => cursor.list(() => cursor.next().text))
    return `${name}(${inside.join(', ').toLowerCase()})`
  }
  if (!cursor.isSymbol(',') && !cursor.isSymbol(')'))
    throw cursor.refuse(
      'Partitions of an Iceberg table are columns that it has, and are named without a type',
      'List the column among the columns of the table: CREATE TABLE t (day date) PARTITIONED BY (day)',
      at,
    )
  return name
}

/** What follows ALTER. */
export function parseAlter(cursor: Cursor): DefineStatement {
  if (!cursor.take('TABLE')) throw cursor.refuse(`ALTER ${cursor.token.raw} is not served`)
  const table = cursor.path()
  return { kind: 'alter table', table, alteration: alteration(cursor) }
}

function alteration(cursor: Cursor): Alteration {
  if (cursor.take('ADD', 'COLUMNS')) return { does: 'add columns', columns: parseColumns(cursor) }
  if (cursor.take('REPLACE', 'COLUMNS'))
    return { does: 'replace columns', columns: parseColumns(cursor) }
  if (cursor.take('ADD', 'COLUMN')) return { does: 'add columns', columns: [column(cursor)] }
  if (cursor.take('DROP', 'COLUMN')) return { does: 'drop column', column: cursor.name() }
  if (cursor.take('CHANGE')) {
    cursor.take('COLUMN')
    const old = cursor.name('a column')
    const to = column(cursor)
    if (cursor.at('FIRST') || cursor.at('AFTER'))
      throw cursor.refuse('Columns keep their places', 'Leave FIRST and AFTER out.')
    return { does: 'change column', column: old, to }
  }
  if (cursor.take('RENAME', 'TO')) return { does: 'rename', to: cursor.path() }
  if (cursor.take('SET', 'TBLPROPERTIES'))
    return { does: 'set properties', properties: textProperties(cursor) }
  if (cursor.take('UNSET', 'TBLPROPERTIES')) {
    const names = cursor.inBrackets(() => cursor.list(() => cursor.string().toLowerCase()))
    return { does: 'unset properties', names }
  }
  if (cursor.at('REPLACE', 'COLUMNS'))
    throw cursor.refuse(
      'REPLACE COLUMNS is not served for Iceberg tables',
      'Write ADD COLUMNS, DROP COLUMN or CHANGE COLUMN.',
    )
  const isAboutPartitions = ['ADD', 'DROP', 'PARTITION'].some(
    (word) =>
      cursor.at(word) && /^(PARTITION|IF)$/.test(cursor.ahead(word === 'PARTITION' ? 0 : 1).text),
  )
  if (isAboutPartitions || cursor.at('PARTITION')) throw cursor.refuse(...hidden)
  throw cursor.refuse(`ALTER TABLE … ${cursor.token.raw.slice(0, 40)} is not served`)
}

const hidden = [
  'Partitions of Iceberg tables are not added or dropped by statements',
  'They follow from the rows: INSERT INTO makes them, DELETE … WHERE empties them.',
] as const

/** What follows MSCK. */
export function parseRepair(cursor: Cursor): never {
  throw cursor.refuse(
    'MSCK REPAIR TABLE is not served: tables here are Iceberg’s, which know all of their files',
    'Leave it out: what is written is there at once.',
  )
}
