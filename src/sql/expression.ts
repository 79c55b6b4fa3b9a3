import { MoraineError } from '../errors.js'
import type { AstNode } from '../plan/ast.js'
import { charactersIn, examineTree, parsed, type Tree } from './guard.js'
import { pointAt } from './pointer.js'

/*
 * A condition that somebody writes is put between parentheses of our own. One like `a) or (b` is no
 * expression, but closes them and opens others, and the whole parses: it means something else than
 * what stands around it says. So a text is proved to be one expression by itself before it is put
 * anywhere.
 */

const ALONE = 'SELECT '
const OPENING = `${ALONE}(\n`

/** The texts to parse for {@link isOneExpression}: it in parentheses, and by itself. */
export const textsOf = (expression: string): [inside: string, alone: string] => [
  `${OPENING}${expression}\n)`,
  `${ALONE}${expression}`,
]

/**
 * Whether a text is one expression wherever it is put. In parentheses, it has no name, no `;` and
 * no clause behind it; by itself, it closes nothing that it has not opened.
 *
 * @param inside the tree of the first of its {@link textsOf}, and `alone` that of the second.
 */
export const isOneExpression = (inside: Tree, alone: Tree): boolean =>
  isExpression(inside) && isExpression(alone)

const clauses = ['where_clause', 'having', 'qualify', 'sample']

function isExpression({ error, statements = [] }: Tree): boolean {
  const node = statements[0]?.node as AstNode | undefined
  if (error || statements.length !== 1 || node?.type !== 'SELECT_NODE') return false
  const list = (name: string) => (node[name] as unknown[] | undefined) ?? []
  const from = node.from_table as AstNode | undefined
  return (
    list('select_list').length === 1 &&
    list('modifiers').length + list('group_expressions').length === 0 &&
    from?.type === 'EMPTY' &&
    ((node.cte_map as { map?: unknown[] } | undefined)?.map ?? []).length === 0 &&
    clauses.every((clause) => !node[clause])
  )
}

/**
 * Proves that texts are one expression each, so that they can stand between parentheses. What they
 * read is proved of the statement that they are put into.
 *
 * @throws MoraineError of kind `query` that shows the text, where it is something else.
 */
export async function proveExpressions(
  parser: { trees(texts: readonly string[]): Promise<string[]> },
  expressions: readonly string[],
): Promise<void> {
  if (expressions.length === 0) return
  const trees = (await parser.trees(expressions.flatMap(textsOf))).map(parsed)
  for (const [i, text] of expressions.entries()) {
    const [inside, alone] = [trees[2 * i] as Tree, trees[2 * i + 1] as Tree]
    if (!isOneExpression(inside, alone)) throw notOne(text, inside, alone)
  }
}

function notOne(text: string, inside: Tree, alone: Tree): MoraineError {
  const hint = 'Write one expression over the columns of a row; put a subquery in parentheses.'
  for (const [tree, before] of [
    [alone, ALONE],
    [inside, OPENING],
  ] as const) {
    const [refusal] = tree.error ? examineTree(tree, `${before}${text}`) : []
    if (!refusal) continue
    const { message, at } = refusal
    const own = at === undefined ? undefined : charactersIn(`${before}${text}`, at) - before.length
    const isOwn = own !== undefined && own >= 0 && own <= text.length
    return new MoraineError('query', isOwn ? message + pointAt(text, own) : message, { hint })
  }
  return new MoraineError('query', `It is not one expression: ${text}`, { hint })
}
