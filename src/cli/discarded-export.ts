import { parse, stringify } from 'lossless-json'
import type { Silver } from '../define/model.js'
import { quoteName } from '../define/sql/sql.js'
import type { RowValue } from '../engine/engine.js'
import { MoraineError } from '../errors.js'
import { ownValue } from '../own-value.js'
import type { Limits } from '../query/limits.js'
import { queryLake, queryRows } from '../query/query.js'
import { type At, isFor } from './discarded-rule.js'
import { csvRecord } from './output/csv.js'
import { writeData } from './output/terminal.js'

/** Columns of an export beside the data's own. */
const OWN = ['_reasons', '_source_file', '_source_line', '_batch', '_raw']

/** Writes all discarded rows, with their raw values as columns of their own. */
export async function exportRows(
  { storage, state }: At,
  dataset: Silver<any>,
  {
    export: format,
    rule,
    escapeFormulas = false,
  }: { export?: string; rule?: string; escapeFormulas?: boolean },
  limits: Limits,
): Promise<number> {
  if (format !== 'csv')
    throw new MoraineError('usage', `Discarded rows cannot be exported as ${format}`, {
      hint: 'Use csv, or: moraine query --format json "from discarded.…"',
    })
  const record = (values: readonly (RowValue | undefined)[]) =>
    csvRecord(values, { escapeFormulas })
  const table = `discarded.${quoteName(dataset.name)}`
  const [found] = await queryRows(
    storage,
    state,
    `SELECT list(DISTINCT k) AS names FROM (SELECT unnest(json_keys(raw)) AS k FROM ${table} WHERE json_valid(raw))`,
    // It is ours, and has one row.
    { limits: { ...limits, rows: Number.POSITIVE_INFINITY } },
  )
  const names = ((found?.names as string[] | null) ?? []).sort()
  await using result = await queryLake(
    storage,
    state,
    `SELECT array_to_string(reasons, '; ') AS reasons, _source_file, _source_line, _batch, raw FROM ${table}
     WHERE len(list_filter(reasons, lambda reason: ${isFor(rule)})) > 0 ORDER BY _batch, _source_file, _source_line`,
    { limits },
  )
  // Data may have columns of any name, these included.
  const taken = new Set(names.map((name) => name.toLowerCase()))
  const own = (name: string): string => (taken.has(name) ? own(`_${name}`) : name)
  const [reasonsName, fileName, lineName, batchName, rawName] = OWN.map(own)
  await writeData(record([reasonsName, fileName, lineName, batchName, ...names, rawName]))
  for await (const batch of result.batches)
    for (const { reasons, _source_file: file, _source_line: line, _batch, raw } of batch) {
      const values = valuesIn(String(raw))
      const shown = values
        ? [...names.map((name) => ownValue(values, name) ?? null), null]
        : [...names.map(() => null), raw]
      await writeData(record([reasons, file, line, _batch, ...shown]))
    }
  return 0
}

/**
 * The raw values of a row, numbers with every digit; `undefined` for a line that could not be
 * split.
 */
function valuesIn(raw: string): Record<string, string | null> | undefined {
  try {
    const found = parse(raw)
    if (typeof found !== 'object' || found === null || Array.isArray(found)) return undefined
    const text = (value: unknown) =>
      value === null || typeof value === 'string' ? value : (stringify(value) ?? null)
    return Object.fromEntries(Object.entries(found).map(([name, value]) => [name, text(value)]))
  } catch {
    return undefined
  }
}
