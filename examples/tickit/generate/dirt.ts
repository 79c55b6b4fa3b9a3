import type { Random } from './random.js'
import type { Rows } from './tables.js'

/** What was put into a file beside its good rows. */
export interface Dirt {
  /** Lines of the file that are records, good or bad. */
  rows: number
  /** Rows that can't be kept, by kind. */
  discarded: Record<string, number>
  /** Rows that repeat the key of another. */
  superseded: number
}

/** A way to spoil a row. It changes one field, or gives a whole line. */
export interface Spoiler {
  kind: string
  spoil: (row: string[], random: Random) => string[] | string
}

export function setField(kind: string, index: number, value: string): Spoiler {
  return { kind, spoil: (row) => row.with(index, value) }
}

/** One bad row for each this many good ones, of each kind. */
const SHARE = 4000
/** One repeated row for each this many good ones. */
const REPEATED = 2500

/** A file's lines with the dirt in it, and what was put in. */
export function withDirt(
  rows: Rows,
  delimiter: string,
  spoilers: readonly Spoiler[],
  random: Random,
): { lines: string[]; dirt: Dirt } {
  const lines = rows.map((row) => row.join(delimiter))
  const discarded: Record<string, number> = {}
  const extra: [at: number, line: string][] = []
  const each = Math.ceil(rows.length / SHARE)
  let id = rows.length + 1_000_000
  for (const { kind, spoil } of spoilers)
    for (let i = 0; i < each; i++) {
      // A key of its own: a bad row must not take the place of a good one.
      const fresh = random.pick(rows).with(0, String(id++))
      const spoilt = spoil(fresh, random)
      const line = typeof spoilt === 'string' ? spoilt : spoilt.join(delimiter)
      extra.push([random.int(0, lines.length), line])
      discarded[kind] = (discarded[kind] ?? 0) + 1
    }
  const repeated = rows.length < 1000 ? 1 : Math.ceil(rows.length / REPEATED)
  for (let i = 0; i < repeated; i++)
    extra.push([random.int(0, lines.length), random.pick(rows).join(delimiter)])
  return {
    lines: insertAll(lines, extra),
    dirt: { rows: lines.length + extra.length, discarded, superseded: repeated },
  }
}

function insertAll(lines: readonly string[], extra: [at: number, line: string][]): string[] {
  const sorted = [...extra].sort((a, b) => a[0] - b[0])
  const out: string[] = []
  let next = 0
  for (let i = 0; i <= lines.length; i++) {
    for (; next < sorted.length && (sorted[next] as [number, string])[0] === i; next++)
      out.push((sorted[next] as [number, string])[1])
    if (i < lines.length) out.push(lines[i] as string)
  }
  return out
}

/** Kinds that every file can have: a record that lost its end, and one with too many fields. */
export function brokenLines(delimiter: string): Spoiler[] {
  return [
    { kind: 'too few fields', spoil: (row) => row.slice(0, 2).join(delimiter) },
    { kind: 'too many fields', spoil: (row) => [...row, 'x', 'y'] },
  ]
}
