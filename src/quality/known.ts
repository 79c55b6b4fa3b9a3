import { ownValue } from '../own-value.js'

/** What is known of a column's values without a look at them. */
export interface Known {
  nulls: number
  /** The least and the greatest number, as the engine writes them. */
  min?: string
  max?: string
}

/** By column, in lower case. */
export type KnownColumns = Readonly<Record<string, Known>>

/**
 * What is known of the rows of all parts together: of columns of which each part says something.
 */
export function knownOfAll(parts: readonly (KnownColumns | undefined)[]): KnownColumns {
  const [first = {}, ...others] = parts
  return others.reduce<KnownColumns>((all, part = {}) => {
    const both = Object.entries(all).flatMap(([name, a]) => {
      const b = ownValue(part, name)
      return b ? [[name, together(a, b)] as const] : []
    })
    return Object.fromEntries(both)
  }, first)
}

function together(a: Known, b: Known): Known {
  const nulls = a.nulls + b.nulls
  if (a.min === undefined || a.max === undefined || b.min === undefined || b.max === undefined)
    return { nulls }
  return {
    nulls,
    min: compareNumbers(a.min, b.min) <= 0 ? a.min : b.min,
    max: compareNumbers(a.max, b.max) >= 0 ? a.max : b.max,
  }
}

const NUMBER = /^(-?)(\d+)(?:\.(\d+))?$/

/** Whether a text is a number in digits, as the engine writes whole numbers and decimals. */
export function isNumber(text: string): boolean {
  return NUMBER.test(text)
}

/** Orders two such numbers, however many digits they have. */
export function compareNumbers(a: string, b: string): number {
  const scale = Math.max(a.split('.')[1]?.length ?? 0, b.split('.')[1]?.length ?? 0)
  const [x, y] = [scaled(a, scale), scaled(b, scale)]
  return x < y ? -1 : x > y ? 1 : 0
}

function scaled(text: string, scale: number): bigint {
  const [, sign, whole = '', fraction = ''] = NUMBER.exec(text) ?? []
  const digits = BigInt(whole + fraction.padEnd(scale, '0'))
  return sign ? -digits : digits
}
