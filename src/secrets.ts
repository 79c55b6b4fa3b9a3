/** Shorter values are too common in other words to be looked for everywhere. */
const SHORTEST = 3
/**
 * Shorter values are looked for as they are, not as hexadecimal or base64, and only in texts about
 * their own source.
 */
const TELLING = 6

/** What stands in the place of a secret. */
const HIDDEN = '***'

/**
 * Values that must not be shown: passwords, tokens, keys. What is told anywhere goes through
 * `redact`, which finds them as they are, in other case, percent-encoded, escaped as in JSON, in
 * base64 (also within a longer text, as HTTP's Basic has them) and in hexadecimal.
 */
export class Secrets {
  private readonly patterns = new Map<string, RegExp>()

  /** Adds values; what is empty or too short to be one is passed over. */
  hide(...values: readonly (string | undefined)[]): void {
    for (const value of values)
      if (value !== undefined && value.length >= SHORTEST && !this.patterns.has(value))
        this.patterns.set(value, patternOf(value))
  }

  redact(text: string, shortest = 0): string {
    let left = text
    for (const [value, pattern] of this.patterns)
      if (value.length >= shortest) left = left.replace(pattern, HIDDEN)
    return left
  }
}

/** All secrets that this process has used so far, whatever they are for. */
const all = new Secrets()

/** The secrets of one source, which are also hidden in whatever else this process tells. */
export class OwnSecrets extends Secrets {
  override hide(...values: readonly (string | undefined)[]): void {
    super.hide(...values)
    all.hide(...values)
  }
}

/** A text about anything, without the secrets of any source. */
export const redact = (text: string): string => all.redact(text, TELLING)

function patternOf(value: string): RegExp {
  const form = new URLSearchParams({ a: value }).toString().slice(2)
  const texts = [value, encodeURIComponent(value), encodeURI(value), form, inJson(value)]
  const bytes = Buffer.from(value)
  const exact = [...(bytes.length < TELLING ? [] : [bytes.toString('hex'), ...base64Of(bytes)])]
  const all = [...new Set([...texts, ...exact])].filter((text) => text !== '')
  return new RegExp(
    all
      .sort((a, b) => b.length - a.length)
      .map(escaped)
      .join('|'),
    'gi',
  )
}

const inJson = (value: string) => JSON.stringify(value).slice(1, -1)

/**
 * How bytes look in the middle of base64, in each of its three positions, without the digits that
 * their neighbours share.
 */
function base64Of(bytes: Buffer): string[] {
  return [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
    const from = Math.ceil((shift * 8) / 6)
    const digits = text.slice(from, Math.floor(((shift + bytes.length) * 8) / 6))
    return [digits, digits.replaceAll('+', '-').replaceAll('/', '_')]
  })
}

const escaped = (text: string) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')

/**
 * What looks like a secret in source text: the password of an address, or a text that is given to
 * something called so.
 */
const WRITTEN = [
  /(?<=:\/\/[^\s'"`/@:]*:)[^\s'"`]+(?=@)/g,
  /(?<=\b(?:password|passphrase|secret|client_?secret|bearer|token|api_?key)\s*:\s*['"`])(?!env:)[^'"`]+/gi,
  /(?<=\b(?:password|pwd)=)[^\s'"`;&]+/gi,
]

/**
 * A line of somebody's code, each character of what looks like a secret as a star: the columns
 * stay.
 */
export function starred(line: string): string {
  return WRITTEN.reduce(
    (left, pattern) => left.replace(pattern, (found) => '*'.repeat(found.length)),
    line,
  )
}

/**
 * An address as it may be shown: without a user, a password or parameters; one that can't be
 * parsed, without what may be one.
 */
export function shownUrl(text: string): string {
  if (!URL.canParse(text)) {
    const [scheme = ''] = /^\w[\w+.-]*:\/\//.exec(text) ?? []
    return /[@?#]/.test(text) ? `${scheme}…` : text
  }
  const url = new URL(text)
  url.username = ''
  url.password = ''
  url.search = ''
  url.hash = ''
  return url.href
}
