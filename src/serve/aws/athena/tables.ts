import { MoraineError } from '../../../errors.js'
import type { Caller, VisibleTable } from '../../../query/service/request.js'
import { refuse } from '../../../sql/trino/refusal.js'
import { typeOfEngine } from '../../../sql/trino/types.js'
import { quote, type TableFields } from '../../../sql/trino/write/scope.js'
import { informationSchema } from './information-schema.js'

/** The one catalog, whatever the case of its letters. */
export const CATALOG = 'AwsDataCatalog'

/** The tables of the lake as one caller sees them, while one statement is looked at. */
export class Tables {
  constructor(
    readonly all: readonly VisibleTable[],
    readonly caller: Caller,
    /** Where tables are looked for that are named without a schema. */
    readonly database: string | undefined,
  ) {}

  schemas(): string[] {
    return [...new Set(this.all.map(({ schema }) => schema))].sort()
  }

  in(schema: string): VisibleTable[] {
    const tables = this.all.filter((one) => one.schema.toLowerCase() === schema.toLowerCase())
    return tables.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  find(schema: string, name: string): VisibleTable | undefined {
    return this.in(schema).find((one) => one.name.toLowerCase() === name.toLowerCase())
  }

  /** The schema and the name that parts of a name stand for. */
  split(
    parts: readonly string[],
    fail: (why: string, hint?: string) => Error,
  ): { schema: string; name: string } {
    const [name = '', schema = this.database, catalog, ...more] = [...parts].reverse()
    if (more.length > 0) throw fail(`'${parts.join('.')}' has too many parts`)
    if (catalog !== undefined && catalog.toLowerCase() !== CATALOG.toLowerCase())
      throw fail(`Catalog '${catalog}' does not exist`, `The catalog is ${CATALOG}.`)
    if (schema === undefined)
      throw fail(
        `The table ${name} needs its database`,
        'Name it, or send QueryExecutionContext: { Database }.',
      )
    return { schema, name }
  }

  /** How a statement is to read a table. */
  table(statement: string, parts: readonly string[], at: number): TableFields {
    const fail = (why: string, hint?: string) => refuse(statement, at, why, hint)
    const { schema, name } = this.split(parts, fail)
    if (schema.toLowerCase() === 'information_schema') return informationSchema(name, this, fail)
    const found = this.find(schema, name)
    if (!found) {
      const isThere = this.in(schema).length > 0
      throw fail(
        isThere
          ? `Table '${CATALOG.toLowerCase()}.${schema}.${name}' does not exist`
          : `Schema '${schema}' does not exist`,
        isThere
          ? `It has: ${this.in(schema)
              .map((one) => one.name)
              .slice(0, 20)
              .join(', ')}`
          : `There are: ${this.schemas().join(', ')}`,
      )
    }
    const columns = found.columns.map((one) => ({ name: one.name, type: typeOfEngine(one.type) }))
    return { sql: `${quote(found.schema)}.${quote(found.name)}`, columns }
  }
}

/** @throws MoraineError of kind `query` as the statement names no such table. */
export function missing(what: string, name: string): MoraineError {
  return new MoraineError('query', `${what} ${name} does not exist`)
}
