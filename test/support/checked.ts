import { z } from 'zod'
import type { Silver } from '../../src/define/model.js'
import { quoteText } from '../../src/define/sql/sql.js'
import type { ResultRow, Session } from '../../src/engine/engine.js'
import { compileChecks } from '../../src/quality/compile.js'
import { InThisThread, withAnswers } from '../../src/step/javascript.js'

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
  const compiled = compileChecks(checked, raw, session)
  const rows = texts.map((t, i) => `(${i}, ${t === null ? 'NULL' : quoteText(t)})`).join(', ')
  const relation = `(SELECT i AS _source_line, '' AS _batch, '' AS _source_file, NULL AS _error, NULL AS _raw,
    NULL AS _input, false AS _superseded, false AS _deleted, CAST(t AS VARCHAR) AS r0 FROM (VALUES ${rows}) v(i, t))`
  const asking = { javascript: new InThisThread(), signal: new AbortController().signal }
  const dataset = checked as unknown as Silver
  const checkedRows = await withAnswers(
    asking,
    session,
    dataset,
    compiled.passes,
    relation,
    (given) => session.rows(`${compiled.over(given)} ORDER BY _source_line`),
  )
  const missed = checkedRows.find((row) => row._reasons !== null && row._doubtful !== true)
  if (missed) throw new Error(`${missed._reasons}, but it is not in doubt`)
  return checkedRows
}
