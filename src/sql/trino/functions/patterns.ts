import { text } from '../write/scope.js'
import type { Site } from './signature.js'

/**
 * A regular expression that Java and the engine read alike.
 *
 * @param hasGroup whether a group of it is asked for: one that may not take part would be empty
 *   here, and NULL in Trino.
 */
export function patternIn({ args, refused }: Site, hasGroup = false): string {
  const pattern = args[1]?.word ?? ''
  const why = whyNot(pattern, hasGroup)
  if (why) throw refused(`The pattern '${pattern}' ${why}`, 'Write it without that.')
  return text(pattern)
}

function whyNot(pattern: string, hasGroup: boolean): string | undefined {
  if (/\\[1-9k]/.test(pattern)) return 'refers to a group'
  if (/\(\?(?![:i])/.test(pattern)) return 'has a group of another kind'
  if (/\\[pPGZXRbB]/.test(pattern)) return 'has a class that engines read in several ways'
  if (/&&|\[\[|\[[^\]]*\[/.test(pattern)) return 'has a class within a class'
  if (/[*+?}]\+/.test(pattern)) return 'has a possessive quantifier'
  if (hasGroup && /\)[?*]|\)\{0|\|/.test(pattern)) return 'has a group that may not take part'
  return undefined
}

/** `$1` in Java is `\1` here. */
export function replacementIn({ args, refused }: Site): string {
  const word = args[2]?.word ?? ''
  if (/\\/.test(word) || /\$(?!\d(?!\d))/.test(word))
    throw refused(`The replacement '${word}' is not translated`, 'It may have $1 to $9, and no \\.')
  return text(word.replace(/\$(\d)/g, '\\$1'))
}
