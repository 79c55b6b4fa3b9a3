import { fullName, type Gold, type Silver } from '../define/dataset.js'
import { datasetsIn, historiesIn, placeOfText, renderSql, type Sql } from '../define/sql.js'
import type { Session } from '../engine/engine.js'
import { parseTree } from '../engine/parse.js'
import type { Problem } from '../errors.js'
import { type AstNode, cteNames, nodesOf } from '../plan/ast.js'

/** How other tools write what a dataset is called in SQL. */
const templates = /\{\{[^}]*\}\}|\{%[^%]*%\}/
const calls = ['ref', 'source', 'this', 'var', 'config']
/** What a check's SQL calls its table. */
const THIS = 'this_table'

/**
 * What SQL reads in its text rather than through `${}`: nothing would be built before it, and no change of it would be seen.
 *
 * @param expression whether the SQL is an expression over a row rather than a query.
 */
export async function referenceProblems(
  session: Session,
  dataset: Silver | Gold,
  what: string,
  sql: Sql,
  expression: boolean,
): Promise<Problem[]> {
  const name = fullName(dataset)
  const problem = (text: string, message: string, hint: string): Problem => ({
    message: `${name}: ${message}`,
    place: placeOfText(sql, text),
    hint,
  })
  for (const part of sql.parts) {
    const template = part.kind === 'text' ? templates.exec(part.text)?.[0] : undefined
    if (template)
      return [
        problem(
          template,
          `${what === 'query' ? 'its query' : `its ${what}`} holds a template, ${shortened(template)}`,
          `Moraine has no templates: write ${variableFor(nameIn(template))}, a variable of your lake.ts`,
        ),
      ]
  }
  const rendered = renderSql(sql)
  const tree = JSON.parse(
    await parseTree(session, expression ? `SELECT (\n${rendered}\n)` : rendered),
  )
  // What does not parse is told when it is bound.
  if (tree.error) return []
  const nodes = nodesOf(tree.statements)
  const ctes = new Set(nodes.flatMap(cteNames).map((cte) => cte.toLowerCase()))
  const named = new Set([
    ...datasetsIn(sql).map((d) => fullName(d).toLowerCase()),
    ...historiesIn(sql).map((d) => `history.${d.name}`.toLowerCase()),
  ])
  const found = nodes.flatMap((node) => foreignName(node, named, ctes) ?? [])
  return [...new Map(found.map((table) => [table.text, table])).values()].map(
    ({ text, shown, table, hint }) =>
      problem(
        text,
        `its SQL names ${shown} as text, where datasets are named by their variables`,
        hint ?? `Write ${variableFor(table)}, the variable of the dataset: it is then built first`,
      ),
  )
}

interface Foreign {
  /** As it stands in the SQL. */
  text: string
  shown: string
  table: string
  hint?: string
}

/** A table that a node reads and that is none of those that are named as values. */
function foreignName(
  node: AstNode,
  named: ReadonlySet<string>,
  ctes: ReadonlySet<string>,
): Foreign | undefined {
  if (node.type === 'TABLE_FUNCTION') {
    const call = node.function as AstNode | undefined
    const name = String(call?.function_name ?? '')
    if (!calls.includes(name.toLowerCase())) return undefined
    const texts = nodesOf(call?.children).flatMap(({ value }) => {
      const found = (value as { value?: unknown } | undefined)?.value
      return typeof found === 'string' ? [found] : []
    })
    const shown = `${name}(${texts.map((text) => `'${text}'`).join(', ')})`
    return { text: `${name}(`, shown, table: texts.at(-1) ?? 'orders' }
  }
  if (node.type !== 'BASE_TABLE' || 'class' in node) return undefined
  const schema = String(node.schema_name ?? '')
  const table = String(node.table_name ?? '')
  const name = schema ? `${schema}.${table}` : table
  if (named.has(name.toLowerCase())) return undefined
  if (!schema && (ctes.has(table.toLowerCase()) || table.toLowerCase() === THIS)) return undefined
  const file = /[./]/.test(table) ? table : undefined
  return {
    text: table,
    shown: name,
    table,
    ...(file
      ? { hint: `Read the file by a dataset of its own: bronze('…', { from: files('${file}') })` }
      : {}),
    ...(schema === 'discarded' || schema === 'deleted'
      ? { hint: `What was ${schema} can be queried, but is no input: moraine query "from ${name}"` }
      : {}),
    ...(schema === 'history' ? { hint: `Write \${history(${camel(table)})}, from moraine` } : {}),
  }
}

/** The last name in quotes, which is the model's. */
function nameIn(template: string): string {
  return /['"]([^'"]+)['"]\s*\)?[^'"]*$/.exec(template)?.[1] ?? 'orders'
}

function variableFor(name: string): string {
  return `\${${camel(name)}}`
}

function camel(name: string): string {
  const letters = name.replace(/[^A-Za-z0-9]+([A-Za-z0-9])/g, (_, letter) => letter.toUpperCase())
  return letters.replace(/[^A-Za-z0-9]/g, '').replace(/^\d+/, '') || 'orders'
}

function shortened(text: string): string {
  return text.length > 40 ? `${text.slice(0, 39)}…` : text
}
