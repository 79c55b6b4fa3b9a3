/** A node of the tree that DuckDB's parser gives as JSON. */
export interface AstNode {
  class?: string
  type?: string
  [key: string]: unknown
}

/**
 * A tree as the parser gives it. Whole numbers that JavaScript can't hold are kept by their digits:
 * `{ digits: '9007199254740993' }`.
 */
export function readTree(serialized: string): unknown {
  return JSON.parse(serialized.replace(/"(value|upper|lower)":(-?\d{16,})(?=[,}])/g, byDigits))
}

const byDigits = (found: string, name: string, digits: string) =>
  Number.isSafeInteger(Number(digits)) ? found : `"${name}":{"digits":"${digits}"}`

/** The other way: a tree, or a part of one, as the parser reads it. */
export function writtenTree(tree: unknown): string {
  return JSON.stringify(tree)
    .replace(/\{"digits":"(-?\d+)"\}/g, '$1')
    .replace(WHOLE_DOUBLE, '$1.0')
}

/** A `DOUBLE` without a fraction, which the parser would not take for one. */
const WHOLE_DOUBLE =
  /("type":\{"id":"DOUBLE","type_info":null\},"is_null":false,"value":-?\d+)(?=\})/g

/** The query of a text, as the parser gives its tree; `undefined` where there is none. */
export function queryIn(serialized: string): AstNode | undefined {
  const tree = readTree(serialized) as { statements?: { node: AstNode }[] }
  return tree.statements?.[0]?.node
}

/** All nodes of a tree, parents first. */
export function nodesOf(tree: unknown): AstNode[] {
  const found: AstNode[] = []
  const visit = (value: unknown) => {
    if (Array.isArray(value)) value.forEach(visit)
    else if (value !== null && typeof value === 'object') {
      const node = value as AstNode
      if (typeof node.type === 'string') found.push(node)
      for (const name in node) visit(node[name])
    }
  }
  visit(tree)
  return found
}

/** A constant as SQL would print it. */
export interface Constant {
  text: string
  /**
   * How it is compared: as a text is read, by all of its digits, or as a `DOUBLE`; `unclear` where
   * a cast may make another value of it.
   */
  kind: 'text' | 'exact' | 'double' | 'unclear'
}

/** The value of a constant, or of a cast of one; `undefined` for anything else. */
export function constantOf(tree: unknown): Constant | undefined {
  const node = tree as AstNode | undefined
  // `date '2008-01-01'` is a cast of a text, and `true` one of 't'.
  if (node?.class === 'CAST') {
    const inner = constantOf(node.child)
    return inner && (castTo(node.cast_type as TypeNode, inner) ?? { ...inner, kind: 'unclear' })
  }
  if (node?.class !== 'CONSTANT') return undefined
  const {
    type,
    is_null,
    value: given,
  } = node.value as {
    type: TypeNode
    is_null: boolean
    value: unknown
  }
  const value = (given as { digits?: string } | null)?.digits ?? given
  if (is_null || typeof value === 'object') return undefined
  // `1e400`: nothing is chosen by it.
  if (typeof value === 'number' && !Number.isFinite(value)) return undefined
  const text = String(value)
  if (type.id === 'VARCHAR') return { text, kind: 'text' }
  if (type.id === 'DOUBLE') return { text, kind: 'double' }
  if (type.id === 'DECIMAL') return { text: scaledText(text, scaleOf(type)), kind: 'exact' }
  return type.id === 'BOOLEAN' || wholeTypes.includes(type.id) ? { text, kind: 'exact' } : undefined
}

interface TypeNode {
  id: string
  type_info: { scale?: number } | null
}

const scaleOf = ({ type_info }: TypeNode) => type_info?.scale ?? 0

const wholeTypes = ['TINYINT', 'SMALLINT', 'INTEGER', 'BIGINT']

/** Texts that are values of a type as they stand; others are read somehow, or cut. */
const asTheyStand: Readonly<Record<string, RegExp>> = {
  ...Object.fromEntries(wholeTypes.map((id) => [id, /^[+-]?\d+$/])),
  DATE: /^\d{4,6}-\d\d-\d\d$/,
  TIMESTAMP: /^\d{4,6}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)?$/,
  'TIMESTAMP WITH TIME ZONE':
    /^\d{4,6}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d(?::\d\d)?)?)?$/,
}

function castTo(type: TypeNode, { text, kind }: Constant): Constant | undefined {
  if (kind === 'unclear') return undefined
  if (type.id === 'BOOLEAN') {
    const value = /^(t|true|1)$/i.test(text) || (/^(f|false|0)$/i.test(text) ? false : undefined)
    return value === undefined ? undefined : { text: String(value), kind: 'exact' }
  }
  const fraction = /^[+-]?\d+(?:\.(\d+))?$/.exec(text)
  if (type.id === 'DOUBLE') return fraction ? { text, kind: 'double' } : undefined
  if (type.id === 'DECIMAL') {
    const isWhole = fraction && (fraction[1] ?? '').length <= scaleOf(type) && kind !== 'double'
    return isWhole ? { text, kind: 'exact' } : undefined
  }
  return asTheyStand[type.id]?.test(text) ? { text, kind: 'exact' } : undefined
}

function scaledText(digits: string, scale: number): string {
  if (scale === 0) return digits
  const negative = digits.startsWith('-')
  const padded = digits.replace('-', '').padStart(scale + 1, '0')
  return `${negative ? '-' : ''}${padded.slice(0, -scale)}.${padded.slice(-scale)}`
}
