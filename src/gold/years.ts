import { fullName, schemaOf } from '../define/dataset.js'
import type { Gold } from '../define/model.js'
import { datasetsIn, historiesIn } from '../define/sql/sql.js'
import { decodeValue } from '../iceberg/spec/values.js'
import type { TableVersion } from '../iceberg/version.js'
import { type IsOfYears, type Rendering, renderPlan } from '../sql/bound/render.js'
import { areOfYears, OUTSIDE } from '../sql/bound/years.js'
import type { Relations } from '../step/relations.js'

/**
 * A bound query for another engine, which holds days and times to the years 1 to 9999 where it
 * counts with them: only where it has to, if more is known of the tables.
 */
export async function renderHolding(
  plan: unknown,
  rendering: Rendering,
  years: (() => Promise<IsOfYears>) | undefined,
): Promise<string> {
  const text = renderPlan(plan, rendering)
  if (!years || !text.includes(OUTSIDE)) return text
  return renderPlan(plan, { ...rendering, isOfYears: await years() })
}

/**
 * Which columns of a query's tables have days and times of the years 1 to 9999 alone, as bounds of
 * their files say; none of these is opened.
 */
export async function yearsOf(relations: Relations, dataset: Gold): Promise<IsOfYears> {
  const tables = [
    ...datasetsIn(dataset.query).map((one) => [`${schemaOf(one)}.${one.name}`, fullName(one)]),
    ...historiesIn(dataset.query).map(({ name }) => [`history.${name}`, `history.${name}`]),
  ] as [shown: string, name: string][]
  const known = tables.map(async ([shown, name]) => [shown, await relations.table(name)] as const)
  return yearsOfTables(await Promise.all(known))
}

/** @param tables by what a query calls them; nothing is known of those that are no tables. */
export async function yearsOfTables(
  tables: readonly (readonly [shown: string, table: TableVersion | undefined])[],
): Promise<IsOfYears> {
  const known = tables.map(
    async ([shown, table]) => [shown, table && (await columnsOfYears(table))] as const,
  )
  const columns = new Map(await Promise.all(known))
  return (schema, name, column) => columns.get(`${schema}.${name}`)?.has(column) ?? false
}

/** The columns of a table with such days and times alone. */
async function columnsOfYears(table: TableVersion): Promise<ReadonlySet<string>> {
  const files = (await table.plan()).map(({ file }) => file)
  const found = table.schema.fields.flatMap(({ id, name, type }) => {
    if (type !== 'date' && type !== 'timestamp') return []
    const isKnown = files.every(({ rows, columns }) => {
      const { lower, upper, nulls } = columns.get(id) ?? {}
      if (nulls === rows) return true
      // A column may have been one of days before.
      const size = type === 'date' ? 4 : 8
      if (lower?.length !== size || upper?.length !== size) return false
      const [least, greatest] = [lower, upper].map((one) => decodeValue(one, type))
      return areOfYears(type, least as bigint, greatest as bigint)
    })
    return isKnown ? [name] : []
  })
  return new Set(found)
}
