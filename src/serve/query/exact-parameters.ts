import { parse } from 'lossless-json'
import type { ParameterValues, RowValue } from '../../engine/engine.js'
import { MoraineError } from '../../errors.js'

/** Digits that a double keeps of any number. */
const KEPT = 17
/** Characters of the longest whole number: what has more takes long to be read as one. */
const LONGEST = 40

/** A number as it was sent, where a number of JavaScript's would be another one. */
class Inexact {
  constructor(readonly text: string) {}
}

/**
 * The parameters of a body with all digits of their numbers: whole ones beyond 2^53 are bigints.
 *
 * @param body JSON in which `parameters` is a list or an object of plain values.
 * @throws MoraineError of kind `usage` for a number that no type of numbers here holds.
 */
export function exactParameters(body: string): ParameterValues {
  const { parameters } = parse(body, null, {
    parseNumber: exactNumber,
    // As JSON.parse has it.
    onDuplicateKey: ({ newValue }) => newValue,
  }) as { parameters: Record<string, unknown> | unknown[] | null }
  for (const [name, value] of Object.entries(parameters ?? {}))
    if (value instanceof Inexact) throw inexact(name, value, Array.isArray(parameters))
  return parameters as RowValue[] | Record<string, RowValue>
}

function exactNumber(text: string): number | bigint | Inexact {
  const number = Number(text)
  if (/^-?\d+$/.test(text)) {
    if (Number.isSafeInteger(number)) return number
    if (text.length > LONGEST) return new Inexact(text)
    const whole = BigInt(text)
    return BigInt.asIntN(128, whole) === whole ? whole : new Inexact(text)
  }
  const digits = text.replace(/e.*/i, '').replace(/\D/g, '').replace(/^0+/, '').replace(/0+$/, '')
  return digits.length > KEPT || !Number.isFinite(number) ? new Inexact(text) : number
}

function inexact(name: string, { text }: Inexact, isList: boolean): MoraineError {
  const which = isList ? `${Number(name) + 1}` : `'${name}'`
  return new MoraineError(
    'usage',
    `Parameter ${which} is a number with more digits than a number can have here: ${text.slice(0, 60)}`,
    { hint: 'Send it as a text, in quotes: it is compared as what the query compares it with.' },
  )
}
