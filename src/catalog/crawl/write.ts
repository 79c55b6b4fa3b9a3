import type { Found, FoundTable } from './found.js'
import { codeText } from './readings.js'

/**
 * Definitions for what a crawl found, as TypeScript that runs as it is and is meant to be edited.
 */
export function definitionsText(found: Found, command: string, lake?: string): string {
  const { imports, preamble, tables } = found
  const derived = tables.some((table) => table.derived)
  const variables = variablesOf(tables)
  const names = [
    'bronze',
    ...(lake === undefined ? [] : ['defineLake']),
    'silver',
    ...(derived ? ['sql'] : []),
    't',
    'z',
  ]
  const parts = [
    `// Written by: ${comment(command)}\n// Edit it freely: types come from the current data of the source, rules from you.`,
    `import { ${names.join(', ')} } from 'moraine'\nimport { ${imports.join(', ')} } from 'moraine/sources'`,
    ...preamble,
    ...tables.map((table, i) => tableText(table, variables[i] as string)),
    ...(lake === undefined
      ? [`export const datasets = [${variables.join(', ')}]`]
      : [`export default defineLake({ name: '${lake}', datasets: [${variables.join(', ')}] })`]),
  ]
  return `${parts.join('\n\n')}\n`
}

/** Names of datasets as JavaScript's variables are called, each once. */
function variablesOf(tables: readonly FoundTable[]): string[] {
  const taken = new Set(RESERVED)
  return tables.map(({ name }) => {
    const camel = name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
    const preferred = RESERVED.has(camel) ? `${camel}Table` : camel
    let own = preferred
    for (let n = 2; taken.has(own); n++) own = `${preferred}_${n}`
    taken.add(own)
    return own
  })
}

/** A text within a comment that goes to the end of its line. */
const comment = (text: string) => text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')

/** A lake's name after that of its folder. */
export function lakeNameOf(folder: string): string {
  const plain = folder
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[-_]+|[-_]+$/g, '')
  return plain === '' ? 'lake' : /^[a-z]/.test(plain) ? plain : `lake-${plain}`
}

const RESERVED = new Set(
  [
    'bronze silver gold sql t z files logs http mysql postgres sqlserver datasets defineLake default class new delete import export function',
    'return case switch enum null true false this in of if else for do while var let const void with try catch throw typeof yield await static',
    'public private protected package interface implements extends super instanceof debugger finally break continue arguments eval undefined',
    'async get set type NaN Infinity globalThis process require module exports',
  ]
    .join(' ')
    .split(' '),
)

function tableText(table: FoundTable, variable: string): string {
  const { name, from, columns, key, cursor, description, sampled, derived = {} } = table
  const own = columns.map(({ name, schema, nullable, note, description: about }) => {
    const said = about === undefined ? '' : `.describe(${codeText(about)})`
    const type = `${schema}${nullable ? '.nullable()' : ''}${said}`
    return `    ${property(name)}: ${type},${note === undefined ? '' : ` // ${comment(note)}`}`
  })
  const select = Object.entries(derived).map(
    ([column, text]) => `${property(column)}: sql\`${text}\``,
  )
  const list = key.map(codeText)
  const options = [
    ...(description === undefined ? [] : [`  description: ${codeText(description)},`]),
    `  from: bronze('${name}', { from: ${from} }),`,
    ...(select.length > 0 ? [`  select: { ${select.join(', ')} },`] : []),
    `  schema: z.object({\n${own.join('\n')}\n  }),`,
    ...(list.length > 0 ? [`  key: ${list.length === 1 ? list[0] : `[${list.join(', ')}]`},`] : []),
    ...(list.length > 0 && cursor !== undefined ? [`  cursor: ${codeText(cursor)},`] : []),
  ]
  const about =
    sampled === undefined
      ? ''
      : `// Types were inferred from ${comment(sampled)}; values that do not fit are discarded with their reasons.\n`
  return `${about}export const ${variable} = silver('${name}', {\n${options.join('\n')}\n})`
}

function property(name: string): string {
  if (name === '__proto__') return `['${name}']`
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : codeText(name)
}
