/** A part of a result that is not as expected, ready to be shown. */
export interface Difference {
  /** `rows`, `discarded rows`, `checks`. */
  what: string
  text: string
}

/** Two lists of rows, as texts by column, that should hold the same in any order. */
export interface Compared {
  columns: readonly string[]
  expected: readonly (readonly string[])[]
  found: readonly (readonly string[])[]
}

/** A table of what is missing (`-`) and what is too much (`+`); `undefined` when nothing is. */
export function rowDiff({ columns, expected, found }: Compared): string | undefined {
  const key = (row: readonly string[]) => JSON.stringify(row)
  const counts = new Map<string, number>()
  for (const row of found) counts.set(key(row), (counts.get(key(row)) ?? 0) + 1)
  const missing = expected.filter((row) => {
    const left = counts.get(key(row)) ?? 0
    counts.set(key(row), left - 1)
    return left <= 0
  })
  const more = [...counts].flatMap(([row, left]) =>
    Array.from({ length: Math.max(0, left) }, () => JSON.parse(row) as string[]),
  )
  if (missing.length + more.length === 0) return undefined
  const lines = [
    ...missing.map((row) => ({ mark: '-', row, note: 'expected' })),
    ...more.map((row) => ({ mark: '+', row, note: 'found' })),
  ].sort((a, b) => (key(a.row) < key(b.row) ? -1 : key(a.row) > key(b.row) ? 1 : 0))
  const widths = columns.map((name, i) =>
    Math.max(name.length, ...lines.map(({ row }) => (row[i] ?? '').length)),
  )
  const cells = (row: readonly string[]) =>
    row.map((text, i) => text.padEnd(widths[i] as number)).join('  ')
  return [
    `    ${cells(columns)}`,
    ...lines.map(({ mark, row, note }) => `  ${mark} ${cells(row)}  ${note}`),
  ].join('\n')
}
