import type { Definition, TableState } from '../log/commit.js'
import { ownValue } from '../own-value.js'

/** How a dataset's definition differs from the one its table was built with. */
export interface DefinitionChanges {
  /** In words, one for each change: `column 'x' was added`. */
  said: string[]
  /** Whether the rows that are there stay right, so that only new ones need the new definition. */
  harmless: boolean
  /** New names of columns, by the old ones. */
  renamed: Readonly<Record<string, string>>
}

/** What is known of the rows that are there. */
export interface Known {
  /** Rows that the old definition discarded. */
  discarded: number
  /** Whether a new column would be NULL in all rows that are there. */
  isNull: (column: string) => boolean
  /** How columns were computed before, and are now, where both are known. */
  computed?: Record<'before' | 'after', TableState['computed']>
}

const COLUMN = 'column '
/** Types whose values are all values of the other. */
const widenings: Readonly<Record<string, readonly string[]>> = {
  int: ['bigint'],
  float: ['double'],
}

/** Compares two definitions part by part; `undefined` when they are the same. */
export function compareDefinitions(
  before: Definition,
  after: Definition,
  known: Known,
): DefinitionChanges | undefined {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  const changed = names.filter((name) => before[name] !== after[name])
  if (changed.length === 0) return undefined
  const renamed = renames(changed, before, after)
  const gone = new Set([...Object.keys(renamed), ...Object.values(renamed)])
  const found = changed
    .filter((name) => !(name.startsWith(COLUMN) && gone.has(name.slice(COLUMN.length))))
    .map((name) => effectOf(name, before[name], after[name], known))
  const said = Object.entries(renamed).map(
    ([old, name]) => `column '${old}' is now called '${name}'`,
  )
  return {
    said: [...said, ...found.flatMap((change) => (change.said ? [change.said] : []))],
    harmless: found.every((change) => change.harmless),
    renamed,
  }
}

/** Columns that are gone and have come back under another name, with the same source and checks. */
function renames(changed: readonly string[], before: Definition, after: Definition) {
  const columns = changed.filter((name) => name.startsWith(COLUMN))
  const added = columns.filter((name) => !(name in before))
  const pairs = columns
    .filter((name) => !(name in after))
    .flatMap((old) => {
      const same = added.filter((name) => after[name] === before[old])
      return same.length === 1 ? [[old, same[0] as string] as const] : []
    })
  return Object.fromEntries(pairs.map((pair) => pair.map((name) => name.slice(COLUMN.length))))
}

interface Judgement {
  said: string
  harmless: boolean
}

function effectOf(
  name: string,
  before: string | undefined,
  after: string | undefined,
  known: Known,
): Judgement {
  if (name.startsWith(COLUMN)) return columnEffect(name.slice(COLUMN.length), before, after, known)
  const [kind = '', ...rest] = name.split(' ')
  const what =
    kind === 'rule'
      ? `rule '${rest.join(' ')}'`
      : kind === 'external'
        ? `the declaration of ${rest.join(' ')}`
        : kind === 'query' && rest.length > 0
          ? `its SQL ${rest.join(' ')}`
          : (words[kind] ?? name)
  if (name === 'key' && (before === NO_KEY || after === NO_KEY))
    return { said: `its key was ${before === NO_KEY ? 'added' : 'removed'}`, harmless: false }
  const how =
    name === 'compression'
      ? 'changed'
      : before === undefined
        ? 'was added'
        : after === undefined
          ? 'was removed'
          : 'changed'
  // Without discarded rows there are none that a rule less would bring back.
  const harmless =
    name === 'partitions' ||
    name === 'compression' ||
    name === 'order' ||
    (name.startsWith('rule ') && !after && known.discarded === 0)
  return { said: name === 'order' ? '' : `${what} ${how}`, harmless }
}

/** What definitions have for no key and no cursor: `[[],null]`. */
const NO_KEY = 'bb5bb1b3a77487ee'

const words: Readonly<Record<string, string>> = {
  from: 'its inputs',
  key: 'its key or cursor',
  partitions: 'its partitioning',
  compression: 'the compression of its files',
  view: 'whether it is a view',
  query: 'its query',
  meaning: 'how Moraine compares definitions',
  incremental: 'its incremental settings',
}

function columnEffect(
  name: string,
  before: string | undefined,
  after: string | undefined,
  known: Known,
): Judgement {
  if (before === undefined) {
    const harmless = known.isNull(name)
    return {
      said: `column '${name}' was added${harmless ? ', NULL in all rows so far' : ''}`,
      harmless,
    }
  }
  if (after === undefined)
    return { said: `column '${name}' was removed`, harmless: known.discarded === 0 }
  const [old, fresh] = [typeOf(before), typeOf(after)]
  if (old.type === fresh.type)
    return { said: `column '${name}' is ${otherwise(name, [old, fresh], known)}`, harmless: false }
  const harmless = old.hash === fresh.hash && widens(old.type, fresh.type) && known.discarded === 0
  return { said: `column '${name}' is now ${fresh.type} instead of ${old.type}`, harmless }
}

/** Whether a column of the same type is computed differently, or checked, or both. */
function otherwise(
  name: string,
  parts: readonly { hash: string }[],
  { computed }: Pick<Known, 'computed'>,
): string {
  const { before, after } = computed ?? {}
  if (!before || !after) return 'computed or checked differently'
  const [old = [], fresh = []] = [before, after].map((of, i) => {
    const [source = '', others = parts[i]?.hash] = ownValue(of, name)?.split(' ') ?? []
    return [source, others]
  })
  if (old[0] === fresh[0]) return 'read or checked differently'
  return old[1] === fresh[1] ? 'computed differently' : 'computed and checked differently'
}

function typeOf(part: string): { type: string; hash: string } {
  const at = part.lastIndexOf(' ')
  return { type: part.slice(0, at), hash: part.slice(at + 1) }
}

/** Whether every value of one type is a value of the other, with nothing bent. */
export function widens(from: string, to: string): boolean {
  const [a, b] = [from, to].map((type) => /^decimal\((\d+),(\d+)\)$/.exec(type))
  if (a && b) return a[2] === b[2] && Number(b[1]) >= Number(a[1])
  return from === to || (widenings[from] ?? []).includes(to)
}
