import { quoteName, quoteText } from '../../define/sql.js'
import type { BatchSource, KeptFile } from '../engine.js'
import { fileList } from './scan.js'

/**
 * SQL for the rows of bronze batches: lineage, and every column as the text that came.
 *
 * @param wanted types in which columns are wanted beside their texts: column i has its value in `_v<i>`
 *   and, where the value does not give the text back, the text in `_t<i>`. Rows of files that keep texts
 *   alone have NULL in `_typed`.
 */
export function batchSql(
  files: readonly KeptFile[],
  wanted: ReadonlyMap<string, string> = new Map(),
): BatchSource {
  const groups = new Map<string, KeptFile[]>()
  for (const file of files) {
    const key = JSON.stringify([file.values, file.inexact === 0, file.firstLine, file.origin])
    groups.set(key, [...(groups.get(key) ?? []), file])
  }
  const parts = [...groups.values()].map((group) => groupSql(group, wanted))
  const found = [...wanted].flatMap(([column, type]) => {
    const keeping = files.filter(({ values = {} }) => typeIn(values, column) === type)
    const exact = keeping.length === files.length && keeping.every(({ inexact }) => inexact === 0)
    return keeping.length > 0 ? [[column, exact ? 'all' : 'some'] as const] : []
  })
  return { sql: parts.join('\nUNION ALL BY NAME\n'), values: new Map(found) }
}

function typeIn(values: Readonly<Record<string, string>>, column: string): string | undefined {
  return Object.entries(values).find(([name]) => name.toLowerCase() === column.toLowerCase())?.[1]
}

function groupSql(group: readonly KeptFile[], wanted: ReadonlyMap<string, string>): string {
  const [{ values = {}, inexact = 0, firstLine, origin }] = group as [KeptFile]
  const numbered = firstLine === undefined ? '' : ', file_row_number = true'
  const reader = `read_parquet(${fileList(group.map((file) => file.location))}, union_by_name = true, hive_partitioning = false${numbered})`
  const names = Object.keys(values)
  const text = (name: string) => {
    const own = `CAST(${quoteName(name)} AS VARCHAR)`
    const kept = `_texts[${names.indexOf(name) + 1}]`
    return inexact > 0 ? `CASE WHEN _texts IS NULL THEN ${own} ELSE ${kept} END` : own
  }
  const hidden = [
    ...(names.length > 0 ? ['_texts'] : []),
    ...(firstLine === undefined ? [] : ['file_row_number']),
  ]
  const typed = [...wanted].flatMap(([column, type], i) => {
    const name = names.find((n) => n.toLowerCase() === column.toLowerCase())
    if (names.length === 0) return []
    // A column that another schema wants in another type is given as its text.
    if (name === undefined || values[name] !== type) {
      const given = name === undefined ? quoteName(column) : text(name)
      return [`CAST(NULL AS ${type}) AS _v${i}`, `${given} AS _t${i}`]
    }
    const kept = inexact > 0 ? `_texts[${names.indexOf(name) + 1}]` : 'CAST(NULL AS VARCHAR)'
    return [`${quoteName(name)} AS _v${i}`, `${kept} AS _t${i}`]
  })
  const exclude = hidden.length > 0 ? ` EXCLUDE (${hidden.join(', ')})` : ''
  const replaced = names.map((name) => `${text(name)} AS ${quoteName(name)}`)
  const replace = replaced.length > 0 ? ` REPLACE (${replaced.join(', ')})` : ''
  const line = firstLine === undefined ? [] : [`file_row_number + ${firstLine} AS _source_line`]
  const from = origin
    ? [`${quoteText(origin.batch)} AS _batch`, `${quoteText(origin.file)} AS _source_file`]
    : []
  const typedMark = names.length > 0 ? ['true AS _typed', ...typed] : []
  return `SELECT ${[`*${exclude}${replace}`, ...from, ...line, ...typedMark].join(', ')} FROM ${reader}`
}
