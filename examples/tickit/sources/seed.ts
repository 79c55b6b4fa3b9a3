import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SourceTable, Type } from './tables.js'

/** A database that the tables are put into. */
export interface Target {
  run(sql: string): Promise<unknown>
  /** What its SQL calls the types. */
  types: Readonly<Record<Type, string>>
  /** SQL that makes room for the tables, if there is none yet. */
  schema: readonly string[]
}

/** Rows of an INSERT. */
const TOGETHER = 1000

/**
 * Puts the rows of the files into tables of a database. What a database does not take (records with
 * fields missing, words in a column of numbers, a key twice) is left out, as it would be there.
 *
 * @returns how many rows each table got, and how many it did not take.
 */
export async function seed(target: Target, tables: readonly SourceTable[], folder: string) {
  const done: { table: string; rows: number; refused: number }[] = []
  for (const sql of target.schema) await target.run(sql)
  for (const { name, file, delimiter, columns, american } of tables) {
    const list = columns.map(
      ([column, type, required]) =>
        `${column} ${target.types[type]}${required ? ' NOT NULL' : ''}${column === columns[0]?.[0] ? ' PRIMARY KEY' : ''}`,
    )
    await target.run(`DROP TABLE IF EXISTS ${name}`)
    await target.run(`CREATE TABLE ${name} (${list.join(', ')})`)
    const keys = new Set<string>()
    const lines = readFileSync(join(folder, file), 'utf8').trimEnd().split('\n')
    const rows = lines.flatMap((line) => {
      const fields = line.split(delimiter)
      const values = columns.map(([, type], i) => literal(fields[i] ?? '', type, american))
      const [key = ''] = fields
      if (fields.length !== columns.length || values.includes(undefined) || keys.has(key)) return []
      keys.add(key)
      return [`(${values.join(', ')})`]
    })
    for (let at = 0; at < rows.length; at += TOGETHER)
      await target.run(`INSERT INTO ${name} VALUES ${rows.slice(at, at + TOGETHER).join(', ')}`)
    done.push({ table: name, rows: rows.length, refused: lines.length - rows.length })
  }
  return done
}

/** A field as SQL; `undefined` where its column does not take it. */
function literal(field: string, type: Type, american = false): string | undefined {
  if (field === '' || field === '\\N') return 'NULL'
  if (type === 'text') return `'${field.replaceAll("'", "''")}'`
  if (type === 'int') return /^-?\d{1,9}$/.test(field) ? field : undefined
  if (type === 'money') return /^-?\d{1,6}(\.\d{1,2})?$/.test(field) ? field : undefined
  if (type === 'flag') return { TRUE: "'1'", FALSE: "'0'" }[field]
  const [, month = '', day = '', year, time] = /^(\d+)\/(\d+)\/(\d{4}) (.*)$/.exec(field) ?? []
  const iso = american ? `${year}-${month.padStart(2, '0')}-${day.padStart(2, '0')} ${time}` : field
  return isTime(iso) ? `'${iso}'` : undefined
}

/** Whether a date, or a date with a time, is one of the calendar. */
function isTime(text: string): boolean {
  const utc = new Date(`${text.replace(' ', 'T')}${text.includes(' ') ? 'Z' : ''}`)
  return !Number.isNaN(utc.getTime()) && utc.toISOString().startsWith(text.slice(0, 10))
}
