import { MoraineError } from '../../../errors.js'
import type { Caller } from '../../../query/service/request.js'
import { refuse } from '../../../sql/trino/refusal.js'
import { translateTrino } from '../../../sql/trino/translate.js'
import { typeOfEngine } from '../../../sql/trino/types.js'
import { quote, type TableFields } from '../../../sql/trino/write/scope.js'
import type { WrittenQuery } from '../../../sql/trino/write/writer.js'
import { informationSchema } from './information-schema.js'
import type { Relation } from './relations/relation.js'

/** The one catalog, whatever the case of its letters. */
export const CATALOG = 'AwsDataCatalog'

/** Views within views of one statement: how deep, and how many. */
const DEEPEST = 16
const MOST = 1000

/** What is known of a statement beside tables. */
interface Within {
  /** How many views this is within. */
  depth: number
  /** How many more views the statement may name. */
  views: { left: number }
  /** Databases that may have no tables. */
  schemas: readonly string[]
}

/** The tables of the lake as one caller sees them, while one statement is looked at. */
export class Tables {
  private constructor(
    readonly all: readonly Relation[],
    readonly caller: Caller,
    /** Where tables are looked for that are named without a schema. */
    readonly database: string | undefined,
    private readonly within: Within,
  ) {}

  /** @param schemas databases that may have no tables. */
  static of(
    all: readonly Relation[],
    caller: Caller,
    { database, schemas }: { database: string | undefined; schemas: readonly string[] },
  ): Tables {
    return new Tables(all, caller, database, { depth: 0, views: { left: MOST }, schemas })
  }

  schemas(): string[] {
    return [...new Set([...this.within.schemas, ...this.all.map(({ schema }) => schema)])].sort()
  }

  in(schema: string): Relation[] {
    const tables = this.all.filter((one) => one.schema.toLowerCase() === schema.toLowerCase())
    return tables.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  find(schema: string, name: string): Relation | undefined {
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
      const isThere = this.schemas().some((one) => one.toLowerCase() === schema.toLowerCase())
      throw fail(
        isThere
          ? `Table '${CATALOG.toLowerCase()}.${schema}.${name}' does not exist`
          : `Schema '${schema}' does not exist`,
        isThere
          ? `It has: ${
              this.in(schema)
                .map((one) => one.name)
                .slice(0, 20)
                .join(', ') || 'no tables'
            }`
          : `There are: ${this.schemas().join(', ')}`,
      )
    }
    if (found.view) return this.expanded(found, found.view, fail)
    const columns = found.columns.map((one) => ({ name: one.name, type: typeOfEngine(one.type) }))
    return { sql: `${quote(found.schema)}.${quote(found.name)}`, columns }
  }

  /** The query of a view, in place of it. */
  private expanded(
    { schema, name, columns }: Relation,
    { sql: text, database }: { sql?: string; database?: string },
    fail: (why: string, hint?: string) => Error,
  ): TableFields {
    if (text === undefined)
      throw fail(
        `The view ${schema}.${name} has no query in Trino's dialect`,
        'Query it by the engine that made it, or make it again: CREATE OR REPLACE VIEW',
      )
    const { depth, views, schemas } = this.within
    if (depth >= DEEPEST || --views.left < 0)
      throw fail(
        `The view ${schema}.${name} has too many views within views`,
        'Make a table of one of them: CREATE TABLE … AS SELECT …',
      )
    const inner = new Tables(this.all, this.caller, database, {
      ...{ depth: depth + 1, views, schemas },
    })
    const { sql, fields } = queryOf(`${schema}.${name}`, text, inner)
    // Columns that tables have got since are none of the view's.
    const found = columns.map((one) => {
      const field = fields.find((other) => other.name.toLowerCase() === one.name)
      if (field)
        return { name: one.name, type: field.type ?? typeOfEngine(one.type), is: field.name }
      throw fail(
        `The view ${schema}.${name} is stale: its query has no column ${one.name} any more`,
        'Make it again: CREATE OR REPLACE VIEW',
      )
    })
    const picked = found.map((one) => `${quote(one.is)} AS ${quote(one.name)}`)
    return { sql: `(SELECT ${picked.join(', ')} FROM (${sql}))`, columns: found }
  }
}

/** @throws MoraineError of kind `query` for what is wrong in the view's query. */
function queryOf(view: string, text: string, tables: Tables): WrittenQuery {
  try {
    return translateTrino(text, { table: (parts, at) => tables.table(text, parts, at) })
  } catch (error) {
    if (!(error instanceof MoraineError) || error.message.startsWith('In the view')) throw error
    const { hint } = error
    const why = `In the view ${view}: ${error.message}`
    throw new MoraineError('query', why, hint === undefined ? {} : { hint })
  }
}

/** @throws MoraineError of kind `query` as the statement names no such table. */
export function missing(what: string, name: string): MoraineError {
  return new MoraineError('query', `${what} ${name} does not exist`)
}
