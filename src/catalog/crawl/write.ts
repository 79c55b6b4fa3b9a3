import type { Found, FoundTable } from './found.js'

/** Definitions for what a crawl found, as TypeScript that runs as it is and is meant to be edited. */
export function definitionsText(found: Found, command: string, lake?: string): string {
  const { imports, preamble, tables } = found
  const derived = tables.some((table) => table.derived)
  const names = [
    'bronze',
    ...(lake === undefined ? [] : ['defineLake']),
    'silver',
    ...(derived ? ['sql'] : []),
    't',
    'z',
  ]
  const parts = [
    `// Written by: ${command}\n// It is yours to edit: types come from what is in the source now, rules from you.`,
    `import { ${names.join(', ')} } from 'moraine'\nimport { ${imports.join(', ')} } from 'moraine/sources'`,
    ...preamble,
    ...tables.map(tableText),
    ...(lake === undefined
      ? [`export const datasets = [${tables.map(({ name }) => variable(name)).join(', ')}]`]
      : [
          `export default defineLake({ name: '${lake}', datasets: [${tables.map(({ name }) => variable(name)).join(', ')}] })`,
        ]),
  ]
  return `${parts.join('\n\n')}\n`
}

/** A name as JavaScript's variables are called. */
function variable(name: string): string {
  const camel = name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
  return RESERVED.has(camel) ? `${camel}Table` : camel
}

const RESERVED = new Set(
  'bronze silver gold sql t z files logs http mysql postgres sqlserver datasets defineLake default class new delete import export function return case switch enum null true false this in of if else for do while var let const void with try catch throw typeof yield await static public private package interface'.split(
    ' ',
  ),
)

function tableText({
  name,
  from,
  columns,
  key,
  cursor,
  description,
  derived = {},
}: FoundTable): string {
  const own = columns.map(({ name, schema, nullable, note, description: about }) => {
    const said = about === undefined ? '' : `.describe(${JSON.stringify(about)})`
    const type = `${schema}${nullable ? '.nullable()' : ''}${said}`
    return `    ${property(name)}: ${type},${note === undefined ? '' : ` // ${note}`}`
  })
  const select = Object.entries(derived).map(
    ([column, text]) => `${property(column)}: sql\`${text}\``,
  )
  const list = key.map((column) => `'${column.replaceAll("'", "\\'")}'`)
  const options = [
    ...(description === undefined ? [] : [`  description: ${JSON.stringify(description)},`]),
    `  from: bronze('${name}', { from: ${from} }),`,
    ...(select.length > 0 ? [`  select: { ${select.join(', ')} },`] : []),
    `  schema: z.object({\n${own.join('\n')}\n  }),`,
    ...(list.length > 0 ? [`  key: ${list.length === 1 ? list[0] : `[${list.join(', ')}]`},`] : []),
    ...(list.length > 0 && cursor !== undefined ? [`  cursor: '${cursor}',`] : []),
  ]
  return `export const ${variable(name)} = silver('${name}', {\n${options.join('\n')}\n})`
}

function property(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : JSON.stringify(name)
}
