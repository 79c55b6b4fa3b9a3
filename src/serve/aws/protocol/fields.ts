import { isDeeper } from '../../json-depth.js'
import { AwsError, invalidRequest } from './failure.js'

/** What a client sends as JSON, with each field checked where it is read. */
export class Fields {
  constructor(private readonly sent: Readonly<Record<string, unknown>>) {}

  has(name: string): boolean {
    return this.sent[name] !== undefined && this.sent[name] !== null
  }

  text(name: string, { most = 1024, least = 1 }: { most?: number; least?: number } = {}): string {
    const value = this.optional(name, { most, least })
    if (value === undefined) throw invalidRequest(`${name} is missing`)
    return value
  }

  optional(
    name: string,
    { most = 1024, least = 0 }: { most?: number; least?: number } = {},
  ): string | undefined {
    if (!this.has(name)) return undefined
    const value = this.sent[name]
    if (typeof value !== 'string' || value.length < least || value.length > most)
      throw invalidRequest(`${name} is not a text of ${least} to ${most} characters`)
    return value
  }

  number(
    name: string,
    { least, most, otherwise }: { least: number; most: number; otherwise: number },
  ): number {
    if (!this.has(name)) return otherwise
    const value = this.sent[name]
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
      throw invalidRequest(`${name} is not a whole number from ${least} to ${most}`)
    return value
  }

  flag(name: string): boolean {
    const value = this.sent[name]
    if (this.has(name) && typeof value !== 'boolean')
      throw invalidRequest(`${name} is not true or false`)
    return value === true
  }

  list(name: string, { most = 50 }: { most?: number } = {}): string[] {
    if (!this.has(name)) return []
    const value = this.sent[name]
    const isList =
      Array.isArray(value) && value.length <= most && value.every((one) => typeof one === 'string')
    if (!isList) throw invalidRequest(`${name} is not a list of at most ${most} texts`)
    return value as string[]
  }

  /** The fields of each part of a list. */
  parts(name: string, { most = 50 }: { most?: number } = {}): Fields[] {
    if (!this.has(name)) return []
    const value = this.sent[name]
    const isList =
      Array.isArray(value) &&
      value.length <= most &&
      value.every((one) => typeof one === 'object' && one !== null && !Array.isArray(one))
    if (!isList) throw invalidRequest(`${name} is not a list of at most ${most} objects`)
    return value.map((one) => new Fields(one as Record<string, unknown>))
  }

  /** A map of texts. */
  texts(name: string, { most = 1024 }: { most?: number } = {}): [string, string][] {
    const map = this.part(name)
    return Object.keys(map.sent).map((key) => [key, map.text(key, { most, least: 0 })])
  }

  /** The fields of a part; of none where it is missing. */
  part(name: string): Fields {
    if (!this.has(name)) return new Fields({})
    const value = this.sent[name]
    if (typeof value !== 'object' || Array.isArray(value))
      throw invalidRequest(`${name} is not an object`)
    return new Fields(value as Record<string, unknown>)
  }
}

/** A page of a list, by the token that the page before gave: the number of its first item. */
export function pageOf<T>(
  items: readonly T[],
  sent: Fields,
  {
    most,
    otherwise = most,
    token = 'NextToken',
  }: { most: number; otherwise?: number; token?: string },
): { items: T[]; next: { NextToken?: string } } {
  const from = startOf(sent.optional(token), items.length)
  const size = sent.number('MaxResults', { least: 1, most: 1000, otherwise })
  const end = from + Math.min(size, most)
  return {
    items: items.slice(from, end),
    next: end < items.length ? { NextToken: `from-${end}` } : {},
  }
}

export function startOf(token: string | undefined, most: number): number {
  if (token === undefined || token === '') return 0
  const found = /^from-(\d{1,12})$/.exec(token)
  if (!found || Number(found[1]) > most)
    throw invalidRequest('NextToken is not one that was given here', 'INVALID_TOKEN')
  return Number(found[1])
}

const DEEPEST = 20

/** @throws AwsError for a body that is no object of JSON. */
export function fieldsIn(body: Buffer): Fields {
  if (isDeeper(body, DEEPEST))
    throw new AwsError('SerializationException', `The body has more than ${DEEPEST} levels`)
  let value: unknown
  try {
    value = body.length === 0 ? {} : JSON.parse(body.toString())
  } catch {
    throw new AwsError('SerializationException', 'The body is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new AwsError('SerializationException', 'The body is not an object of JSON')
  return new Fields(value as Record<string, unknown>)
}
