import { z } from 'zod'
import { quoteText } from '../../src/define/sql.js'
import type { ResultRow, Session } from '../../src/engine/engine.js'
import { compileChecks } from '../../src/quality/compile.js'

let prefix = 0

/** Runs texts through the compiled checks of one column `c`; a row for each, in their order. */
export async function checkTexts(
  session: Session,
  schema: z.ZodType,
  texts: readonly (string | null)[],
): Promise<ResultRow[]> {
  const checked = {
    schema: z.object({ c: schema }) as unknown as z.ZodObject,
    severity: {},
    rules: [],
    key: [],
    cursor: undefined,
  }
  const raw = { c: { sql: 'r0', sqlType: 'VARCHAR' } }
  const compiled = compileChecks(checked, raw, `test${prefix++}`)
  session.register(compiled.functions)
  const rows = texts.map((t, i) => `(${i}, ${t === null ? 'NULL' : quoteText(t)})`).join(', ')
  const relation = `(SELECT i AS _source_line, '' AS _batch, '' AS _source_file, NULL AS _error, NULL AS _raw,
    NULL AS _input, false AS _superseded, false AS _deleted, CAST(t AS VARCHAR) AS r0 FROM (VALUES ${rows}) v(i, t))`
  return session.rows(`${compiled.over(relation)} ORDER BY _source_line`)
}
