import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import {
  DefinitionError,
  MoraineError,
  messageOf,
  type Problem,
  type SourceLocation,
} from '../../errors.js'
import { redact, starred } from '../../secrets.js'
import { again } from '../branch/again.js'
import colors from './colors.js'

/** An error for people: what, where with a code frame, what to do. Never a stack trace. */
export function renderError(error: unknown): string {
  if (error instanceof DefinitionError) {
    const count = error.problems.length
    const head =
      count === 1 ? 'The definition has a mistake' : `The definition has ${count} mistakes`
    return [
      `${colors.red('✖')} ${colors.bold(head)}`,
      ...asTheyStand(error.problems).map(renderProblem),
    ].join('\n\n')
  }
  const { hint, place } = error instanceof MoraineError ? error : {}
  return `${colors.red('✖')} ${renderProblem({ message: messageOf(error), hint, place })}`
}

/** In the order of lines, in each file. */
function asTheyStand(problems: readonly Problem[]): Problem[] {
  const files = [...new Set(problems.map(({ place }) => place?.file))]
  const at = ({ place }: Problem) => (place ? spotOf(place) : undefined)
  return problems
    .map((problem) => ({ problem, file: files.indexOf(problem.place?.file), spot: at(problem) }))
    .sort(
      (a, b) =>
        a.file - b.file ||
        (a.spot?.line ?? 0) - (b.spot?.line ?? 0) ||
        (a.spot?.column ?? 0) - (b.spot?.column ?? 0),
    )
    .map(({ problem }) => problem)
}

export function renderProblem({ message, hint, place }: Problem): string {
  const frame = place && codeFrame(place)
  return [
    colors.bold(indented(redact(message))),
    ...(frame ? [frame] : []),
    ...(hint ? [`${colors.cyan('→')} ${again(hint)}`] : []),
  ].join('\n')
}

/**
 * A message of several lines, those after the first set in: none can pass for a line of our own.
 */
const indented = (message: string) => message.replace(/\n(?=[^\n])/g, '\n  ')

const AROUND = 2
const FAR = 60
/**
 * Characters of a line that a frame shows at most, and those before the place in one that is
 * longer.
 */
const LONGEST = 160
const BEFORE = 60

function linesOf(file: string): string[] | undefined {
  try {
    return readFileSync(file, 'utf8').split('\n')
  } catch {
    return undefined
  }
}

function spotOf(place: SourceLocation) {
  const lines = linesOf(place.file)
  return lines && locate(place, lines)
}

/** The lines around a place in a user's file, the place marked. */
function codeFrame(place: SourceLocation): string | undefined {
  const lines = linesOf(place.file)
  if (!lines) return undefined
  const { line, column, length } = locate(place, lines)
  const from = Math.max(1, line - AROUND)
  const to = Math.min(lines.length, line + AROUND)
  const gutter = String(to).length
  // A line that is too long is shown around the place; the others from their beginning.
  const cut = Math.max(0, column - 1 - BEFORE)
  const shift = (lines[line - 1] ?? '').length > LONGEST ? cut : 0
  const out = [
    colors.dim(`  ${relative(process.cwd(), place.file) || place.file}:${line}:${column}`),
  ]
  for (let n = from; n <= to; n++) {
    const mark = n === line ? colors.red('>') : ' '
    const text = shortened(starred(lines[n - 1] ?? ''), n === line ? shift : 0)
    out.push(`${mark} ${colors.dim(`${String(n).padStart(gutter)} │`)} ${text}`)
    if (n === line) {
      const before = ' '.repeat(column - 1 - shift + (shift > 0 ? 1 : 0))
      const under = '^'.repeat(Math.min(length, LONGEST - before.length))
      out.push(`  ${' '.repeat(gutter)} ${colors.dim('│')} ${before}${colors.red(under)}`)
    }
  }
  return out.join('\n')
}

/** A line from a character on, cut where it is too long. */
function shortened(line: string, from: number): string {
  const text = from > 0 ? `…${line.slice(from)}` : line
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text
}

const WORD = /\w/

/** The exact spot: `near` is searched from the place's line on, within the statement. */
function locate(place: SourceLocation, lines: readonly string[]) {
  const { near } = place
  if (near !== undefined)
    for (let n = place.line; n <= Math.min(lines.length, place.line + FAR); n++) {
      const start = n === place.line ? place.column - 1 : 0
      const at = indexOfWord(lines[n - 1] ?? '', near, start)
      if (at >= 0) return { line: n, column: at + 1, length: near.length }
    }
  return { line: Math.min(place.line, lines.length), column: place.column, length: 1 }
}

/** Where a text stands in a line by itself: `key:` is not in `monkey:`. */
function indexOfWord(line: string, text: string, start: number): number {
  const joined = (at: number, beside: number, edge: number) =>
    WORD.test(text.at(edge) ?? '') && WORD.test(line[at + beside] ?? '')
  for (let at = line.indexOf(text, start); at >= 0; at = line.indexOf(text, at + 1))
    if (!joined(at, -1, 0) && !joined(at, text.length, -1)) return at
  return -1
}

/** An error as `--json` gives it. */
export function errorJson(error: unknown): object {
  if (error instanceof DefinitionError)
    return { error: { kind: error.kind, problems: error.problems } }
  if (!(error instanceof MoraineError))
    return { error: { kind: 'unexpected', message: redact(messageOf(error)) } }
  const { kind, hint, place } = error
  const message = redact(error.message)
  return {
    error: { kind, message, ...(hint ? { hint: again(hint) } : {}), ...(place ? { place } : {}) },
  }
}

/** 2 for a mistake in usage or definition, else 1. */
export function exitCodeOf(error: unknown): number {
  const kinds = ['usage', 'definition', 'query']
  return error instanceof MoraineError && kinds.includes(error.kind) ? 2 : 1
}
