import type { VisibleColumn, VisibleTable } from '../../../query/service/request.js'
import { type PgColumnType, pgColumnType } from '../types/column-type.js'

/** A column as the catalogs have it. */
export interface CatalogColumn extends VisibleColumn {
  /** From 1. */
  number: number
  pg: PgColumnType
}

/** A table or view as the catalogs have it, with its number. */
export interface CatalogTable {
  oid: number
  schema: string
  /** The number of its schema. */
  namespace: number
  name: string
  kind: 'table' | 'view'
  comment: string | undefined
  columns: readonly CatalogColumn[]
  /** Whether its name alone means it. */
  isVisible: boolean
}

/** What catalogs are made from: what one user may see. */
export interface Visible {
  database: string
  user: string
  /** Schemas in which names are looked for. */
  path: readonly string[]
  schemas: readonly { oid: number; name: string }[]
  tables: readonly CatalogTable[]
  settings: readonly (readonly [name: string, value: string])[]
}

/** Numbers below are those of PostgreSQL itself. */
const FIRST = 16_384
const SPAN = 2 ** 30

/** The number of the only user that is shown, and of the only database. */
export const OWNER = 10
export const DATABASE = 5

/** Numbers of schemas that PostgreSQL has. */
const SYSTEM = { pg_catalog: 11, information_schema: 13_000 }

interface Seen extends Pick<Visible, 'database' | 'user' | 'settings'> {
  tables: readonly VisibleTable[]
  path: readonly string[]
}

/** What somebody may see, with numbers that stay the same as long as names do. */
export function visibleOf({ tables, path, ...rest }: Seen): Visible {
  const numbers = new Numbers()
  const sorted = [...tables].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))
  const names = [...new Set(sorted.map(({ schema }) => schema))]
  const own = names.map((name) => ({ name, oid: numbers.of(`schema ${name}`) }))
  const system = Object.entries(SYSTEM).map(([name, oid]) => ({ name, oid }))
  const schemas = [...own, ...system]
  const wanted = path.filter((name) => names.includes(name))
  const first = (name: string) =>
    wanted.find((schema) => sorted.some((one) => one.schema === schema && one.name === name))
  return {
    ...rest,
    path: wanted,
    schemas,
    tables: sorted.map((table) => ({
      ...table,
      oid: numbers.of(nameOf(table)),
      namespace: own.find(({ name }) => name === table.schema)?.oid ?? 0,
      isVisible: first(table.name) === table.schema,
      columns: table.columns.map((column, i) => ({
        ...column,
        number: i + 1,
        pg: pgColumnType(column.type),
      })),
    })),
  }
}

const nameOf = ({ schema, name }: Pick<VisibleTable, 'schema' | 'name'>) => `${schema}.${name}`

/** The schema in which tables are looked for that nobody names one for: the best of the lake. */
export function usualPath(tables: readonly Pick<VisibleTable, 'schema'>[]): string[] {
  const names = new Set(tables.map(({ schema }) => schema))
  const usual = ['gold', 'silver', 'bronze'].find((name) => names.has(name))
  return usual ? [usual] : [...names].slice(0, 1)
}

/** Numbers by names (FNV-1a), with another where two names have the same. */
class Numbers {
  private readonly used = new Set<number>()

  of(name: string): number {
    let hash = 0x81_1c_9d_c5
    for (const byte of Buffer.from(name)) hash = Math.imul(hash ^ byte, 0x01_00_01_93) >>> 0
    let number = FIRST + (hash % SPAN)
    while (this.used.has(number)) number++
    this.used.add(number)
    return number
  }
}
