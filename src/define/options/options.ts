import { ownValue } from '../../own-value.js'
import { nearest } from '../nearest.js'
import { described } from '../problems/described.js'
import { isBroken, markBroken, mistake } from '../problems/mistakes.js'

/** What the value of an option may be. */
export interface Expected {
  /** In words, after "must be". */
  readonly is: string
  readonly fits: (value: unknown) => boolean
  /** What to write instead of a value that does not fit. */
  readonly advise?: (value: unknown) => string | undefined
  /** The options of the value itself, where it is an object. */
  readonly inside?: OptionList<any>
}

export interface Needed extends Expected {
  readonly needed: true
}

type KeyOf<T> = T extends unknown ? keyof T : never

/**
 * All options of a type with what their values may be. It is tied to the type: an option that is
 * added to the type and not to the list does not compile, nor one that is in the list alone, nor
 * one that is needed and not said to be.
 */
export type OptionList<T> = {
  readonly [K in KeyOf<T> & string]-?: T extends { [P in K]: unknown }
    ? Needed
    : Expected & { needed?: never }
}

/** An option that must be there. */
export function needed(expected: Expected): Needed {
  return { ...expected, needed: true }
}

/** An option whose value is an object with options of its own, or something else that fits. */
export function having<T>(list: OptionList<T>, is = 'an object', other?: Expected): Expected {
  const fits = (value: unknown) => isPlain(value) || other?.fits(value) === true
  return { is, fits, inside: list, ...(other?.advise ? { advise: other.advise } : {}) }
}

/**
 * Checks the arguments of a builder that stand for themselves; those that do not fit are
 * `undefined`.
 */
export function checkedArguments<T extends object>(
  call: string,
  given: T,
  list: { readonly [K in keyof T]: Expected },
): { [K in keyof T]: T[K] | undefined } {
  const good: Partial<T> = {}
  for (const name of Object.keys(given) as (keyof T & string)[])
    if (list[name].fits(given[name])) good[name] = given[name]
    else {
      const { is, advise } = list[name]
      const said =
        given[name] === undefined ? 'but it is undefined here' : `not ${described(given[name])}`
      mistake(`${call}: ${name} must be ${is}, ${said}`, undefined, advise?.(given[name]))
    }
  return good as { [K in keyof T]: T[K] | undefined }
}

/** What other tools call things, by what they are called here. */
const elsewhere: Readonly<Record<string, string>> = {
  sep: 'delimiter',
  separator: 'delimiter',
  quotechar: 'quote',
  na_values: 'nulls',
  null: 'nulls',
  primarykey: 'key',
  primary_key: 'key',
  unique_key: 'key',
  uniquekey: 'key',
  id: 'key',
  watermark: 'cursor',
  orderby: 'cursor',
  source: 'from',
  input: 'from',
  inputs: 'from',
  tests: 'checks',
  expectations: 'checks',
  constraints: 'rules',
  validations: 'rules',
  cron: 'schedule',
  sql: 'query',
  select: 'query',
  tables: 'datasets',
  models: 'datasets',
  retention: 'keep',
  ttl: 'keep',
  password: 'auth',
  username: 'user',
  hostname: 'host',
  ssl: 'tls',
}

/**
 * Checks options as they are at run time, since many a lake.ts is never type-checked. Mistakes are
 * kept for later; what is wrong is left out of what is returned, and it is marked as broken where
 * something needed is missing or of a wrong kind.
 */
export function checked<T extends object>(
  call: string,
  given: unknown,
  list: OptionList<T>,
  instead?: (value: unknown) => string | undefined,
): T {
  const known = list as Readonly<Record<string, Expected & { needed?: boolean }>>
  if (!isPlain(given)) {
    const names = Object.keys(known).filter((name) => known[name]?.needed)
    const shown = names.length > 0 ? names.map((name) => `${name}: …`).join(', ') : '…'
    mistake(
      `${call} needs an object of options, not ${described(given)}`,
      undefined,
      instead?.(given) ?? `Write them as { ${shown} }`,
    )
    return markBroken({} as T)
  }
  const good: Record<string, unknown> = {}
  const meant = new Set<string | undefined>()
  let sound = true
  for (const [name, value] of Object.entries(given)) {
    const expected = ownValue(known, name)
    if (!expected) meant.add(unknownOption(call, name, Object.keys(known)))
    else if (value === undefined) continue
    else if (expected.fits(value)) {
      const { inside } = expected
      good[name] = inside && isPlain(value) ? checked(`${call}: ${name}`, value, inside) : value
      if (inside && isPlain(value) && isBroken(good[name] as object)) sound = false
    } else {
      mistake(
        `${call}: ${name} must be ${expected.is}, not ${described(value)}`,
        `${name}:`,
        expected.advise?.(value),
      )
      sound = false
    }
  }
  for (const [name, expected] of Object.entries(known))
    if (expected.needed && given[name] === undefined) {
      // One that is there under another name is not said to be missing as well.
      if (!meant.has(name)) missingOption(call, name, expected, Object.hasOwn(given, name))
      sound = false
    }
  return sound ? (good as T) : markBroken(good as T)
}

/** Tells of an option that there is not; the one that it most likely means. */
function unknownOption(call: string, name: string, known: readonly string[]): string | undefined {
  const other = elsewhere[name.toLowerCase()]
  const similar = nearest(name, known) ?? (other && known.includes(other) ? other : undefined)
  mistake(
    `${call} has no option '${name}'`,
    `${name}:`,
    similar
      ? `Did you mean '${similar}'?`
      : known.length > 0
        ? `Its options are: ${known.join(', ')}`
        : 'It has no options.',
  )
  return similar
}

function missingOption(call: string, name: string, expected: Expected, said: boolean): void {
  if (said)
    mistake(
      `${call}: ${name} is undefined here`,
      `${name}:`,
      'The value is defined further down, not exported by its file, or misspelled.',
    )
  else mistake(`${call} needs ${name}: ${expected.is}`, undefined, expected.advise?.(undefined))
}

/** What builders give is no list of options. */
const builtKinds = [
  ...['sql', 'dataset', 'lake', 'files', 'database', 'http', 'ingest', 'inbox'],
  ...['server', 'warehouse', 'duckdb file'],
]

function isPlain(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype = Object.getPrototypeOf(value)
  const plain = prototype === null || Object.getPrototypeOf(prototype) === null
  return plain && !('kind' in value && builtKinds.includes(String(value.kind)))
}
