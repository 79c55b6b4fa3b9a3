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

/** Names of what is secret, whatever else is in them: `dbPassword`, `secret_access_key`. */
const NAMES = [
  String.raw`\w*(?:password|passwd|passphrase|client[_-]?secret)`,
  String.raw`\w*(?:secret|private|api|signing|encryption|account|shared)[_-]?(?:access[_-]?)?key`,
  'access[_-]?key|(?:access|refresh|session|auth|api|bearer)[_-]?token',
].join('|')

/** What is secret by its look, wherever it stands. */
const SHAPED = [
  // A JSON Web Token.
  /\beyJ[\w-]{8,4000}\.[\w-]{8,}(?:\.[\w-]*)?/g,
  /(?<=\bbearer\s{1,9})(?=[^\s'"`]*\d)[\w.~+/-]{12,}=*/gi,
  /(?<=\bauthorization['"`]?\s{0,9}[:=]\s{0,9}['"`]?(?:basic|bearer|token)\s{1,9})[^\s'"`]+/gi,
  // Keys of AWS, GitHub, GitLab, Slack, Stripe and Google.
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /\b(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,})/g,
  /\b(?:xox[abeoprs]-[\w-]{10,}|[rs]k_(?:live|test)_\w{10,}|AIza[\w-]{30,})/g,
  /(?<=-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----)[^-]+/g,
]

/** A text about a definition, without the passwords of addresses in it. */
export const withoutPasswords = (text: string): string =>
  text.replace(IN_ADDRESS, HIDDEN).replace(PARAMETER, HIDDEN)

/**
 * What looks like a secret in source text: the password of an address, or a text that is given to
 * something called so.
 */
const IN_ADDRESS = /(?<=:\/\/[^\s'"`/@:]*:)(?!password@)[^\s'"`]{1,4000}(?=@)/g
const PARAMETER = /(?<=[?&;]\w{0,64}(?:password|passwd|pwd|token|secret)=)[^\s'"`;&]+/gi
const WRITTEN = [
  IN_ADDRESS,
  /(?<=\bingest\(\s*['"`])[^'"`]+/g,
  new RegExp(
    String.raw`(?<=\b(?:${NAMES}|secret|bearer|token)['"\x60]?\s*:\s*['"\x60])(?!env:)[^'"\x60]+`,
    'gi',
  ),
  /(?<=\b(?:password|pwd)=|;token=(?!\$))[^\s'"`;&]+/gi,
  ...SHAPED,
]

/** The same where it is shown, and nothing depends on it: a text that is assigned, as well. */
const SHOWN = [
  ...WRITTEN,
  new RegExp(String.raw`(?<=\b(?:${NAMES}|secret|token)\s*=\s*['"\x60])(?!env:)[^'"\x60]+`, 'gi'),
]

/** What a text in SQL has of the kind: `secret_key: …`. */
const IN_TEXT = [new RegExp(String.raw`(?<=\b(?:${NAMES})\s{0,9}[:=]\s{0,9})[^\s'";&,]{6,}`, 'gi')]

/** A text in SQL behind a word, which may be a name or the key of a value. */
function textsBehind(words: string): RegExp[] {
  const before = String.raw`(?:(?<!'\w{0,64})(?:${words})"?|'\w{0,64}(?:${words})')\s*(?:(?:=>?|:=?)\s*)?`
  return [
    new RegExp(`(?<=${before}(?:[a-z]&?)?')(?:[^']|'')+`, 'gi'),
    new RegExp(String.raw`(?<=${before}\$\w{0,63}\$)[^$]+`, 'gi'),
  ]
}

const IN_SQL = [...textsBehind(NAMES.replaceAll(String.raw`\w*`, '')), ...WRITTEN]
/** In statements that do not ask, words that columns of others are called too. */
const IN_OTHER_SQL = textsBehind(
  String.raw`password|passphrase|secret|credential|access_?key|key_?id|token|identified\s+by`,
)

/**
 * A line of somebody's code, each character of what looks like a secret as a star: the columns
 * stay.
 */
export function starred(line: string): string {
  return withStars(line, SHOWN)
}

/** The same, with nothing but what is certain enough to be refused for. */
export function starredCertain(line: string): string {
  return withStars(line, WRITTEN)
}

/**
 * A statement with stars in the place of what looks like a secret.
 *
 * @param isRefused whether it may be no query: one that sets a secret calls it by any name.
 */
export function starredSql(sql: string, isRefused = true): string {
  const left = withStars(sql, isRefused ? [...IN_OTHER_SQL, ...IN_SQL] : IN_SQL)
  return left.replace(/'(?:[^']|'')*'/g, (text) => withStars(text, IN_TEXT))
}

/** What any text has in which there is something to be looked for. */
const MAYBE =
  /pass|pwd|secret|key|token|credential|identified|bearer|authorization|:\/\/|eyJ|AKIA|ASIA|gh[opsur]_|github_pat|glpat|xox|[rs]k_|AIza|BEGIN/i

function withStars(text: string, patterns: readonly RegExp[]): string {
  if (!MAYBE.test(text)) return text
  return patterns.reduce(
    (left, pattern) => left.replace(pattern, (found) => '*'.repeat(found.length)),
    text,
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
