import { invalid } from './refused.js'

/** JSON as clients send it: nothing is known of it yet. */
export type Json = Readonly<Record<string, unknown>>

/** Whole numbers of up to 63 bits: bigint where a number can't hold them. */
export type Long = number | bigint

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export function objectOf(json: Json, name: string): Json {
  const value = json[name]
  if (!isObject(value)) throw invalid(`${name} is missing, or is not an object`)
  return value
}

export function listOf(json: Json, name: string): unknown[] {
  const value = json[name]
  if (!Array.isArray(value)) throw invalid(`${name} is missing, or is not a list`)
  return value
}

/** An object that may be left out, or be null. */
export function objectIfAny(json: Json, name: string): Json | undefined {
  return json[name] === undefined || json[name] === null ? undefined : objectOf(json, name)
}

/** An object without what is null: some clients write what they leave out so. */
export const withoutNulls = (json: Json): Json =>
  Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null))

/** A flag that may be left out, or be null: then it is not set. */
export function flagOf(json: Json, name: string): boolean {
  const value = json[name] ?? false
  if (typeof value !== 'boolean') throw invalid(`${name} is not a boolean`)
  return value
}

export function objectsOf(json: Json, name: string): Json[] {
  return listOf(json, name).map((value) => {
    if (!isObject(value)) throw invalid(`${name} contains a value that is not an object`)
    return value
  })
}

export function textOf(json: Json, name: string): string {
  const value = json[name]
  if (typeof value !== 'string') throw invalid(`${name} is missing, or is not a string`)
  return value
}

export function integerOf(json: Json, name: string): number {
  const value = json[name]
  if (!Number.isSafeInteger(value)) throw invalid(`${name} is missing, or is not a whole number`)
  return value as number
}

/** A whole number of 32 bits, as ids of fields are. */
export function idOf(json: Json, name: string): number {
  const id = integerOf(json, name)
  if (id !== (id | 0)) throw invalid(`${name} is not a whole number of 32 bits`)
  return id
}

export function longOf(json: Json, name: string): Long {
  const value = json[name]
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return value
  if (Number.isSafeInteger(value)) return value as number
  throw invalid(`${name} is missing, or is not a whole number of 64 bits`)
}

/** Texts by their names; numbers and booleans that some clients send are read as texts. */
export function textsOf(json: Json, name: string): Record<string, string> {
  const found = Object.entries(objectOf(json, name)).map(([key, value]) => {
    if (typeof value === 'object') throw invalid(`${name}.${key} is not a string`)
    return [key, String(value)]
  })
  return Object.fromEntries(found)
}

export function namesOf(json: Json, name: string): string[] {
  return listOf(json, name).map((value) => {
    if (typeof value !== 'string') throw invalid(`${name} contains a value that is not a string`)
    return value
  })
}

/** Whether two values are the same JSON, in whatever order their fields stand. */
export function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (Array.isArray(a)) return Array.isArray(b) && areSame(a, b)
  if (isObject(a)) return isObject(b) && hasSame(a, b)
  if (isNumber(a)) return isNumber(b) && String(a) === String(b)
  return (a ?? null) === (b ?? null)
}

/** A text that is the same of values that are the same, as `isSame` has it. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  if (isObject(value)) {
    const names = Object.keys(value).filter((name) => value[name] !== undefined)
    return `{${names.sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`)}}`
  }
  return isNumber(value) ? String(value) : JSON.stringify(value ?? null)
}

const isNumber = (value: unknown) => typeof value === 'number' || typeof value === 'bigint'

const areSame = (a: readonly unknown[], b: readonly unknown[]) =>
  a.length === b.length && a.every((one, i) => isSame(one, b[i]))

function hasSame(a: Json, b: Json): boolean {
  const names = Object.keys(a).filter((name) => a[name] !== undefined)
  const others = Object.keys(b).filter((name) => b[name] !== undefined)
  return (
    names.length === others.length &&
    names.every((name) => Object.hasOwn(b, name) && isSame(a[name], b[name]))
  )
}
