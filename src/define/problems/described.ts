const LONGEST = 40

/**
 * What a value is, in words that can follow "not". Of an address only the scheme is shown: a
 * password may be in it, or a token in its path.
 */
export function described(value: unknown): string {
  if (value === null || ['undefined', 'number', 'bigint', 'boolean'].includes(typeof value))
    return String(value)
  if (typeof value === 'string') return `the string ${quoted(value)}`
  if (typeof value === 'function') return value.name ? `the function ${value.name}` : 'a function'
  if (typeof value === 'symbol') return 'a symbol'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (value instanceof Promise) return 'a promise'
  if (value instanceof RegExp) return `the pattern ${value}`
  if (value instanceof Date) return 'a Date'
  if (value instanceof URL) return 'a URL'
  return describedObject(value as Readonly<Record<string, unknown>>)
}

function describedObject(value: Readonly<Record<string, unknown>>): string {
  if ('_zod' in value) return `the type ${typeOf(value)}`
  switch (value.kind) {
    case 'dataset':
      if (value.tier === 'external') return `the external table '${value.name}'`
      return `the ${value.tier} dataset '${value.name}'`
    case 'sql':
      return 'SQL'
    case 'lake':
      return 'a lake'
    case 'rule':
    case 'check':
      return `a ${value.kind}`
    case 'files':
    case 'database':
    case 'http':
    case 'ingest':
    case 'inbox':
      return 'a source'
  }
  return typeof value.table === 'function' ? 'a database' : 'an object'
}

/** A schema of Zod, as it is written. */
function typeOf(schema: object): string {
  const { columnType, def } = schema as { columnType?: { kind: string }; def?: { type?: string } }
  return columnType ? `t.${columnType.kind}(…)` : `z.${def?.type ?? 'any'}(…)`
}

/** The same of a value that may be a secret which was given in a wrong place. */
export function describedKind(value: unknown): string {
  if (typeof value === 'string' && !HARMLESS.test(value))
    return ADDRESS.test(value) ? described(value) : 'a string'
  return described(value)
}

/** Texts that are no secret, and that hints about quotes are for. */
const HARMLESS = /^(.{0,3}|true|false|-?\d{1,5})$/
const ADDRESS = /^\s*[a-z][a-z0-9+.-]*:\/\/(?=.)/i

function quoted(text: string): string {
  const [scheme] = ADDRESS.exec(text) ?? []
  if (scheme) return `'${scheme.trim()}…'`
  const shown = text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text
  return `'${shown.replaceAll('\n', ' ')}'`
}
