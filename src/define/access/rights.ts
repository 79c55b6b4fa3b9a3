import { MoraineError } from '../../errors.js'
import { SYSTEM } from '../sql/name.js'

/** What is done with a table, a view or a namespace. */
export type Action = 'read' | 'write'

/** Levels of names: those of a namespace, or of a namespace and the name of a table in it. */
export type Levels = readonly string[]

/** A table or view by its levels, or all that is below a namespace. */
export interface Grant {
  readonly levels: Levels
  /** Whether it is for everything below the levels, rather than for one table of that name. */
  readonly below: boolean
}

/**
 * Tiers with what has not been validated, or was replaced, and tables that tell of what others do:
 * `*` is not for them, only a grant that names them.
 */
const NAMED_ONLY: readonly string[] = ['bronze', 'discarded', 'deleted', 'history', SYSTEM]

/**
 * What is kept from somebody who may ask about a table: values of columns, and rows. Both are SQL
 * over the columns of the table itself.
 */
export interface TableRules {
  /** What is shown in place of a column's values, by the column's name. */
  readonly masks: Readonly<Record<string, string>>
  /** The rows that there are for it: those for which this is true. */
  readonly rows?: string
}

/** What is wrong with rules of a table, in no words of theirs: whoever asks may not read them. */
export const badRules = ({ tier, name }: { tier: string; name: string }): MoraineError =>
  new MoraineError('query', `The rules of ${tier}.${name} cannot be applied`, {
    hint: 'In lake.ts, masks and conditions may use the columns of the table itself alone.',
  })

/** What may be read and written, decided by names alone; the same on every branch of the lake. */
export interface Rights {
  /** Whether nothing is kept from it, so that there is nothing to look at. */
  readonly unlimited: boolean
  /**
   * Whether a table or view may be read or written: the levels of its namespace, and its name. A
   * table with rules may not, as its files hold everything: it can be queried alone.
   */
  may(action: Action, relation: Levels): boolean
  /** Whether queries may ask about a table or view, by its rules where it has some. */
  mayQuery(relation: Levels): boolean
  /** What queries on a table do not see. */
  rules(relation: Levels): TableRules | undefined
  /**
   * Whether a table stands beside one with rules and has none itself: nothing of it may be shown,
   * whichever way a query comes to it.
   */
  isClosed(relation: Levels): boolean
  /**
   * Whether that holds for a namespace itself and all that is or will be in it. That of no levels
   * is all that other engines keep.
   */
  mayAll(action: Action, namespace: Levels): boolean
  /** Whether a namespace is shown: something in it may be read. */
  sees(namespace: Levels): boolean
}

/** All rights: those of whoever runs the server. */
export const allRights: Rights = {
  unlimited: true,
  may: () => true,
  mayQuery: () => true,
  rules: () => undefined,
  isClosed: () => false,
  mayAll: () => true,
  sees: () => true,
}

/** Everything may be read but what tells of others, and nothing written. */
export const readingRights: Rights = {
  unlimited: false,
  may: (action) => action === 'read',
  mayQuery: ([first]) => first !== SYSTEM,
  rules: () => undefined,
  isClosed: () => false,
  mayAll: (action) => action === 'read',
  sees: () => true,
}

/** Rules of a table by its levels. */
export interface RuledTable extends TableRules {
  readonly levels: Levels
}

/** Namespaces of tables that hold rows of a silver table as they were, or were not taken. */
const COMPANIONS: readonly string[] = ['discarded', 'deleted', 'history']

/**
 * The rights that grants give; whatever may be written may be read. What stands beside a table with
 * rules, such as its history, holds the same values: without rules of its own it is not shown.
 */
export function rightsOf(
  read: readonly Grant[],
  write: readonly Grant[],
  ruled: readonly RuledTable[] = [],
): Rights {
  const granted = { read: [...read, ...write], write }
  // Queries name tables without case, so that none is open by another spelling.
  const named = (relation: Levels) =>
    ruled.find(({ levels }) => isSame(levels, relation)) ??
    ruled.find(({ levels }) => isSame(folded(levels), folded(relation)))
  const isGranted = (action: Action, relation: Levels) =>
    granted[action].some((grant) => covers(grant, relation))
  const isBeside = ([first = '', ...rest]: Levels) =>
    COMPANIONS.includes(first) && named(['silver', ...rest]) !== undefined
  const isClosed = (relation: Levels) => !named(relation) && isBeside(relation)
  const isWithin = ({ levels: [first = '', ...rest] }: RuledTable, namespace: Levels) =>
    [first, ...(first === 'silver' ? COMPANIONS : [])].some((top) =>
      startsWith(folded([top, ...rest]), folded(namespace)),
    )
  return {
    unlimited: false,
    may: (action, relation) =>
      isGranted(action, relation) && !named(relation) && !isClosed(relation),
    mayQuery: (relation) => isGranted('read', relation) && !isClosed(relation),
    rules: named,
    isClosed,
    mayAll: (action, namespace) =>
      granted[action].some((grant) => coversNamespace(grant, namespace)) &&
      !ruled.some((one) => isWithin(one, namespace)),
    sees: (namespace) =>
      granted.read.some(
        (grant) => coversNamespace(grant, namespace) || isBelow(grant.levels, namespace),
      ),
  }
}

const isSame = (a: Levels, b: Levels) => a.length === b.length && startsWith(a, b)
const folded = (levels: Levels) => levels.map((level) => level.toLowerCase())

/** Rights of which those to write are left for a few tables alone: `gold.daily`. */
export function rightsWithin(rights: Rights, tables: readonly string[]): Rights {
  const mayWrite = (relation: Levels) =>
    relation.length === 2 && tables.includes(relation.join('.'))
  return {
    unlimited: false,
    may: (action, relation) =>
      rights.may(action, relation) && (action === 'read' || mayWrite(relation)),
    mayQuery: (relation) => rights.mayQuery(relation),
    rules: (relation) => rights.rules(relation),
    isClosed: (relation) => rights.isClosed(relation),
    mayAll: (action, namespace) => action === 'read' && rights.mayAll(action, namespace),
    sees: (namespace) => rights.sees(namespace),
  }
}

function covers({ levels, below }: Grant, relation: Levels): boolean {
  if (below) return isBelow(relation, levels) && isMeant(levels, relation)
  return relation.length === levels.length && startsWith(relation, levels)
}

function coversNamespace({ levels, below }: Grant, namespace: Levels): boolean {
  return below && startsWith(namespace, levels) && isMeant(levels, namespace)
}

const isMeant = (granted: Levels, [first = '']: Levels) =>
  granted.length > 0 || !NAMED_ONLY.includes(first)

const isBelow = (levels: Levels, above: Levels) =>
  levels.length > above.length && startsWith(levels, above)

const startsWith = (levels: Levels, first: Levels) =>
  first.every((level, i) => levels[i] === level) && levels.length >= first.length

/**
 * What a text grants: `*`, `ml.*`, `gold.daily_revenue`. Names with other characters than letters,
 * digits, `_`, `-` and `@` stand in double quotes, which are doubled within them: `"a.b".*`.
 *
 * @returns `undefined` for a text that is none of these.
 */
export function parseGrant(text: string): Grant | undefined {
  if (text === '*') return { levels: [], below: true }
  const parts = text.match(/"(?:[^"]|"")+"|[^".*]+|\*|\./g) ?? []
  const names = parts.filter((_, i) => i % 2 === 0)
  const dots = parts.filter((_, i) => i % 2 === 1)
  const isWhole = parts.join('') === text && parts.length % 2 === 1 && dots.every((d) => d === '.')
  const below = names.at(-1) === '*'
  const levels = below ? names.slice(0, -1) : names
  const isPlain = levels.every((name) => /^(".*"|[\p{L}\p{N}_@-]+)$/su.test(name))
  if (!isWhole || !isPlain || names.length < 2) return undefined
  return { levels: levels.map(unquoted), below }
}

const unquoted = (name: string) =>
  name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name
