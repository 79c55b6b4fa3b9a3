import { MoraineError } from '../../errors.js'

/**
 * What can't be translated, with its place in the statement.
 *
 * @param at where it stands, in characters.
 */
export function refuse(sql: string, at: number, message: string, hint?: string): MoraineError {
  const before = sql.slice(0, at).split('\n')
  const line = sql.split('\n')[before.length - 1] ?? ''
  const column = (before.at(-1) ?? '').length
  // A line of a generated statement may be very long.
  const from = Math.max(0, column - 60)
  const label = `LINE ${before.length}: `
  const shown = line.slice(from, from + 120)
  const mark = `${' '.repeat(label.length + column - from)}^`
  return new MoraineError(
    'query',
    `line ${before.length}:${column + 1}: ${message}\n\n${label}${shown}\n${mark}`,
    { hint: hint ?? 'Write it another way, or query the lake in DuckDB’s dialect.' },
  )
}
