import { MoraineError } from '../errors.js'

/** What a query is saved as. */
export interface Saved {
  /** The dataset's name, without its tier. */
  name: string
  sql: string
  /** `month(day)`, `status`, `bucket(8, id)`. */
  partitions: readonly string[]
  /** The tables that it reads, as the SQL may write them. */
  tables: readonly SavedTable[]
}

/** A table that a query reads. */
export interface SavedTable {
  tier: string
  name: string
  /**
   * The file that defines it, where that is another than `lake.ts`: how `lake.ts` imports it, and
   * its text.
   */
  home?: { specifier: string; text: string } | undefined
}

/**
 * The text of a `lake.ts` with a gold dataset for a query in it: before the lake itself, whose list
 * it joins.
 *
 * @throws MoraineError of kind `usage` where the file is not written as usual; its hint has what is
 *   to be pasted.
 */
export function withSavedQuery(text: string, saved: Saved): string {
  const found = saved.tables.map((table) => ({ table, known: known(text, table) }))
  const names = new Map(
    found.map(({ table: { tier, name }, known }) => [
      `${tier}.${name}`.toLowerCase(),
      known?.variable,
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
    new MoraineError('usage', why, { hint: `Add it yourself:\n\n${definition}` })
  if (missing.length > 0) throw paste(`lake.ts has no variable for ${missing.join(', ')}`)
  const lake = /^export default defineLake\(/m.exec(text)
  const after = lake && withDataset(text.slice(lake.index), own)
  if (!lake || after === undefined)
    throw paste('lake.ts does not end with a lake that lists its datasets')
  if (new RegExp(`\\b(const|let|var|function|class)\\s+${own}\\b`).test(text))
    throw paste(`lake.ts already uses the name ${own} for something else`)
  const at = lake.index
  const lines = found.flatMap(({ known }) => known?.line ?? [])
  const before = withLines(withImports(text.slice(0, at), imports), lines)
  return `${before}${definition}\n\n${after}`
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
    `// A saved query; edit it like any other dataset.`,
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

/** A lake with one dataset more in its list; `undefined` where the list is not written as usual. */
function withDataset(lake: string, own: string): string | undefined {
  const list = /\bdatasets\s*:\s*\[\s*/.exec(lake)
  if (list) return lake.replace(list[0], `${list[0]}${own}, `)
  // `datasets` that was imported, or has another name.
  const named = /\bdatasets\b(?:\s*:\s*([\w$.]+))?(?=\s*[,}])/.exec(lake)
  return named
    ? lake.replace(named[0], `datasets: [${own}, ...${named[1] ?? 'datasets'}]`)
    : undefined
}

/** How `lake.ts` names a dataset, and the import that it needs for that. */
function known(text: string, table: SavedTable): { variable: string; line?: string } | undefined {
  const own = variableOf(text, table)
  if (own !== undefined) return { variable: own }
  const { home } = table
  const exported = home && variableOf(home.text, table)
  if (!home || exported === undefined || !isExported(home.text, exported)) return undefined
  const from = home.specifier.replace(/[.$]/g, '\\$&')
  const imports = new RegExp(`import\\s*\\{([^}]*)\\}\\s*from\\s*['"]${from}['"]`, 'g')
  for (const [, names = ''] of text.matchAll(imports)) {
    const there = new RegExp(`(?:^|,)\\s*${exported}(?:\\s+as\\s+([\\w$]+))?\\s*(?=,|$)`).exec(
      names,
    )
    if (there) return { variable: there[1] ?? exported }
  }
  // A name that means something else here.
  const taken = new RegExp(`\\b${exported.replace(/\$/g, '\\$&')}\\b`).test(withoutTexts(text))
  const variable = taken ? `${exported}Of${capital(table.tier)}` : exported
  const imported = taken ? `${exported} as ${variable}` : exported
  return { variable, line: `import { ${imported} } from '${home.specifier}'` }
}

function isExported(text: string, variable: string): boolean {
  return new RegExp(
    `export\\s+(?:const|let|var)\\s+${variable}\\b|export\\s*\\{[^}]*\\b${variable}\\s*(?:,|\\})`,
  ).test(text)
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1).toLowerCase()
}

function withoutTexts(text: string): string {
  return text.replace(
    /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g,
    '',
  )
}

/** Imports after the last one that is there. */
function withLines(text: string, lines: readonly string[]): string {
  if (lines.length === 0) return text
  const last = [...text.matchAll(/^import\b[^;]*?from\s*['"][^'"]+['"];?[^\n]*\n/gm)].at(-1)
  const at = last ? last.index + last[0].length : 0
  return `${text.slice(0, at)}${[...new Set(lines)].join('\n')}\n${text.slice(at)}`
}

/** The variable that a dataset is assigned to. */
function variableOf(
  text: string,
  { tier, name }: { tier: string; name: string },
): string | undefined {
  const [layer, own] = [tier, name].map((part) => part.replace(/[$()*+.?[\\\]^{|}]/g, '\\$&'))
  const call = `${layer}\\(\\s*['"\`]${own}['"\`]|external\\(\\s*['"\`]${layer}\\.${own}['"\`]`
  const pattern = new RegExp(`(?:const|let|var)\\s+([\\w$]+)\\s*=\\s*(?:${call})`, 'i')
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
  throw new MoraineError('usage', `'${name}' is not a valid partition column`, {
    hint: "Write --partition-by 'month(day)', or the name of a column.",
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
