import { PgError } from '../pg-error.js'
import { pgTypes } from '../types/pg-type.js'
import type { Visible } from './visible.js'

/** Numbers of relations of `pg_catalog` itself, by which clients say what a number is of. */
const own: Readonly<Record<string, number>> = {
  pg_type: 1247,
  pg_attribute: 1249,
  pg_proc: 1255,
  pg_class: 1259,
  pg_authid: 1260,
  pg_database: 1262,
  pg_constraint: 2606,
  pg_namespace: 2615,
  pg_trigger: 2620,
}

/** The parts of a name as SQL writes it: `gold.daily`, `"Gold"."a b"`. */
export function partsOf(text: string): string[] {
  const parts = text.match(/"(?:[^"]|"")*"|[^."]+/g) ?? []
  return parts.map((part) =>
    part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part.trim().toLowerCase(),
  )
}

/** The number of a table by its name; `undefined` where there is none that may be seen. */
export function tableNumber(text: string, { tables }: Visible): number | undefined {
  if (/^\d+$/.test(text)) return Number(text)
  const [name = '', schema] = partsOf(text).reverse()
  const found = tables.find(
    (table) => table.name === name && (schema ? table.schema === schema : table.isVisible),
  )
  if (found) return found.oid
  if (schema !== undefined && schema !== 'pg_catalog') return undefined
  return own[name] ?? (name.startsWith('pg_') ? 1 : undefined)
}

/** The number that a constant of `regclass`, `regtype` or `regnamespace` stands for. */
export function numberOf(type: string, text: string, visible: Visible): number {
  const [find, what] = kinds[type] ?? (kinds.regclass as Kind)
  const found = find(text, visible)
  if (found !== undefined) return found
  throw new PgError(what === 'table' ? '42P01' : '42704', `There is no ${what} ${text}`)
}

type Kind = readonly [find: (text: string, visible: Visible) => number | undefined, what: string]

const kinds: Readonly<Record<string, Kind>> = {
  regclass: [tableNumber, 'table'],
  regtype: [typeNumber, 'type'],
  regnamespace: [
    (text, { schemas }) => schemas.find(({ name }) => name === partsOf(text)[0])?.oid,
    'schema',
  ],
}

function typeNumber(text: string): number | undefined {
  const name = text.replace(/^pg_catalog\./, '').toLowerCase()
  const type = Object.values(pgTypes).find((one) => one.name === name || one.title === name)
  return type?.oid
}
