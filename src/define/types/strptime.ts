/** Regular expressions of what strptime's specifiers read. */
const specifiers: Record<string, string> = {
  Y: '[0-9]{4}',
  y: '[0-9]{2}',
  m: '(?:0?[1-9]|1[0-2])',
  '-m': '(?:0?[1-9]|1[0-2])',
  d: '(?:0?[1-9]|[12][0-9]|3[01])',
  '-d': '(?:0?[1-9]|[12][0-9]|3[01])',
  e: '(?:[ 0]?[1-9]|[12][0-9]|3[01])',
  H: '(?:[01]?[0-9]|2[0-3])',
  '-H': '(?:[01]?[0-9]|2[0-3])',
  I: '(?:0?[1-9]|1[0-2])',
  '-I': '(?:0?[1-9]|1[0-2])',
  M: '[0-5]?[0-9]',
  '-M': '[0-5]?[0-9]',
  S: '[0-5]?[0-9]',
  '-S': '[0-5]?[0-9]',
  f: '[0-9]{1,6}',
  p: '(?i:AM|PM)',
  b: '(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)',
  B: '(?i:january|february|march|april|may|june|july|august|september|october|november|december)',
  a: '(?i:sun|mon|tue|wed|thu|fri|sat)',
  A: '(?i:sunday|monday|tuesday|wednesday|thursday|friday|saturday)',
  j: '[0-9]{1,3}',
  z: '[+-][0-9]{2}(?::?[0-9]{2})?',
  Z: '[A-Za-z][A-Za-z0-9_+/-]*',
  '%': '%',
}

/** Formats that have a name, and strptime's for those that it can say. */
export const namedFormats: Readonly<Record<string, string>> = {
  iso: '',
  rfc2822: '',
  syslog: '%b %e %H:%M:%S',
}

/**
 * The grammar of a strptime format, as a regular expression for whole texts, without groups that
 * are captured.
 */
export function formatGrammar(format: string): string {
  return mapFormat(format, (specifier) => specifiers[specifier] ?? '(?s:.+?)', quoteRegex)
}

/**
 * The grammar of what a format makes of a date of zeros; `undefined` where it makes nothing of it.
 */
export function zeroGrammar(format: string): string | undefined {
  const all = [...format.matchAll(/%(-?[A-Za-z%])/g)].map((match) => match[1] as string)
  if (!all.every((specifier) => /^-?[YymdeHMSf]$/.test(specifier))) return undefined
  const zeros: Record<string, string> = { Y: '0000', y: '00', f: '0+' }
  return mapFormat(format, (specifier) => zeros[specifier] ?? '00?', quoteRegex)
}

/** A format as the engine's strptime knows it. */
export function engineFormat(format: string): string {
  return mapFormat(
    format,
    (specifier) => `%${specifier === 'e' ? 'd' : specifier}`,
    (char) => char,
  )
}

function mapFormat(
  format: string,
  ofSpecifier: (specifier: string) => string,
  ofChar: (char: string) => string,
): string {
  return format.replace(
    /%(-?[A-Za-z%])|([\s\S])/gu,
    (_, specifier: string | undefined, char: string) =>
      specifier === undefined ? ofChar(char) : ofSpecifier(specifier),
  )
}

function quoteRegex(char: string): string {
  return char.replace(/[\\^$.*+?()[\]{}|]/, '\\$&')
}

/** Where a format's `%Z` stands: what is before and after it. */
export function aroundZone(format: string): [before: string, after: string] | undefined {
  const at = [...format.matchAll(/%(-?[A-Za-z%])/g)].find((match) => match[1] === 'Z')
  return at && [format.slice(0, at.index), format.slice(at.index + at[0].length)]
}

export function hasSpecifier(format: string, specifier: string): boolean {
  return [...format.matchAll(/%(-?[A-Za-z%])/g)].some((match) => match[1] === specifier)
}

/** The specifiers that a format may use. */
export const knownSpecifiers = Object.keys(specifiers).filter((s) => /^[A-Za-z]$/.test(s))

/** The specifiers of a format that Moraine has no grammar for. */
export function unknownSpecifiers(format: string): string[] {
  return [...format.matchAll(/%(-?[A-Za-z%])/g)]
    .map((match) => match[1] as string)
    .filter((specifier) => !Object.hasOwn(specifiers, specifier))
}
