import { MoraineError } from '../errors.js'

/** What a query is saved as. */
export interface Saved {
  /** The dataset's name, without its tier. */
  name: string
  sql: string
  /** `month(day)`, `status`, `bucket(8, id)`. */
  partitions: readonly string[]
  /** The tables that it reads, as the SQL may write them. */
  tables: readonly { tier: string; name: string }[]
}

/**
 * The text of a `lake.ts` with a gold dataset for a query in it: before the lake itself, whose list it joins.
 *
 * @throws MoraineError of kind `usage` where the file is not written as usual; its hint has what is to be pasted.
 */
export function withSavedQuery(text: string, saved: Saved): string {
  const names = new Map(
    saved.tables.map((table) => [
      `${table.tier}.${table.name}`.toLowerCase(),
      variableOf(text, table),
    ]),
  )
  const own = variable(saved.name)
  const partitions = saved.partitions.map(partitionText)
  const definition = definitionText(
    saved,
    own,
    names,
    partitions.map(({ text }) => text),
  )
  const imports = ['gold', 'sql', ...partitions.flatMap(({ uses }) => uses)]
  const missing = [...names].filter(([, name]) => name === undefined).map(([table]) => table)
  const paste = (why: string) =>
    new MoraineError('usage', why, { hint: `Put it there yourself:\n\n${definition}` })
  if (missing.length > 0) throw paste(`lake.ts has no variable for ${missing.join(', ')}`)
  const lake = /^export default defineLake\(/m.exec(text)
  const list = /(datasets:\s*\[)(\s*)/.exec(text.slice(lake?.index))
  if (!lake || !list) throw paste('lake.ts does not end with a lake that lists its datasets')
  if (new RegExp(`\\b(const|let|var|function|class)\\s+${own}\\b`).test(text))
    throw paste(`lake.ts has something else that is called ${own}`)
  const at = lake.index
  const after = text.slice(at).replace(/(datasets:\s*\[)(\s*)/, `$1$2${own}, `)
  return `${withImports(text.slice(0, at), imports)}${definition}\n\n${after}`
}

function definitionText(
  { name, sql }: Saved,
  own: string,
  names: ReadonlyMap<string, string | undefined>,
  partitions: readonly string[],
): string {
  const lines = template(sql.trim().replace(/;\s*$/, ''), names)
    .split('\n')
    .map((line) => `    ${line}`)
  return [
    `// A query that was saved; change it as any other dataset.`,
    `export const ${own} = gold('${name}', {`,
    '  query: sql`',
    `${lines.join('\n')}\`,`,
    ...(partitions.length > 0 ? [`  partitionBy: [${partitions.join(', ')}],`] : []),
    '})',
  ].join('\n')
}

/** SQL as a template: tables become datasets, and nothing in it means anything to JavaScript. */
function template(sql: string, names: ReadonlyMap<string, string | undefined>): string {
  const escaped = sql.replace(/[\\`]|\$(?=\{)/g, '\\$&')
  const parts = /'(?:[^']|'')*'|--[^\n]*|\/\*[\s\S]*?\*\/|"?\b([a-z]+)\b"?\s*\.\s*"?\b(\w+)\b"?/gi
  return escaped.replace(parts, (token, tier?: string, table?: string) => {
    const name = tier && table ? names.get(`${tier}.${table}`.toLowerCase()) : undefined
    return name === undefined ? token : `\${${name}}`
  })
}

/** The variable that a dataset is assigned to. */
function variableOf(
  text: string,
  { tier, name }: { tier: string; name: string },
): string | undefined {
  const pattern = new RegExp(
    `(?:const|let|var)\\s+([\\w$]+)\\s*=\\s*${tier}\\(\\s*['"\`]${name}['"\`]`,
    'i',
  )
  return pattern.exec(text)?.[1]
}

function variable(name: string): string {
  return name.replace(/_+([a-z0-9])/gi, (_, letter: string) => letter.toUpperCase())
}

function partitionText(given: string): { text: string; uses: string[] } {
  const [, transform = '', inside = ''] =
    /^(year|month|day|hour|bucket|truncate)\((.+)\)$/.exec(given.trim()) ?? []
  if (transform === '') return { text: `'${checkedColumn(given.trim())}'`, uses: [] }
  const parts = inside.split(',').map((part) => part.trim())
  const width = parts.find((part) => /^\d+$/.test(part))
  const column = checkedColumn(parts.find((part) => !/^\d+$/.test(part)) ?? '')
  const text = `${transform}('${column}'${width === undefined ? '' : `, ${width}`})`
  return { text, uses: [transform] }
}

function checkedColumn(name: string): string {
  if (/^\w+$/.test(name)) return name
  throw new MoraineError('usage', `'${name}' can't be a column to partition by`, {
    hint: "Write it as --partition-by 'month(day)', or the name of a column.",
  })
}

/** Adds what is missing to the import of Moraine. */
function withImports(text: string, names: readonly string[]): string {
  const found = /import\s*\{([^}]*)\}\s*from\s*['"]moraine['"]/.exec(text)
  if (!found) return `import { ${[...new Set(names)].join(', ')} } from 'moraine'\n${text}`
  const there = (found[1] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean)
  const all = [...new Set([...there, ...names])].sort((a, b) =>
    a.toLowerCase() < b.toLowerCase() ? -1 : 1,
  )
  return text.replace(found[0], `import { ${all.join(', ')} } from 'moraine'`)
}
