import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { DefinitionError, MoraineError, messageOf, type Place, type Problem } from '../../errors.js'
import colors from './colors.js'

/** An error for people: what, where with a code frame, what to do. Never a stack trace. */
export function renderError(error: unknown): string {
  if (error instanceof DefinitionError) {
    const count = error.problems.length
    const head =
      count === 1 ? 'The definition has a mistake' : `The definition has ${count} mistakes`
    return [`${colors.red('✖')} ${colors.bold(head)}`, ...error.problems.map(renderProblem)].join(
      '\n\n',
    )
  }
  const { hint, place } = error instanceof MoraineError ? error : {}
  return `${colors.red('✖')} ${renderProblem({ message: messageOf(error), hint, place })}`
}

export function renderProblem({ message, hint, place }: Problem): string {
  const frame = place && codeFrame(place)
  return [
    colors.bold(message),
    ...(frame ? [frame] : []),
    ...(hint ? [`${colors.cyan('→')} ${hint}`] : []),
  ].join('\n')
}

const AROUND = 2
const FAR = 60

/** The lines around a place in a user's file, the place marked. */
function codeFrame(place: Place): string | undefined {
  let lines: string[]
  try {
    lines = readFileSync(place.file, 'utf8').split('\n')
  } catch {
    return undefined
  }
  const { line, column, length } = locate(place, lines)
  const from = Math.max(1, line - AROUND)
  const to = Math.min(lines.length, line + AROUND)
  const gutter = String(to).length
  const out = [
    colors.dim(`  ${relative(process.cwd(), place.file) || place.file}:${line}:${column}`),
  ]
  for (let n = from; n <= to; n++) {
    const mark = n === line ? colors.red('>') : ' '
    out.push(`${mark} ${colors.dim(`${String(n).padStart(gutter)} │`)} ${lines[n - 1]}`)
    if (n === line)
      out.push(
        `  ${' '.repeat(gutter)} ${colors.dim('│')} ${' '.repeat(column - 1)}${colors.red('^'.repeat(length))}`,
      )
  }
  return out.join('\n')
}

/** The exact spot: `near` is searched from the place's line on, within the statement. */
function locate(place: Place, lines: readonly string[]) {
  if (place.near !== undefined)
    for (let n = place.line; n <= Math.min(lines.length, place.line + FAR); n++) {
      const start = n === place.line ? place.column - 1 : 0
      const at = (lines[n - 1] ?? '').indexOf(place.near, start)
      if (at >= 0) return { line: n, column: at + 1, length: place.near.length }
    }
  return { line: Math.min(place.line, lines.length), column: place.column, length: 1 }
}

/** An error as `--json` gives it. */
export function errorJson(error: unknown): object {
  if (error instanceof DefinitionError)
    return { error: { kind: error.kind, problems: error.problems } }
  if (!(error instanceof MoraineError))
    return { error: { kind: 'unexpected', message: messageOf(error) } }
  const { kind, message, hint, place } = error
  return { error: { kind, message, ...(hint ? { hint } : {}), ...(place ? { place } : {}) } }
}

/** 2 for a mistake in usage or definition, else 1. */
export function exitCodeOf(error: unknown): number {
  const kinds = ['usage', 'definition', 'query']
  return error instanceof MoraineError && kinds.includes(error.kind) ? 2 : 1
}
