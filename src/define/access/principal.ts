import type { SourceLocation } from '../../errors.js'
import { callSite } from '../call-site.js'
import { fullName } from '../dataset.js'
import type { AnyDataset, Sql } from '../model.js'
import { isDataset, object, secretText, sqlTag } from '../options/expected.js'
import { checked, checkedArguments, type Expected, type OptionList } from '../options/options.js'
import { mistake } from '../problems/mistakes.js'
import type { Secret } from '../source.js'
import { type Grant, parseGrant } from './rights.js'
import { rulesIn, type WrittenRules } from './rules.js'

/**
 * What is granted: a dataset, a table or view by its full name, all that is in a namespace and
 * below it (`ml.*`), or `*`.
 *
 * `*` stands for silver, gold, and all namespaces of other engines. The rows of bronze,
 * `discarded`, `deleted` and `history` have not been validated, were deleted or replaced: they must
 * be named (`discarded.*`).
 */
export type Granted = '*' | `${string}.${string}` | AnyDataset

export interface PrincipalOptions {
  /** What requests show as a bearer token: `secret('env:ANALYST_TOKEN')`. */
  token?: Secret
  /**
   * What the claim of the lake's `oidc` says in tokens of this principal: `ada@example.com`.
   * Without it, none of the provider's tokens is its own.
   */
  oidc?: string
  /**
   * The secret of OAuth2 client credentials, whose client id is the principal's name. Tokens that
   * are given for it live for an hour, and are void once it changes.
   */
  clientSecret?: Secret
  /**
   * The id of the access key that Amazon's clients sign requests with. Default: the principal's
   * name.
   */
  accessKeyId?: string
  /** The secret of that key: `secret('env:ANALYST_SECRET_KEY')`. */
  secretAccessKey?: Secret
  /**
   * What PostgreSQL's clients show, whose user is the principal's name. Default: the secret of the
   * access key.
   */
  password?: Secret
  /** What may be read. */
  read?: readonly Granted[]
  /**
   * What may be written, and so also read. Of the lake's own tables that is what other engines may
   * do to them at all, such as tags and compaction.
   */
  write?: readonly Granted[]
  /**
   * What queries show in place of a column's values, by table and column: `{ 'silver.customers': {
   * email: sql\`left(email, 1) || '…'\` } }`. Where it fails, NULL is shown. The table's files are
   * then closed to the principal, wherever it asks for them.
   */
  masks?: Readonly<Record<string, Readonly<Record<string, Sql>>>>
  /**
   * The rows that queries on a table find, by table: `{ 'silver.orders': sql\`region = 'EU'\` }`.
   * The table's files are then closed to the principal, wherever it asks for them.
   */
  rows?: Readonly<Record<string, Sql>>
}

/** A grant with its text. */
export interface WrittenGrant extends Grant {
  readonly text: string
}

/** Who uses a lake through `moraine serve`: a person, a program, a team. */
export interface Principal {
  readonly kind: 'principal'
  readonly name: string
  readonly token: Secret | undefined
  readonly clientSecret: Secret | undefined
  /** What the claim of a provider's tokens says that are this principal's. */
  readonly oidc: string | undefined
  readonly accessKeyId: string
  readonly secretAccessKey: Secret | undefined
  readonly password: Secret | undefined
  readonly rules: readonly WrittenRules[]
  readonly read: readonly WrittenGrant[]
  readonly write: readonly WrittenGrant[]
  readonly place: SourceLocation | undefined
}

export const grantsList: Expected = {
  is: "a list of datasets and names such as 'gold.daily_revenue', 'ml.*' or '*'",
  fits: (value) =>
    Array.isArray(value) && value.every((item) => typeof item === 'string' || isDataset(item)),
  advise: (value) =>
    typeof value === 'string'
      ? `Wrap it in a list: ['${value}']`
      : isDataset(value)
        ? 'Wrap it in a list: […]'
        : undefined,
}

const keyId: Expected = {
  is: 'a text of 1 to 128 letters, digits, and . _ - @',
  fits: (value) => typeof value === 'string' && /^[A-Za-z0-9._@-]{1,128}$/.test(value),
}

const claimText: Expected = {
  is: 'a text of 1 to 255 characters',
  fits: (value) => typeof value === 'string' && /^.{1,255}$/s.test(value),
}

const principalOptions: OptionList<PrincipalOptions> = {
  token: secretText,
  clientSecret: secretText,
  oidc: claimText,
  accessKeyId: keyId,
  secretAccessKey: secretText,
  password: secretText,
  masks: {
    is: "an object of tables, each with its columns: { 'silver.customers': { email: sql`'…'` } }",
    fits: (value) =>
      object.fits(value) &&
      Object.values(value as object).every(
        (columns) => object.fits(columns) && Object.values(columns as object).every(sqlTag.fits),
      ),
  },
  rows: {
    is: "an object of tables, each with a condition: { 'silver.orders': sql`region = 'EU'` }",
    fits: (value) => object.fits(value) && Object.values(value as object).every(sqlTag.fits),
  },
  read: grantsList,
  write: grantsList,
}

/** Names of principals that `lake.ts` does not define. */
const RESERVED = ['token', 'anonymous']

/**
 * Who may read and write what through `moraine serve`. Once a lake has `access`, everything that is
 * not granted is refused.
 *
 * @example principal('analysts', { token: secret('env:ANALYSTS_TOKEN'), read: ['gold.*'] })
 */
export function principal(name: string, options: PrincipalOptions): Principal {
  const call = 'principal(…)'
  const named = checkedArguments(call, { name }, { name: principalName }).name ?? ''
  const of = `principal '${named}'`
  if (RESERVED.includes(named))
    mistake(`${of}: the name is reserved by Moraine`, `'${named}'`, 'Give it another name.')
  const good = checked<PrincipalOptions>(of, options, principalOptions)
  const { token, clientSecret, secretAccessKey, password, read = [], write = [] } = good
  const secrets = { token, clientSecret, secretAccessKey, password }
  for (const [option, secret] of Object.entries(secrets))
    if (typeof secret === 'string' && secret.trim() === '')
      mistake(`${of}: ${option} is empty`, `${option}:`, SECRET)
  if (good.oidc === undefined && Object.values(secrets).every((one) => one === undefined))
    mistake(
      `${of} has neither a token nor a clientSecret, so that no request is its own`,
      undefined,
      SECRET,
    )
  if (read.length + write.length === 0)
    mistake(`${of} may do nothing`, undefined, "Grant something: read: ['gold.*']")
  const granted = { read: grantsIn(of, read), write: grantsIn(of, write) }
  return {
    kind: 'principal',
    name: named,
    token,
    clientSecret,
    oidc: good.oidc,
    secretAccessKey,
    password: password ?? secretAccessKey,
    accessKeyId: good.accessKeyId ?? named,
    rules: rulesIn(of, good),
    ...granted,
    place: callSite(),
  }
}

const SECRET = "Write token: secret('env:ANALYSTS_TOKEN'), imported from moraine/sources"

const principalName: Expected = {
  is: 'a name of 1 to 64 letters, digits, and . _ - @, which begins with a letter or digit',
  fits: (value) => typeof value === 'string' && /^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$/.test(value),
}

/** Grants with their texts. */
export function grantsIn(of: string, granted: readonly Granted[]): WrittenGrant[] {
  return granted.flatMap((one) => {
    const text = typeof one === 'string' ? one : fullName(one)
    const grant = parseGrant(text)
    if (grant) return [{ ...grant, text }]
    const isName = /^[\p{L}\p{N}_@-]+$/u.test(text)
    const hint = isName
      ? `For the namespace and all that is in it: '${text}.*'`
      : `Write 'gold.daily_revenue' for a table, 'ml.*' for a namespace, '*' for silver, gold and all namespaces of other engines; names with other characters in double quotes: '"a b".*'`
    mistake(`${of}: '${text}' is neither a table nor a namespace`, `'${text}'`, hint)
    return []
  })
}

export const isPrincipal = (value: unknown): value is Principal =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'principal'
