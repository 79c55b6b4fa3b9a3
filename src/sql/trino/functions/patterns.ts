import { text } from '../write/scope.js'
import { stopsWhen } from '../write/written.js'
import type { Site } from './signature.js'

/** How a pattern is used: only whether it is found, for a group, for the whole, or to put else. */
export type Use = 'like' | 'group' | 'whole' | 'parts'

/**
 * A regular expression that Trino and the engine read alike.
 *
 * @param use for `group` one that may not take part would be empty here, and NULL in Trino; for
 *   `parts` engines differ in what nothing is found at.
 */
export function patternIn({ args, refused }: Site, use: Use): string {
  const pattern = args[1]?.word ?? ''
  const parts = tokensOf(pattern)
  const why = whyNot(pattern, use === 'group') ?? whyNotParts(parts, use)
  if (why) throw refused(`The pattern '${pattern}' ${why}`, 'Write it without that.')
  const isZero = use === 'like' || use === 'group'
  return text(parts.map((one) => (one === '$' && isZero ? '(?:\\n?\\z)' : spaced(one))).join(''))
}

/**
 * What is done with a pattern whose `$` is, to Trino, before a newline at the end, too: there the
 * whole of what is found can't be told here.
 */
export function beforeNewline({ args, node }: Site, sql: string): string {
  const [a, pattern] = args
  const word = pattern?.word ?? ''
  const isLast = tokensOf(word).includes('$')
  // Those take the newline.
  if (!isLast || /^(\\s|\[\\s[^\]^\\]*\])[*+]\$$/.test(word)) return sql
  const why = `A text ends with a newline, before which $ is not translated in ${node.name}: write \\z, or take the newline away`
  return `CASE ${stopsWhen(`ends_with(${a?.sql}, chr(10))`, why)} ELSE ${sql} END`
}

const TOKEN =
  /\\x\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|[*+?]\??|\{\d+(?:,\d*)?\}\??|\(\?i?:|\(\?i\)|./gsu

const tokensOf = (pattern: string): string[] => pattern.match(TOKEN) ?? []

const isOpening = (one: string | undefined) => one !== '(?i)' && one?.[0] === '('
const isRepeat = (one = '') => /^([*+?]|\{\d)/.test(one)

/** To Trino a vertical tab is a space, too. */
function spaced(one: string): string {
  if (one === '\\s') return '[\\s\\x0b]'
  if (one === '\\S') return '[^\\s\\x0b]'
  return one[0] === '[' ? one.replace(/\\(.)/gsu, (all, c) => (c === 's' ? '\\s\\x0b' : all)) : one
}

function whyNotParts(parts: readonly string[], use: Use): string | undefined {
  if (parts.some((one) => one[0] === '[' && /^(\\[^S]|[^\\])*\\S/s.test(one)))
    return 'has \\S within a class'
  if (parts.some((one, i) => one === '$' && !endsAfter(parts, i + 1)))
    return 'has a $ that is not at its end'
  if (use === 'parts' && mayBeEmpty(parts)) return 'can match nothing'
  return undefined
}

/** Whether nothing can follow a place but the ends of groups, and what stands instead. */
function endsAfter(parts: readonly string[], from: number): boolean {
  let skipped = 0
  let isSkipping = false
  for (const one of parts.slice(from)) {
    if (isSkipping && isOpening(one)) skipped++
    if (one === ')' && skipped > 0) skipped--
    else if (one === ')') isSkipping = false
    else if (one === '|') isSkipping = true
    else if (!isSkipping) return false
  }
  return true
}

/** Whether a pattern can match the empty text. */
function mayBeEmpty(parts: readonly string[]): boolean {
  // Of each group that is open: whether one of its alternatives may be, and the present one.
  const open = [{ any: false, all: true }]
  for (let i = 0; i < parts.length; i++) {
    const one = parts[i] as string
    const last = open.at(-1) as { any: boolean; all: boolean }
    if (isOpening(one)) open.push({ any: false, all: true })
    else if (one === '|') Object.assign(last, { any: last.any || last.all, all: true })
    else if (one !== '(?i)' && !isRepeat(one)) {
      const isEmpty = one === ')' ? last.any || last.all : /^(\^|\$|\\[Az])$/.test(one)
      if (one === ')') open.pop()
      const outer = open.at(-1)
      if (!outer) return true
      outer.all &&= isEmpty || /^([*?]|\{0)/.test(parts[i + 1] ?? '')
    }
  }
  return open.some(({ any, all }) => any || all)
}

/** How many groups a pattern has that can be asked for. */
export const groupsIn = ({ args }: Site): number =>
  tokensOf(args[1]?.word ?? '').filter((one) => one === '(').length

function whyNot(pattern: string, hasGroup: boolean): string | undefined {
  if (/\\[1-9k]/.test(pattern)) return 'refers to a group'
  if (/\\x[89a-f]/i.test(pattern)) return 'has a byte in place of a character'
  if (/\(\?(?![:i])/.test(pattern)) return 'has a group of another kind'
  if (/\\[pPGZXRbB]/.test(pattern)) return 'has a class that engines read in several ways'
  if (/&&|\[\[|\[[^\]]*\[/.test(pattern)) return 'has a class within a class'
  if (/[*+?}]\+/.test(pattern)) return 'has a possessive quantifier'
  if (hasGroup && /\)[?*]|\)\{0|\|/.test(pattern)) return 'has a group that may not take part'
  return undefined
}

/** `$1` in Java is `\1` here. */
export function replacementIn(site: Site): string {
  const { args, refused } = site
  const word = args[2]?.word ?? ''
  const most = Math.max(0, ...[...word.matchAll(/\$(\d)/g)].map(([, n]) => Number(n)))
  if (most > groupsIn(site)) throw refused(`Illegal replacement sequence: unknown group ${most}`)
  if (/\\/.test(word) || /\$(?!\d(?!\d))/.test(word))
    throw refused(`The replacement '${word}' is not translated`, 'It may have $1 to $9, and no \\.')
  return text(word.replace(/\$(\d)/g, '\\$1'))
}
