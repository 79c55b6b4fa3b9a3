import { z } from 'zod'
import type { ColumnType } from './column-type.js'
import { withText } from './stable-text.js'

/**
 * Zod schemas for values that JavaScript has no type for. They hold their value as text, so nothing
 * is lost: decimals as `12.50`, dates as `2008-02-18`, timestamps with microseconds.
 */
export interface TextValue<Bound> extends z.ZodType<string, string> {
  readonly columnType: ColumnType
  readonly formats: readonly string[]
  min(bound: Bound, message?: string): this
  max(bound: Bound, message?: string): this
  gt(bound: Bound, message?: string): this
  lt(bound: Bound, message?: string): this
}

export type DecimalValue = TextValue<number | string>
export type TemporalValue = TextValue<string>

/** A comparison with a fixed bound, kept as data so that it can be compiled to SQL. */
export interface BoundCheck {
  check: 'moraine_bound'
  op: '>=' | '<=' | '>' | '<'
  bound: string
  error: string | undefined
}

type Compare = (a: string, b: string) => number

interface TextValueDef extends z.core.$ZodTypeDef {
  columnType: ColumnType
  formats: readonly string[]
  pattern: RegExp
  compare: Compare
}

// The text is that of the build which made the first tables.
const compareText = withText(
  (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0),
  'function compareText(a, b) {\n    return a < b ? -1 : a > b ? 1 : 0;\n}',
)

/** Compares two decimal texts exactly, whatever their scale. */
function compareDecimals(a: string, b: string): number {
  const scale = Math.max(fraction(a).length, fraction(b).length)
  const [x, y] = [scaled(a, scale), scaled(b, scale)]
  return x < y ? -1 : x > y ? 1 : 0
}

function fraction(text: string): string {
  return text.split('.')[1] ?? ''
}

function scaled(text: string, scale: number): bigint {
  const negative = text.startsWith('-')
  const [whole = '', part = ''] = text.replace(/^[+-]/, '').split('.')
  const digits = BigInt(`${whole}${part.padEnd(scale, '0')}` || '0')
  return negative ? -digits : digits
}

const holds: Record<BoundCheck['op'], (order: number) => boolean> = {
  '>=': (order) => order >= 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '<': (order) => order < 0,
}

function boundCheck(def: BoundCheck, compare: Compare): z.core.$ZodCheck<string> {
  const check = z.check<string>((payload) => {
    if (holds[def.op](compare(payload.value, def.bound))) return
    const message = def.error ?? `must be ${def.op} ${def.bound}`
    payload.issues.push({ code: 'custom', input: payload.value, message })
  })
  Object.assign(check._zod.def, def)
  return check
}

const MoraineText = z.core.$constructor<any>('MoraineText', (inst: any, def: TextValueDef) => {
  ;(z.ZodType as any).init(inst, def)
  inst.columnType = def.columnType
  inst.formats = def.formats
  inst._zod.parse = (payload: z.core.ParsePayload) => {
    const { value } = payload
    if (typeof value !== 'string' || !def.pattern.test(value))
      payload.issues.push({ code: 'custom', input: value, message: `not a ${def.columnType.kind}` })
    return payload
  }
  const bound = (op: BoundCheck['op']) => (limit: number | string, error?: string) =>
    inst.check(boundCheck({ check: 'moraine_bound', op, bound: String(limit), error }, def.compare))
  inst.min = bound('>=')
  inst.max = bound('<=')
  inst.gt = bound('>')
  inst.lt = bound('<')
})

export function decimal(precision: number, scale: number): DecimalValue {
  return new MoraineText({
    type: 'custom',
    columnType: { kind: 'decimal', precision, scale },
    formats: [],
    pattern: /^[+-]?(\d+(\.\d*)?|\.\d+)$/,
    compare: compareDecimals,
  } as never)
}

const DATE = String.raw`\d{4}-\d{2}-\d{2}`
const TIME = String.raw`\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?`
const ZONE = String.raw`(Z|[+-]\d{2}(:?\d{2})?)`
const temporalPatterns = {
  date: new RegExp(`^${DATE}$`),
  timestamp: new RegExp(`^${DATE}[T ]${TIME}$`),
  timestamptz: new RegExp(`^${DATE}[T ]${TIME}${ZONE}$`),
}

export function temporal(
  kind: 'date' | 'timestamp' | 'timestamptz',
  formats: readonly string[],
): TemporalValue {
  return new MoraineText({
    type: 'custom',
    columnType: { kind },
    formats,
    pattern: temporalPatterns[kind],
    compare: compareText,
  } as never)
}

/** What `t.json`, `t.uuid` and `t.boolean({ … })` say about a plain Zod schema. */
export const columnHints = z.registry<{
  columnType: ColumnType
  true?: readonly string[]
  false?: readonly string[]
}>()
