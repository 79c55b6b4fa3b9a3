import type { HttpSource } from '../../define/source.js'
import { MoraineError } from '../../errors.js'
import type { Answer } from './client.js'
import { flagIn, isObject } from './document.js'

/** Bytes of an answer without rows that are looked at. */
const MOST = 1 << 20
const ERROR = /^@?(error|errors)$/i
const GOOD = /^(success|successful|ok)$/i
const STATUS = /^(error|fail|failed|failure)$/i
/** What stands beside an error, where an answer is nothing else. */
const BESIDE =
  /^(error_?(code|message|description|type|details?|uri)|message|msg|code|status(_?code)?|details?|reason|title|type|instance|path|timestamp|(request|trace|correlation)_?id|documentation_?url|help|needed|provided|data|result)$/i

/**
 * Refuses an answer that is a success to HTTP and says that it failed: one without rows beside
 * `error`, `errors`, `success: false`,
 * `ok: false` or `status: "error"`. Taken as the end of all pages, or as an empty extract, it would
 * lose rows.
 *
 * @param rows how many rows were found in it.
 * @throws MoraineError of kind `source`.
 */
export function refuseFailure(
  { body }: Answer,
  rows: number,
  source: Pick<HttpSource, 'rows' | 'ignoreMore'>,
  place: string,
): void {
  // Without a path, an answer that is an object is the one row.
  const isRow = source.rows === undefined && rows === 1
  if ((rows > 0 && !isRow) || body.length > MOST) return
  const answer = parsed(body)
  if (!isObject(answer)) return
  const failure = Object.entries(answer).flatMap(([key, value]) => {
    const says = failureIn(key, value)
    const isIgnored = source.ignoreMore.some((other) => other.toLowerCase() === key.toLowerCase())
    return says === undefined || isIgnored ? [] : [{ key, says }]
  })[0]
  if (!failure || (isRow && !isNothingElse(answer))) return
  throw new MoraineError(
    'source',
    `${place}: it has no rows, and reports a failure (${failure.key} is ${failure.says})`,
    {
      hint: `Nothing was ingested from it. Check auth and the request, and run again. If ${failure.key} means something else: ignoreMore: ['${failure.key}'].`,
    },
  )
}

function failureIn(key: string, value: unknown): string | undefined {
  if (GOOD.test(key)) return flagIn(value) === false ? 'false' : undefined
  if (/^status$/i.test(key))
    return typeof value === 'string' && STATUS.test(value) ? `'${value}'` : undefined
  if (!ERROR.test(key)) return undefined
  if (value === true) return 'true'
  if (typeof value === 'string')
    return /^\s*(|0|no|none|null|false|ok)\s*$/i.test(value) ? undefined : shown(value)
  const isSomething = typeof value === 'object' && value !== null && Object.keys(value).length > 0
  return isSomething ? shown(value) : undefined
}

const isNothingElse = (answer: Record<string, unknown>) =>
  Object.keys(answer).every((key) => [ERROR, GOOD, BESIDE].some((pattern) => pattern.test(key))) &&
  Object.keys(answer).some((key) => ERROR.test(key) || GOOD.test(key))

function shown(value: unknown): string {
  const text = (typeof value === 'string' ? value : JSON.stringify(value)).replace(/\p{Cc}+/gu, ' ')
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8').replace(/^\uFEFF/, ''))
  } catch {
    return undefined
  }
}
