/** Characters from which on a key is a pattern. */
const MAGIC = /[*?{[]/

/** Which keys of a bucket a path means that is a pattern. */
export interface ObjectPattern {
  /** What all of them begin with. */
  prefix: string
  /**
   * Whether a key is meant.
   *
   * @param keys what there is: where brackets stand in a name, they are no pattern.
   */
  among(keys: readonly string[]): (key: string) => boolean
}

/**
 * A pattern of keys, as folders have it: `*`, `?` and `[0-9]` within a name, `**` across folders,
 * `{a,b}` either. `undefined` where a key is none.
 */
export function objectPattern(key: string): ObjectPattern | undefined {
  const magic = key.search(MAGIC)
  if (magic < 0) return undefined
  const prefix = key.slice(0, magic)
  const literal = new RegExp(`^${sourceOf(key, false)}$`, 'u')
  if (!key.includes('[')) return { prefix, among: () => (other) => literal.test(other) }
  const classes = new RegExp(`^${sourceOf(key, true)}$`, 'u')
  return {
    prefix,
    among: (keys) => {
      // Without another pattern in it, it may be a folder.
      const isOne = !/[*?{]/.test(key)
      const named = (other: string) =>
        literal.test(other) || (isOne && other.startsWith(key.replace(/\/?$/, '/')))
      return keys.some(named) ? named : (other) => classes.test(other)
    },
  }
}

/** A pattern as a regular expression; brackets stand for themselves unless they are classes. */
function sourceOf(glob: string, classes: boolean): string {
  let source = ''
  for (let at = 0; at < glob.length; ) {
    const [text, length] = tokenAt(glob, at, classes)
    source += text
    at += length
  }
  return source
}

/** What stands at an offset of a pattern, and its length. */
function tokenAt(glob: string, at: number, classes: boolean): [source: string, length: number] {
  const rest = glob.slice(at)
  if (rest.startsWith('**/')) return ['(?:.*/)?', 3]
  if (rest.startsWith('**')) return ['.*', 2]
  if (rest.startsWith('*')) return ['[^/]*', 1]
  if (rest.startsWith('?')) return ['[^/]', 1]
  const words = rest.startsWith('{') ? alternatives(rest) : undefined
  if (words) {
    const each = words.map((word) => sourceOf(word, classes))
    return [`(?:${each.join('|')})`, words.join(',').length + 2]
  }
  const found = classes ? /^\[([!^]?)([^\]/]+)\]/.exec(rest) : null
  if (found) {
    const [whole, not, characters = ''] = found
    const set = `(?!/)[${not ? '^' : ''}${characters.replace(/[\\^[]/g, '\\$&')}]`
    if (isExpression(set)) return [set, whole.length]
  }
  const [character = ''] = rest
  return [character.replace(/[\\^$.|+*?()[\]{}/]/, '\\$&'), character.length]
}

/** The words of `{a,b}` that a text begins with, also of one in another. */
function alternatives(text: string): string[] | undefined {
  const words = ['']
  let depth = 0
  for (const character of text) {
    if (character === '{' && depth++ === 0) continue
    if (character === '}' && --depth === 0) return words
    if (character === ',' && depth === 1) words.push('')
    else words[words.length - 1] += character
  }
  return undefined
}

/** A range such as `[9-0]` is none. */
function isExpression(source: string): boolean {
  try {
    new RegExp(source, 'u')
    return true
  } catch {
    return false
  }
}
