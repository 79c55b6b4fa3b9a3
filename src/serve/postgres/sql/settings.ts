import { PgError } from '../pg-error.js'

/** Settings that clients are told of when a session begins, and when they change. */
export const REPORTED = [
  'application_name',
  'client_encoding',
  'DateStyle',
  'default_transaction_read_only',
  'in_hot_standby',
  'integer_datetimes',
  'IntervalStyle',
  'is_superuser',
  'server_encoding',
  'server_version',
  'session_authorization',
  'standard_conforming_strings',
  'TimeZone',
] as const

/** The version of PostgreSQL whose catalogs are shown: it decides what clients ask. */
export const SERVER_VERSION = '14.0'

const initial: Readonly<Record<string, string>> = {
  application_name: '',
  bytea_output: 'hex',
  client_encoding: 'UTF8',
  client_min_messages: 'notice',
  DateStyle: 'ISO, MDY',
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'on',
  extra_float_digits: '1',
  in_hot_standby: 'off',
  integer_datetimes: 'on',
  IntervalStyle: 'postgres',
  is_superuser: 'off',
  lc_collate: 'C',
  lc_ctype: 'C',
  lock_timeout: '0',
  max_identifier_length: '63',
  max_index_keys: '32',
  search_path: '"$user", public',
  server_encoding: 'UTF8',
  server_version: SERVER_VERSION,
  server_version_num: '140000',
  session_authorization: '',
  standard_conforming_strings: 'on',
  statement_timeout: '0',
  TimeZone: 'UTC',
  transaction_isolation: 'read committed',
  transaction_read_only: 'on',
}

/** What these are cannot be changed: values are always written so. */
const fixed: Readonly<Record<string, RegExp>> = {
  client_encoding: /^(utf-?8|unicode|sql_ascii)$/i,
  DateStyle: /^iso\b/i,
  IntervalStyle: /^postgres$/i,
  bytea_output: /^hex$/i,
  standard_conforming_strings: /^(on|true|1)$/i,
}

const readOnly = /^(server_|is_superuser|integer_datetimes|in_hot_standby|lc_|max_i)/

const others: Readonly<Record<string, string>> = {
  'transaction isolation level': 'transaction_isolation',
  'session authorization': 'session_authorization',
  'time zone': 'TimeZone',
  names: 'client_encoding',
}

/** Settings of a session, and characters of one. */
const MOST = 500
const LONGEST = 10_000
/** Milliseconds, as in PostgreSQL: 25 days. */
const LONGEST_TIME = 2 ** 31 - 1

/** Milliseconds of a text such as `5min`; numbers are milliseconds. */
export function durationOf(text: string): number | undefined {
  const found = /^(\d+)\s*(ms|s|min|h|d|)$/.exec(text.trim())
  const units: Readonly<Record<string, number>> = {
    '': 1,
    ms: 1,
    s: 1000,
    min: 60_000,
    h: 3_600_000,
    d: 86_400_000,
  }
  return found ? Number(found[1]) * (units[found[2] as string] as number) : undefined
}

/**
 * The settings of a session. Most are kept for those who ask, and change nothing; values are always
 * written in UTC and as ISO 8601 has them.
 */
export class Settings {
  private values: Map<string, string>
  /** What they were when the transaction began, and will be when it is committed. */
  private around: { before: Map<string, string>; after: Map<string, string> } | undefined

  constructor(private readonly given: Readonly<Record<string, string>>) {
    this.values = this.first()
  }

  /** @throws PgError where there is no such setting. */
  get(asked: string): string {
    const value = this.values.get(nameOf(asked))
    if (value !== undefined) return value
    throw new PgError('42704', `There is no setting ${asked}`)
  }

  has(asked: string): boolean {
    return this.values.has(nameOf(asked))
  }

  all(): [string, string][] {
    return [...this.values].sort(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1))
  }

  /**
   * @param value `undefined` for what it was at first.
   * @param isLocal whether it is meant for the transaction alone.
   * @returns names of settings that clients are told of, where they changed; so do the others.
   * @throws PgError for a value that it cannot have.
   */
  set(asked: string, value: string | undefined, isLocal = false): string[] {
    const name = nameOf(asked)
    if (readOnly.test(name)) throw new PgError('55P02', `The setting ${name} cannot be changed`)
    const wanted = value ?? this.given[name] ?? initial[name]
    if (!this.values.has(name) && this.values.size >= MOST)
      throw new PgError('53400', 'The session has too many settings')
    const checked = wanted === undefined ? undefined : this.checked(name, wanted)
    const changed = new Map(this.values)
    for (const one of isLocal || !this.around ? [changed] : [changed, this.around.after])
      if (checked === undefined) one.delete(name)
      else one.set(name, checked)
    return this.change(changed)
  }

  reset(): string[] {
    if (this.around) this.around.after = this.first()
    return this.change(this.first())
  }

  /** A transaction begins. */
  enter(): void {
    this.around = { before: new Map(this.values), after: new Map(this.values) }
  }

  /** A transaction ends: what was set in it stays if it is committed, but for what it alone had. */
  leave(isCommitted: boolean): string[] {
    const { around } = this
    if (!around) return []
    this.around = undefined
    return this.change(isCommitted ? around.after : around.before)
  }

  private first(): Map<string, string> {
    return new Map(Object.entries({ ...initial, ...this.given }))
  }

  private change(values: Map<string, string>): string[] {
    const before = this.values
    this.values = values
    return REPORTED.filter((name) => before.get(name) !== values.get(name))
  }

  private checked(name: string, value: string): string {
    if (name.length + value.length > LONGEST)
      throw new PgError(
        '22023',
        `The setting ${name.slice(0, 63)} cannot be longer than ${LONGEST}`,
      )
    const allowed = fixed[name]
    if (allowed && !allowed.test(value))
      throw new PgError('22023', `The setting ${name} cannot be ${value}`, {
        hint: `It is always ${initial[name]}.`,
      })
    // Values are written in UTC whatever a client would like, and it must know so.
    if (name === 'TimeZone' || allowed) return initial[name] as string
    if (name === 'statement_timeout' && !((durationOf(value) ?? Infinity) <= LONGEST_TIME))
      throw new PgError('22023', `statement_timeout cannot be ${value}`, {
        hint: `Write: SET statement_timeout = '30s'. It can be ${LONGEST_TIME} ms at most.`,
      })
    return value
  }
}

const known = new Map(Object.keys(initial).map((name) => [name.toLowerCase(), name]))

function nameOf(asked: string): string {
  const name = others[asked.toLowerCase()] ?? asked
  return known.get(name.toLowerCase()) ?? name.toLowerCase()
}
