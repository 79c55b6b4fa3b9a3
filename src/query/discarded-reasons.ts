import { quoteName } from '../define/sql/sql.js'

/**
 * A query for why rows of a silver dataset were discarded: `reason`, `n`, and `examples` of each.
 *
 * @param examples of each reason at most.
 * @param where a condition over `reason`.
 */
export function reasonsSql(name: string, examples: number, where = 'true'): string {
  return `
    SELECT reason, count(*) AS n,
      list({file: _source_file, line: _source_line, batch: _batch, raw: left(raw, 300)} ORDER BY _batch, _source_file, _source_line)[1:${Math.max(0, examples)}] AS examples
    FROM (SELECT unnest(reasons) AS reason, raw, _source_file, _source_line, _batch FROM discarded.${quoteName(name)})
    WHERE ${where} GROUP BY reason ORDER BY n DESC, reason`
}
