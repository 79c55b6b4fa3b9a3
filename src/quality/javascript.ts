import { isLosslessNumber, type LosslessNumber, parse } from 'lossless-json'
import { z } from 'zod'
import type { ColumnType } from '../define/types/column-type.js'
import { columnTypeOf, defOf } from '../define/types/schema.js'
import { messageOf } from '../errors.js'

/** The type in which a schema takes its value: that of the first schema of a pipe. */
export function inputTypeOf(schema: z.ZodType): ColumnType {
  const def = defOf(schema)
  if (def.type === 'pipe') {
    return defOf(def.in).type === 'transform' ? { kind: 'string' } : inputTypeOf(def.in)
  }
  return def.innerType ? inputTypeOf(def.innerType) : columnTypeOf(schema)
}

/** Answers a question about a text; see {@link checkOf}. */
export type Answering = (text: string | null) => string | null

/**
 * What answers the questions of a schema: about one of its columns, or (`null`) about whole rows.
 */
export function checkOf(schema: z.ZodObject, of: string | null): Answering {
  return of === null ? rowCheck(schema) : zodCheck(of, schema.shape[of] as z.ZodType)
}

/**
 * What a missing value or NULL is to the schema, in the order to try: the outermost wrapper
 * decides.
 */
export function absentValues(schema: z.ZodType): readonly (undefined | null)[] {
  return outermostWrapper(schema) === 'nullable' ? [null, undefined] : [undefined, null]
}

function outermostWrapper(schema: z.ZodType): string {
  const def = defOf(schema)
  return def.type === 'pipe' || def.type === 'readonly'
    ? outermostWrapper(def.in ?? def.innerType)
    : def.type
}

/**
 * Checks one value with Zod itself. The argument is the decoded value as text; the answer is `=`
 * when it passes as it is, begins with `+` before another value as text, is `~` for NULL, or begins
 * with `-` before the reasons as a JSON list.
 */
function zodCheck(column: string, schema: z.ZodType): (text: string | null) => string {
  const type = inputTypeOf(schema)
  const absent = absentValues(schema)
  return (text) => {
    try {
      if (text === null) return checkAbsent(column, schema, absent)
      const result = z.safeParse(schema, fromText(text, type))
      if (!result.success) return rejected(column, result.error)
      const answer = accepted(result.data)
      return answer === `+${text}` ? '=' : answer
    } catch (error) {
      return `-${reasonsText([`${column}: ${thrown(error)}`])}`
    }
  }
}

/**
 * Checks a whole row with what `refine()` and `superRefine()` say about the object. The argument is
 * the row's values as a JSON object; the answer is NULL, or the reasons as a JSON list.
 */
function rowCheck(schema: z.ZodObject): (text: string | null) => string | null {
  const shape = schema.shape as Record<string, z.ZodType>
  const fields = Object.entries(shape).map(([name, column]) => ({
    name,
    type: columnTypeOf(column),
  }))
  const anything = Object.fromEntries(fields.map(({ name }) => [name, z.any()]))
  const checks = schema._zod.def.checks ?? []
  const whole = z.object(anything).check(...(checks as z.core.$ZodCheck<any>[]))
  return (text) => {
    if (text === null) return null
    try {
      const result = z.safeParse(whole, fromText(text, { kind: 'struct', fields }))
      if (result.success) return null
      const reasons = result.error.issues.map(({ path, message }) => {
        return `${path.length > 0 ? path.join('.') : 'row'}: ${message}`
      })
      return reasonsText(reasons)
    } catch (error) {
      return reasonsText([`row: ${thrown(error)}`])
    }
  }
}

function checkAbsent(column: string, schema: z.ZodType, absent: readonly (undefined | null)[]) {
  for (const value of absent) {
    const result = z.safeParse(schema, value)
    if (result.success) return accepted(result.data)
  }
  return `-${reasonsText([`${column}: required, but it is missing`])}`
}

function accepted(value: unknown): string {
  return value === null || value === undefined ? '~' : `+${toText(value)}`
}

function rejected(column: string, error: z.ZodError): string {
  const reasons = error.issues.map((issue) => {
    const path = [column, ...issue.path.map(String)].join('.')
    return `${path}: ${issue.message}`
  })
  return `-${reasonsText(reasons)}`
}

function fromText(text: string, type: ColumnType): unknown {
  if (type.kind === 'list' || type.kind === 'struct') {
    try {
      return shaped(parse(text), type)
    } catch {
      return text
    }
  }
  return scalar(text, type)
}

function scalar(text: string, type: ColumnType): unknown {
  switch (type.kind) {
    case 'int':
    case 'double':
    case 'float':
      return Number(text)
    case 'bigint':
      return BigInt(text)
    case 'boolean':
      return text === 'true'
    default:
      return text
  }
}

/** JSON's values as the schema expects them; numbers keep all their digits. */
function shaped(value: unknown, type: ColumnType): unknown {
  if (isLosslessNumber(value)) return numberOf(value, type)
  if (Array.isArray(value))
    return value.map((v) => shaped(v, type.kind === 'list' ? type.element : type))
  if (value !== null && typeof value === 'object' && type.kind === 'struct')
    return Object.fromEntries(
      Object.entries(value).map(([name, v]) => {
        const field = type.fields.find((f) => f.name === name)
        return [name, field ? shaped(v, field.type) : v]
      }),
    )
  return value
}

function numberOf(number: LosslessNumber, type: ColumnType): unknown {
  const text = number.toString()
  if (type.kind === 'bigint' && /^-?\d+$/.test(text)) return BigInt(text)
  return type.kind === 'decimal' ? text : Number(text)
}

function toText(value: unknown): string {
  return typeof value === 'object' ? toJson(value) : String(value)
}

function toJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value)
  if (Array.isArray(value)) return `[${value.map(toJson).join(',')}]`
  if (value !== null && typeof value === 'object')
    return `{${Object.entries(value)
      .map(([name, v]) => `${jsonText(name)}:${toJson(v)}`)
      .join(',')}}`
  return jsonText(value ?? null)
}

/**
 * JSON without halves of characters, which the engine takes for no JSON: as UTF-8, they are U+FFFD.
 */
const jsonText = (value: unknown): string =>
  JSON.stringify(typeof value === 'string' ? value.toWellFormed() : value)

/** Characters of a reason that are kept. */
const LONGEST = 1000

function reasonsText(reasons: readonly string[]): string {
  const short = reasons.map((reason) =>
    reason.length > LONGEST ? `${reason.slice(0, LONGEST - 1)}…` : reason,
  )
  return JSON.stringify([...new Set(short.map((reason) => reason.toWellFormed()))])
}

/** What is said of an error that a schema's own JavaScript threw, which may be anything. */
function thrown(error: unknown): string {
  try {
    return `its check threw ${messageOf(error)}`
  } catch {
    return 'its check threw a value that cannot be shown'
  }
}
