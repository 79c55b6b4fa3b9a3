import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAst } from 'vitest/node'
import { repository } from './project.js'

/** What a table of options is about: a title, and the interface that declares them. */
export interface Section {
  title: string
  /** What stands before the table: where the options are given. */
  about: string
  file: string
  name: string
}

interface Node {
  type: string
  start: number
  end: number
  [name: string]: any
}

/** An interface, with the text of the file that it is in. */
interface Declared {
  node: Node
  text: string
}

/** Interfaces that a file declares, and those of the files that it imports types from. */
function interfacesIn(file: string, deep = true): Map<string, Declared> {
  const text = readFileSync(join(repository, 'src', file), 'utf8')
  const found = new Map<string, Declared>()
  for (const statement of parseAst(text, { lang: 'ts' }).body as unknown as Node[]) {
    const node: Node = statement.declaration ?? statement
    if (node.type === 'TSInterfaceDeclaration') found.set(node.id.name, { node, text })
    const from = statement.type === 'ImportDeclaration' ? statement.source.value : ''
    if (!deep || !from.startsWith('.')) continue
    for (const [name, declared] of interfacesIn(join(file, '..', from.replace(/js$/, 'ts')), false))
      if (!found.has(name)) found.set(name, declared)
  }
  return found
}

const LONGEST = 60
const code = (text: string) => `\`${text.replaceAll('|', '\\|')}\``

/** Rows of a table for the members of an interface, those that it inherits last. */
function rowsOf(name: string, all: Map<string, Declared>, seen = new Set<string>()): string[] {
  const declared = all.get(name)
  if (!declared) throw new Error(`There is no interface ${name}`)
  const { node, text } = declared
  const rows: string[] = []
  for (const member of node.body.body as Node[]) {
    const key = text.slice(member.key.start, member.key.end)
    if (seen.has(key)) continue
    seen.add(key)
    rows.push(row(key, member, text))
  }
  for (const base of (node.extends ?? []) as Node[]) {
    const of = text.slice(base.start, base.end)
    const [, less, left = ''] = /^Omit<(\w+), (.*)>$/.exec(of) ?? []
    for (const [, one = ''] of left.matchAll(/'([^']+)'/g)) seen.add(one)
    rows.push(...rowsOf(less ?? base.expression.name, all, seen))
  }
  return rows
}

/** An option: its name, type and what its docstring says. */
function row(key: string, member: Node, text: string): string {
  const of: Node | undefined = member.typeAnnotation?.typeAnnotation
  const type = of ? text.slice(of.start, of.end).replace(/\s+/g, ' ') : ''
  const isShown = type.length > 0 && type.length <= LONGEST && !type.includes('`')
  const needed = member.optional ? '' : ' (required)'
  return `| ${code(key)}${needed} | ${isShown ? code(type) : ''} | ${saidBefore(text, member.start)} |`
}

/** The docstring that ends before a place. */
function saidBefore(text: string, at: number): string {
  const before = text.slice(0, at).trimEnd()
  if (!before.endsWith('*/')) return ''
  return before
    .slice(before.lastIndexOf('/**') + 3, -2)
    .replace(/^\s*\* ?/gm, ' ')
    .replace(/@(default|example)\b.*/s, '')
    .replace(/\\`/g, '`')
    .replace(/\s+/g, ' ')
    .replaceAll('|', '\\|')
    .trim()
}

/** A section of the page: its options as a table. */
export function optionsOf({ title, about, file, name }: Section): string {
  const rows = rowsOf(name, interfacesIn(file))
  return [
    `## ${title}`,
    '',
    about,
    '',
    '| Option | Type | |',
    '| --- | --- | --- |',
    ...rows,
    '',
  ].join('\n')
}
