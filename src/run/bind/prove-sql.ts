import { fullName } from '../../define/dataset.js'
import { viewsOf } from '../../define/inputs.js'
import type { AnyDataset, Gold, Silver, Sql } from '../../define/model.js'
import { lookupOf } from '../../define/sql/lookup.js'
import { datasetsIn, historiesIn, renderSql } from '../../define/sql/sql.js'
import { placeInSql, placeOfText } from '../../define/sql/sql-places.js'
import type { Engine, Session } from '../../engine/engine.js'
import { DefinitionError, type Problem } from '../../errors.js'
import { type AstNode, nodesOf } from '../../plan/ast.js'
import { FILES, whyNotCallable } from '../../sql/callable.js'
import { isOneExpression, textsOf } from '../../sql/expression.js'
import { examine, examineTree, parsed, type Refusal, type Tree } from '../../sql/guard.js'
import { folded, visit } from '../../sql/relations.js'

/** How other tools write what a dataset is called in SQL. */
const templates = /\{\{[^}]*\}\}|\{%[^%]*%\}/
const calls = ['ref', 'source', 'this', 'var', 'config']
/** What a check's SQL calls its table. */
const THIS = 'this_table'

/** A piece of SQL in a definition. */
export interface OwnSql {
  /** What it is of its dataset: `query`, `rule 'paid'`. */
  what: string
  sql: Sql
  /** Whether it is an expression over a row rather than a query. */
  expression: boolean
}

/** All SQL that a definition holds as text. */
export function sqlOf(dataset: AnyDataset): OwnSql[] {
  if (dataset.tier === 'bronze') return []
  const found: OwnSql[] = []
  const add = (what: string, sql: string | Sql | undefined, expression: boolean) => {
    if (sql !== undefined && typeof sql !== 'string' && !lookupOf(sql))
      found.push({ what, sql, expression })
  }
  if (dataset.tier === 'gold') add('query', dataset.query, false)
  else {
    for (const chosen of Object.values(dataset.select)) add('select', chosen, true)
    for (const { name, condition } of dataset.rules) add(`rule '${name}'`, condition, true)
    add('deleteWhen', dataset.deleteWhen, true)
  }
  for (const check of dataset.checks) if (check.check === 'sql') add('check', check.query, false)
  return found
}

/** Datasets of which all SQL was proved by this process. */
const proved = new WeakSet<AnyDataset>()

/** Whether {@link proveDefinition} has nothing left to do. */
function isProved(dataset: AnyDataset): boolean {
  return dataset.tier === 'bronze' || proved.has(dataset)
}

/** Proves SQL of which the log says nothing: what was built before may be by another program. */
export async function prove(engine: Engine, dataset: Silver | Gold): Promise<void> {
  if (isProved(dataset)) return
  const session = await engine.open()
  try {
    await proveDefinition(session, dataset)
  } finally {
    session.close()
  }
}

/**
 * Proves that the SQL of a definition reads nothing but the datasets that it names as values: no
 * file, no setting of the machine. Nothing of it may run before.
 *
 * @throws DefinitionError with all that it may not do.
 */
export async function proveDefinition(session: Session, dataset: AnyDataset): Promise<void> {
  if (isProved(dataset) || dataset.tier === 'bronze') return
  for (const view of viewsOf(dataset)) await proveDefinition(session, view)
  const found = await sqlProblems(session, dataset, sqlOf(dataset))
  const problems = [...found.values()].flat()
  if (problems.length > 0) throw new DefinitionError(problems)
  proved.add(dataset)
}

/**
 * What pieces of SQL may not do, or read in their text rather than through `${}`; those that are
 * sound are not there.
 */
export async function sqlProblems(
  session: Session,
  dataset: Silver | Gold,
  pieces: readonly OwnSql[],
): Promise<Map<Sql, Problem[]>> {
  const texts = pieces.map(({ sql, expression }) => {
    const rendered = renderSql(sql)
    return expression ? textsOf(rendered) : [rendered]
  })
  const trees = (await session.parser.trees(texts.flat())).values()
  const found = new Map<Sql, Problem[]>()
  for (const [i, piece] of pieces.entries()) {
    const [text = '', bare] = texts[i] ?? []
    const tree = parsed(String(trees.next().value))
    const alone = bare === undefined ? undefined : parsed(String(trees.next().value))
    const problems = problemsIn(dataset, piece, text, tree, alone)
    if (problems.length > 0) found.set(piece.sql, problems)
  }
  return found
}

function problemsIn(
  dataset: Silver | Gold,
  { what, sql, expression }: OwnSql,
  text: string,
  tree: Tree,
  alone: Tree | undefined,
): Problem[] {
  const template = templateIn(dataset, what, sql)
  if (template) return [template]
  const place = (refusal: Refusal) => placeOf(sql, text, refusal, expression ? 1 : 0)
  const problem = (refusal: Refusal): Problem => ({
    message: `${fullName(dataset)}: ${refusal.message}`,
    place: place(refusal),
    hint: refusal.hint,
  })
  const whole = wholeProblem(text, tree, alone, what)
  if (whole) return [problem(whole)]
  const visited = [...visit(tree.statements)]
  const named = new Set([
    ...datasetsIn(sql).map((d) => folded(fullName(d))),
    ...historiesIn(sql).map((d) => folded(`history.${d.name}`)),
    ...(what === 'check' ? [THIS] : []),
  ])
  const foreign = visited.flatMap(({ node, free }) => foreignName(node, free, named) ?? [])
  const problems = [...new Map(foreign.map((table) => [table.text, table])).values()].map(
    ({ text, shown, table, hint }): Problem => ({
      message: `${fullName(dataset)}: its SQL contains ${shown} as plain text, but datasets must be referenced by their variables`,
      place: placeOfText(sql, text),
      hint:
        hint ??
        `Write ${variableFor(table)}, the variable of the dataset, so that it is built first`,
    }),
  )
  const others = examine(visited, whyNotAt).filter(
    ({ named }) => named?.kind !== 'function' || !calls.includes(named.name),
  )
  return [...problems, ...others.map(withHint).map(problem)]
}

function templateIn(dataset: Silver | Gold, what: string, sql: Sql): Problem | undefined {
  for (const part of sql.parts) {
    const template = part.kind === 'text' ? templates.exec(part.text)?.[0] : undefined
    if (template)
      return {
        message: `${fullName(dataset)}: ${what === 'query' ? 'its query' : `its ${what}`} contains a template, ${shortened(template)}`,
        place: placeOfText(sql, template),
        hint: `Moraine has no templates; use ${variableFor(nameIn(template))}, a variable of your lake.ts`,
      }
  }
  return undefined
}

/** Why a text is not one query, or not one expression wherever it is put. */
function wholeProblem(
  text: string,
  tree: Tree,
  alone: Tree | undefined,
  what: string,
): Refusal | undefined {
  const [found] = examineTree(tree, text)
  if (found) return found
  // It is put into statements of our own.
  const end = /;\s*$/.exec(text)
  if (end)
    return {
      message: `its ${what} ends with a semicolon`,
      hint: 'Remove it.',
      at: Buffer.byteLength(text.slice(0, end.index)),
    }
  if (!alone || isOneExpression(tree, alone)) return undefined
  return {
    message: `its ${what} is not one expression`,
    hint: 'Write one expression over the columns of a row; put a subquery in parentheses.',
  }
}

/** Tables that are named as text are told apart; beside them there is only time travel. */
function whyNotAt(node: AstNode): Refusal | undefined {
  return node.at_clause
    ? {
        message: 'AT cannot be used in a definition',
        hint: 'A run always reads the current state of its inputs.',
      }
    : undefined
}

/** A function that opens files is one way to read them; in a definition there is a better one. */
function withHint(refusal: Refusal): Refusal {
  const { named } = refusal
  if (named?.kind !== 'function') return refusal
  const why = whyNotCallable(named.name, 'from')
  if (why === 'unknown') return refusal
  if (why !== FILES)
    return {
      ...refusal,
      hint: 'The SQL of a definition can only use rows of the datasets that it references.',
    }
  return {
    ...refusal,
    hint: "Read files with a dataset of their own: bronze('…', { from: files('…') })",
  }
}

/**
 * Where a refusal stands in the user's file. `before` counts the lines that stand before the SQL in
 * the text.
 */
function placeOf(sql: Sql, text: string, { at, named }: Refusal, before: number) {
  if (at === undefined) return named ? placeOfText(sql, named.name) : sql.place
  const bytes = Buffer.from(text)
  const lines = bytes.subarray(0, at).toString().split('\n')
  const near = /^[\w"]+/.exec(bytes.subarray(at, at + 200).toString())?.[0]
  const line = Math.max(1, lines.length - before)
  return placeInSql(sql, { line, column: (lines.at(-1) ?? '').length + 1, near })
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
  free: boolean,
  named: ReadonlySet<string>,
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
  if (!free) return undefined
  const schema = String(node.schema_name ?? '')
  const table = String(node.table_name ?? '')
  const catalog = String(node.catalog_name ?? '')
  const name = [catalog, schema, table].filter((part) => part !== '').join('.')
  if (named.has(folded(name)) && (schema !== '' || folded(table) === THIS)) return undefined
  const file = /[./]/.test(table) ? table : undefined
  return {
    text: table,
    shown: name,
    table,
    ...(file
      ? { hint: `Read the file with a dataset of its own: bronze('…', { from: files('${file}') })` }
      : {}),
    ...(schema === 'discarded' || schema === 'deleted'
      ? {
          hint: `The ${schema} rows can be queried, but cannot be used as an input: moraine query "from ${name}"`,
        }
      : {}),
    ...(schema === 'history'
      ? { hint: `Write \${history(${camel(table)})}, imported from moraine` }
      : {}),
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
