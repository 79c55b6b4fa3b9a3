import { type AstNode, nodesOf, queryIn } from './ast.js'
import { type Affects, type Reach, reachOf } from './reach.js'
import {
  type Level,
  refuseFunctions,
  refuseLimit,
  refuseSide,
  refuseStranger,
  Unprovable,
} from './refused/unprovable.js'
import { whyUnrepeatable } from './repeatable.js'
import {
  columnsOfLeaf,
  cteOf,
  ctesOf,
  type Leaf,
  leavesOf,
  nameOf,
  namesGiven,
  plain,
  queryOf,
  refsIn,
  type Scope,
  starColumns,
  substituted,
  type TableName,
  unqualified,
} from './select.js'

export type { Affects } from './reach.js'
export { Unprovable } from './refused/unprovable.js'
export type { TableName } from './select.js'

/** How the part of a row is found, for an input whose rows decide which parts there are. */
export interface Proof {
  driving: TableName
  /** The part of a row of it, as a parsed expression over its columns. */
  expression: AstNode
}

/** What the proof is about. */
export interface ProofInput {
  /** What the parser gave for the query. */
  serialized: string
  /** The column of the result that tells the parts. */
  by: string
  /** How far windows may look beyond their part. */
  affects?: Affects | undefined
  /** The columns of a dataset, in lower case. */
  columnsOf: (table: TableName) => readonly string[]
  /** The type of a dataset's column (its name in lower case), as the engine writes it. */
  typeOf?: (table: TableName, column: string) => string | undefined
}

/**
 * Proves on the parsed SQL that every row of the result depends on rows of one input that fall in
 * the same part, and on nothing else of that input. Where a UNION or the like puts several inputs
 * together, that holds for each of them. Only what is known to keep that is let through: kinds of
 * nodes, joins and functions that nobody has looked at are refused.
 *
 * @throws Unprovable otherwise.
 */
export function proveIncremental(input: ProofInput): Proof[] {
  const root = queryIn(input.serialized)
  if (!root)
    throw new Unprovable(
      'its query is not a plain SELECT',
      'Write it as a plain SELECT, or remove incremental',
    )
  const bad = whyUnrepeatable(root)
  if (bad) throw new Unprovable(bad.message, bad.hint)
  const proofs = new Prover(input, root).prove(root, input.by, [], { affects: input.affects })
  for (const { driving } of proofs) {
    const uses = nodesOf(root).filter(
      (node) => node.type === 'BASE_TABLE' && sameTable(node, driving),
    )
    if (uses.length !== 1)
      throw new Unprovable(
        `${driving.tier}.${driving.name} is read more than once, so rows of one partition could depend on other partitions`,
        'Read it once, or remove incremental',
      )
  }
  return proofs
}

function sameTable(node: AstNode, { tier, name }: TableName): boolean {
  return (
    String(node.schema_name).toLowerCase() === tier.toLowerCase() &&
    String(node.table_name).toLowerCase() === name.toLowerCase()
  )
}

class Prover {
  constructor(
    private readonly input: ProofInput,
    private readonly root: AstNode,
  ) {}

  /** Proves that the part of each row of a query is its column `name`. */
  prove(node: AstNode, name: string, outer: Scope, reach: Reach): Proof[] {
    if (node.type === 'SET_OPERATION_NODE') return this.proveSides(node, name, outer, reach)
    if (node.type !== 'SELECT_NODE')
      throw new Unprovable(
        `'${name}' cannot be traced through a recursive query`,
        'Move it into a dataset of its own, or remove incremental',
      )
    const scope = [...ctesOf(node), ...outer]
    refuseLimit(node, name)
    const leaves = leavesOf(node.from_table as AstNode)
    for (const leaf of leaves) refuseStranger(leaf, scope)
    const expression = this.columnNamed(node, name, leaves, scope)
    refuseFunctions(expression, name)
    const leaf = this.leafOf(expression, leaves, scope, name)
    const level = { node, name, expression, leaf, leaves, scope }
    this.checkDistinct(level)
    this.checkGroups(level)
    const left = this.checkWindows(level, reach)
    refuseSide(level)
    return this.follow(level, left)
  }

  /**
   * Each side of UNION and its kin must give the part, at the same place; only equal rows of both
   * meet.
   */
  private proveSides(node: AstNode, name: string, outer: Scope, reach: Reach): Proof[] {
    const scope = [...ctesOf(node), ...outer]
    refuseLimit(node, name)
    const sides = [node.left, node.right] as AstNode[]
    if (node.setop_type === 'UNION_BY_NAME')
      return sides.flatMap((side) => this.prove(side, name, scope, reach))
    const position = firstNames(node).indexOf(name.toLowerCase())
    if (position < 0)
      throw new Unprovable(
        `'${name}' does not appear in the first side of ${node.setop_type}`,
        'List its columns in the SELECT',
      )
    return sides.flatMap((side) => this.prove(naming(side, position, name), name, scope, reach))
  }

  /** Goes on with the input that a part comes from: a dataset, or a query of its own. */
  private follow({ leaf, expression, name, scope }: Level, reach: Reach): Proof[] {
    const { node } = leaf
    const cte = cteOf(node, scope)
    if (namesGiven(node, scope).length > 0)
      throw new Unprovable(
        `'${name}' comes from columns that are renamed in ${cte?.aliases.length ? 'WITH' : 'FROM'}`,
        'Rename them in the SELECT',
      )
    if (node.type === 'BASE_TABLE' && !cte) {
      const driving = { tier: String(node.schema_name), name: String(node.table_name) }
      return [{ driving, expression: unqualified(expression) }]
    }
    const columns = new Set(
      refsIn(expression).map((ref) => String((ref.column_names as string[]).at(-1)).toLowerCase()),
    )
    const [column] = columns
    if (column === undefined || columns.size > 1)
      throw new Unprovable(
        `'${name}' is computed from several columns of a subquery`,
        'Compute it inside the subquery, and select it from there',
      )
    if (cte && !this.isReadOnce(cte.name))
      throw new Unprovable(
        `${cte.name} is read more than once, so rows of one partition could depend on other partitions`,
        'Read it once, or remove incremental',
      )
    const inner = queryOf(node, scope)
    if (!inner)
      throw new Unprovable(`'${name}' does not come from a dataset`, 'Take it from an input')
    const isSame = expression.class === 'COLUMN_REF'
    const within = isSame || !reach.affects ? reach : { affects: undefined, coarser: name }
    const found = this.prove(inner.query, column, inner.scope, within)
    if (!isSame) this.checkTypes(found, name)
    return found.map(({ driving, expression: own }) => ({
      driving,
      expression: substituted(unqualified(expression), () => own),
    }))
  }

  /** What is computed of the sides of a UNION is computed of the type that they have together. */
  private checkTypes(proofs: readonly Proof[], name: string): void {
    const types = new Set(proofs.map((proof) => this.typeText(proof)))
    if (types.size > 1)
      throw new Unprovable(
        `'${name}' is computed from a column whose type may differ between the sides of a UNION`,
        'Compute it in each side, or cast it there to one type',
      )
  }

  /** The type of a part's expression: texts that are the same stand for the same type. */
  private typeText({ driving, expression }: Proof): string {
    if (expression.class === 'CAST') return JSON.stringify(expression.cast_type)
    const typed = substituted(expression, (ref) => {
      const column = String((ref.column_names as string[]).at(-1)).toLowerCase()
      const type =
        this.input.typeOf?.(driving, column) ?? `${driving.tier}.${driving.name}.${column}`
      return { class: 'TYPE', type }
    })
    return plain(typed)
  }

  private isReadOnce(cte: string): boolean {
    const reads = nodesOf(this.root).filter(
      (node) =>
        node.type === 'BASE_TABLE' &&
        !node.schema_name &&
        String(node.table_name).toLowerCase() === cte,
    )
    return reads.length === 1
  }

  private columns(leaf: Leaf, scope: Scope): readonly string[] | undefined {
    return columnsOfLeaf(leaf, scope, this.input.columnsOf)
  }

  /** The relation that a column's name means; `undefined` where it can't be told. */
  private leafOfRef(ref: AstNode, leaves: readonly Leaf[], scope: Scope): Leaf | undefined {
    const names = (ref.column_names as string[]).map((name) => name.toLowerCase())
    const [column = '', alias] = [names.at(-1), names.at(-2)]
    if (alias !== undefined) {
      const called = leaves.filter((leaf) => leaf.alias === alias)
      return called.length === 1 && names.length === 2 ? called[0] : undefined
    }
    const known = leaves.map((leaf) => this.columns(leaf, scope))
    // Where two have it, they are joined by it.
    const at = known.findIndex((columns) => columns?.includes(column))
    if (at >= 0) return leaves[at]
    const open = leaves.filter((_, i) => known[i] === undefined)
    return open.length === 1 ? open[0] : undefined
  }

  /** The one input that all columns of an expression come from. */
  private leafOf(expression: AstNode, leaves: readonly Leaf[], scope: Scope, name: string): Leaf {
    const refs = refsIn(expression)
    for (const { column_names } of refs) {
      const names = column_names as string[]
      if (names.length > 2)
        throw new Unprovable(
          `'${names.join('.')}' refers to a table with its schema`,
          `Write ${names.slice(-2).join('.')}`,
        )
    }
    const found = new Set(refs.map((ref) => this.leafOfRef(ref, leaves, scope)))
    const [leaf] = found
    if (found.size !== 1 || !leaf)
      throw new Unprovable(
        found.size > 1
          ? `'${name}' is computed from columns of several inputs`
          : `'${name}' does not come from an input`,
        'Take it from the input whose new rows should be processed',
      )
    return leaf
  }

  /** The expression behind a column of a SELECT's result. */
  private columnNamed(node: AstNode, name: string, leaves: readonly Leaf[], scope: Scope): AstNode {
    const items = node.select_list as AstNode[]
    const lower = name.toLowerCase()
    for (const [i, item] of items.entries()) {
      const star = item.class === 'STAR' && this.behindStar(item, items, name, leaves, scope)
      if (star) return star
      if (item.class !== 'STAR' && nameOf(item) === lower)
        return this.withAliases(item, items.slice(0, i), leaves, scope)
    }
    const names = items.map(nameOf).filter(Boolean)
    throw new Unprovable(
      `'${name}' is not a column of the query`,
      `It returns: ${names.join(', ')}`,
    )
  }

  /** The column of a star that has a name; `undefined` where it has none. */
  private behindStar(
    star: AstNode,
    items: readonly AstNode[],
    name: string,
    leaves: readonly Leaf[],
    scope: Scope,
  ): AstNode | undefined {
    const lower = name.toLowerCase()
    const qualifier = String(star.relation_name ?? '')
    const replaced = (star.replace_list as { key: string; value: AstNode }[] | undefined)?.find(
      ({ key }) => key.toLowerCase() === lower,
    )
    const names = starColumns(star, leaves, scope, this.input.columnsOf)
    const only =
      items.length === 1 || !items.some((item) => item !== star && nameOf(item) === lower)
    const plainStar = !star.columns && !star.expr && !(star.rename_list as unknown[])?.length
    // Of a relation whose columns are not known, the star is the only place that the name can come
    // from.
    const open = !names && plainStar && only && items.filter((i) => i.class === 'STAR').length === 1
    if (!names && !open)
      throw new Unprovable(
        `it is unclear which column of * is '${name}'`,
        'List the columns in the SELECT',
      )
    if (names && !names.includes(lower)) return undefined
    if (replaced) return { ...replaced.value, alias: name }
    const column_names = qualifier ? [qualifier, name] : [name]
    return { class: 'COLUMN_REF', type: 'COLUMN_REF', alias: '', column_names }
  }

  /**
   * An expression with those before it in the place of their aliases, where no column is called so.
   */
  private withAliases(
    item: AstNode,
    before: readonly AstNode[],
    leaves: readonly Leaf[],
    scope: Scope,
  ): AstNode {
    return substituted(item, (ref) => {
      const [column = '', ...more] = ref.column_names as string[]
      const at = before.findIndex((one) => one.alias && nameOf(one) === column.toLowerCase())
      if (more.length > 0 || at < 0) return undefined
      if (leaves.some((leaf) => this.columns(leaf, scope)?.includes(column.toLowerCase())))
        return undefined
      if (leaves.some((leaf) => !this.columns(leaf, scope)))
        throw new Unprovable(
          `'${column}' may mean the column or the earlier expression`,
          'Give the expression another name',
        )
      return this.withAliases(before[at] as AstNode, before.slice(0, at), leaves, scope)
    })
  }

  private checkDistinct(level: Level): void {
    const { node, name } = level
    const on = (node.modifiers as AstNode[]).flatMap(
      (modifier) => (modifier.distinct_on_targets as AstNode[] | undefined) ?? [],
    )
    if (on.length > 0 && !on.some((target) => this.isPart(target, level)))
      throw new Unprovable(
        `DISTINCT ON chooses among rows of several values of '${name}'`,
        `Add ${name} to it`,
      )
  }

  private checkGroups(level: Level): void {
    const { node, name } = level
    const groups = node.group_expressions as AstNode[]
    if (groups.length === 0) return
    const sets = node.group_sets as number[][]
    const held = groups.flatMap((group, i) => (this.isPart(group, level) ? [i] : []))
    if (sets.length === 0 || !sets.every((set) => set.some((i) => held.includes(i))))
      throw new Unprovable(
        `'${name}' is not in every GROUP BY, so rows of several partitions are combined`,
        `Add ${name} to the GROUP BY`,
      )
  }

  /** Returns how far those of queries inside may look: their rows are looked at from here. */
  private checkWindows(level: Level, reach: Reach): Reach {
    const { select_list, qualify, modifiers } = level.node
    const { affects, used = { before: 0, after: 0 }, coarser } = reach
    const windows = nodesOf([select_list, qualify, modifiers]).filter((n) => n.class === 'WINDOW')
    let [before, after] = [0, 0]
    for (const window of windows) {
      const partitions = window.partitions as AstNode[]
      if (partitions.some((one) => this.means(one, level))) continue
      const order = (window.orders as { expression: AstNode }[])[0]?.expression
      const isByPart = !!order && this.means(order, level)
      const found = affects && reachOf(window, { affects, used }, isByPart)
      if (found && !('message' in found)) {
        before = Math.max(before, found.before)
        after = Math.max(after, found.after)
        continue
      }
      const unit = coarser
        ? `, which '${coarser}' is computed from, so that affects does not count them`
        : ''
      throw new Unprovable(
        `the window of ${window.function_name} reads rows of several values of '${level.name}'${unit}${found ? `, and ${found.message}` : ''}`,
        found?.hint ??
          `Add ${level.name} to its PARTITION BY${coarser ? '' : '; or declare how far it reaches: affects: { before, after }'}`,
      )
    }
    return { ...reach, used: { before: used.before + before, after: used.after + after } }
  }

  /** Whether an item of GROUP BY or DISTINCT ON is the part, also by its position. */
  private isPart(item: AstNode, level: Level): boolean {
    const value = (item.value as { value?: unknown } | undefined)?.value
    const items = level.node.select_list as AstNode[]
    // Behind a star nobody counts.
    const position = items.findIndex((one) => nameOf(one) === level.name.toLowerCase())
    if (item.class === 'CONSTANT')
      return value === position + 1 && !items.slice(0, position + 1).some((i) => i.class === 'STAR')
    return this.means(item, level)
  }

  /**
   * Whether an expression is the part: the same, or its name where no input has a column of that
   * name.
   */
  private means(other: AstNode, { expression, leaf, leaves, scope, name }: Level): boolean {
    const resolved = refsIn(other).map((ref) => this.leafOfRef(ref, leaves, scope))
    const same = plain(other) === plain(expression)
    if (same && resolved.every((one) => one === leaf)) return true
    const names = (other.column_names as string[] | undefined) ?? []
    const isName = names.length === 1 && names[0]?.toLowerCase() === name.toLowerCase()
    return (
      isName &&
      leaves.every((one) => this.columns(one, scope)?.includes(name.toLowerCase()) === false)
    )
  }
}

/** A query whose column at a place has a name. */
function naming(node: AstNode, position: number, name: string): AstNode {
  if (node.type === 'SET_OPERATION_NODE') {
    const given = firstNames(node)[position]
    if (node.setop_type !== 'UNION_BY_NAME' || given === name.toLowerCase())
      return { ...node, left: naming(node.left as AstNode, position, name) }
    throw new Unprovable(
      `it is unclear which column of UNION BY NAME is '${name}'`,
      `Name it ${name} there, too`,
    )
  }
  const items = (node.select_list as AstNode[] | undefined) ?? []
  if (items.slice(0, position + 1).some((item) => item.class === 'STAR'))
    throw new Unprovable(
      `it is unclear which column of * is '${name}'`,
      'List the columns in the SELECT',
    )
  return {
    ...node,
    select_list: items.map((item, i) => (i === position ? { ...item, alias: name } : item)),
  }
}

/** The names that the first side of a UNION writes out. */
function firstNames(query: AstNode): string[] {
  if (query.type === 'SET_OPERATION_NODE') return firstNames(query.left as AstNode)
  return ((query.select_list as AstNode[] | undefined) ?? []).map(nameOf)
}
