import { quoteName, quoteText } from '../../define/sql/sql.js'
import { sqlType } from '../../define/types/sql-type.js'
import { parseJson } from '../../iceberg/json.js'
import type { BoundTable } from '../engine.js'
import { SqlError } from '../sql-error.js'
import { DuckDBInstance } from './driver.js'

/**
 * The bound plan of a query, as JSON whose whole numbers are exact. It is made in an engine of its
 * own, where the tables have their columns and no rows: those of a session are views, which a plan
 * would see through.
 */
export async function boundPlan(
  sql: string,
  tables: readonly BoundTable[],
  /** Gives it the places that things have in the text. */
  placed: (plan: string) => string = (plan) => plan,
): Promise<unknown> {
  const instance = await DuckDBInstance.create(':memory:', {
    threads: '1',
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
  })
  const connection = await instance.connect()
  try {
    for (const { schema, name, fields } of tables) {
      const columns = fields.map((field) => `${quoteName(field.name)} ${sqlType(field.type)}`)
      await connection.run(`CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}`)
      await connection.run(
        `CREATE TABLE ${quoteName(schema)}.${quoteName(name)} (${columns.join(', ')})`,
      )
    }
    const asked = `SELECT CAST(json_serialize_plan(${quoteText(sql)}, optimize := false) AS VARCHAR)`
    const [[text]] = (await (await connection.run(asked)).getRows()) as [[string]]
    const plan = parseJson(placed(text)) as { error?: boolean; error_message?: string }
    if (plan.error) throw new SqlError(sql, new Error(String(plan.error_message)))
    return plan
  } finally {
    connection.closeSync()
    instance.closeSync()
  }
}
