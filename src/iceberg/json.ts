import { isLosslessNumber, parse, stringify } from 'lossless-json'

/**
 * Reads JSON whose whole numbers may pass 2^53, as snapshot ids of other writers do: those come as
 * bigint, all others as numbers.
 */
export function parseJson(text: string): unknown {
  if (!/\d{16}/.test(text)) return JSON.parse(text)
  return parse(text, (_, value) => {
    if (!isLosslessNumber(value)) return value
    const number = Number(value.value)
    const whole = /^-?\d+$/.test(value.value)
    return whole && !Number.isSafeInteger(number) ? BigInt(value.value) : number
  })
}

/** JSON with all digits of bigints, on lines of their own, or, with an indent of 0, on one. */
export function toJsonText(value: unknown, indent = 1): string {
  return stringify(value, undefined, indent || undefined) as string
}
