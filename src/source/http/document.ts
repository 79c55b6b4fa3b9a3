import { isLosslessNumber, parse } from 'lossless-json'

/** JSON whose numbers keep all of their digits. */
export function parseExactly(text: string): any {
  try {
    return parse(text)
  } catch {
    // A name that comes twice, which JSON allows.
    return JSON.parse(text)
  }
}

/** What is at a path of names, and whether anything is, `null` included. */
export function lookUp(document: unknown, path: string): { there: boolean; value: unknown } {
  let value = document
  for (const name of path.split('.')) {
    if (typeof value !== 'object' || value === null || isLosslessNumber(value)) return nothing
    const at = Array.isArray(value) && name === '-1' ? String(value.length - 1) : name
    if (!Object.hasOwn(value, at)) return nothing
    value = (value as Record<string, unknown>)[at]
  }
  return { there: true, value }
}

const nothing = { there: false, value: undefined }

/**
 * A text or number that says something; `undefined` for anything else. Numbers keep their digits.
 */
export function saying(value: unknown): string | number | object | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value
  return typeof value === 'number' || isLosslessNumber(value) ? (value as number) : undefined
}

/** The number that a value is, or a text of digits. */
export function countIn(value: unknown): number | undefined {
  const text = isLosslessNumber(value) ? value.value : value
  if (typeof text === 'number') return Number.isInteger(text) ? text : undefined
  return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}

/** `true` and `false`, also as texts. */
export function flagIn(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value
  return value === 'true' ? true : value === 'false' ? false : undefined
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isLosslessNumber(value)
