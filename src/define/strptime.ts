/** Regular expressions of what strptime's specifiers read. */
const specifiers: Record<string, string> = {
  Y: '[0-9]{4}',
  y: '[0-9]{2}',
  m: '(0?[1-9]|1[0-2])',
  '-m': '(0?[1-9]|1[0-2])',
  d: '(0?[1-9]|[12][0-9]|3[01])',
  '-d': '(0?[1-9]|[12][0-9]|3[01])',
  H: '([01]?[0-9]|2[0-3])',
  '-H': '([01]?[0-9]|2[0-3])',
  I: '(0?[1-9]|1[0-2])',
  '-I': '(0?[1-9]|1[0-2])',
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
  z: '[+-][0-9]{2}(:?[0-9]{2})?',
  '%': '%',
}

/** The grammar of a strptime format, as a regular expression for whole texts. */
export function formatGrammar(format: string): string {
  return format.replace(/%(-?[A-Za-z%])|([\s\S])/gu, (_, specifier?: string, char?: string) => {
    if (specifier === undefined) return (char as string).replace(/[\\^$.*+?()[\]{}|]/, '\\$&')
    return specifiers[specifier] ?? '(?s:.+?)'
  })
}

/** The specifiers that a format may use. */
export const knownSpecifiers = Object.keys(specifiers).filter((s) => /^[A-Za-z]$/.test(s))

/** The specifiers of a format that Moraine has no grammar for. */
export function unknownSpecifiers(format: string): string[] {
  return [...format.matchAll(/%(-?[A-Za-z%])/g)]
    .map((match) => match[1] as string)
    .filter((specifier) => !Object.hasOwn(specifiers, specifier))
}
