import { ownValue } from '../../own-value.js'
import { nearest } from '../nearest.js'
import { described, describedKind } from '../problems/described.js'
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
  /** The options of each of its entries, where it is an object of such, by their names. */
  readonly each?: OptionList<any>
  /** Whether it is a password, a token, or what has one in it: no error shows what was given. */
  readonly secret?: boolean
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
  const tell = wordsFor(list)
  for (const name of Object.keys(given) as (keyof T & string)[])
    if (list[name].fits(given[name])) good[name] = given[name]
    else {
      const value = given[name]
      const { is } = list[name]
      const said =
        value === undefined ? 'but it is undefined here' : `not ${tell.unfit(list[name], value)}`
      const hint = tell.advice(list[name], value)
      mistake(`${call}: ${name} must be ${is}, ${said}`, undefined, hint)
    }
  return good as { [K in keyof T]: T[K] | undefined }
}

/**
 * How wrong values are told: where one of the options is a secret, it may be what stands in the
 * place of another.
 */
function wordsFor(list: Readonly<Record<string, Expected>>) {
  const hides = holdsSecret(list)
  const value = (given: unknown) => (hides ? describedKind(given) : described(given))
  /** A value that does not fit, with the entry of it that does not. */
  const unfit = (expected: Expected, given: unknown) => {
    const whole = value(given)
    if (Array.isArray(given)) {
      const at = given.findIndex((item) => !expected.fits([item]))
      const takes = at >= 0 && (expected.fits([]) || /\blists?\b/.test(expected.is))
      return takes ? `a list whose item ${at + 1} is ${value(given[at])}` : whole
    }
    if (!isPlain(given)) return whole
    const takes = expected.fits({}) || /\bby (name|job|variable)\b/.test(expected.is)
    const odd = takes
      ? Object.entries(given).find(([name, one]) => !expected.fits({ [name]: one }))
      : undefined
    // The value may be a secret.
    return odd ? `${whole} with the entry ${described(odd[0]).replace('the string ', '')}` : whole
  }
  /** A hint, without the value where that is not shown either. */
  const hint = (text: string | undefined, given: unknown, as = value(given)) =>
    typeof given !== 'string' || given === '' || as.includes(given)
      ? text
      : text?.replaceAll(given, '…')
  const advice = ({ advise }: Expected, given: unknown) => hint(advise?.(given), given)
  return { value, unfit, hint, advice }
}

function holdsSecret(list: Readonly<Record<string, Expected>>): boolean {
  return Object.values(list).some(({ secret, inside }) => secret || (inside && holdsSecret(inside)))
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
  schema: 'columns',
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
  const tell = wordsFor(known)
  if (!isPlain(given)) {
    const names = Object.keys(known).filter((name) => known[name]?.needed)
    const shown = names.length > 0 ? names.map((name) => `${name}: …`).join(', ') : '…'
    mistake(
      // Whatever it is for: a secret may have been given as an argument of its own.
      `${call} needs an object of options, not ${describedKind(given)}`,
      undefined,
      tell.hint(instead?.(given), given, describedKind(given)) ?? `Write them as { ${shown} }`,
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
      const { inside, each } = expected
      const own =
        each && Object.fromEntries(Object.keys(value as object).map((key) => [key, having(each)]))
      const list = isPlain(value) ? (inside ?? own) : undefined
      good[name] = list ? checked(`${call}: ${name}`, value, list) : value
      if (list && isBroken(good[name] as object)) sound = false
    } else {
      const said =
        expected.secret && typeof value === 'number' ? 'a number' : tell.unfit(expected, value)
      mistake(
        `${call}: ${name} must be ${expected.is}, not ${said}`,
        `${name}:`,
        tell.advice(expected, value),
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
