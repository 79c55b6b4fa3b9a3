import type { Partition } from '../../define/partition.js'
import { murmur3 } from './murmur3.js'
import { decimalOf } from './types.js'
import { encodeValue, minimalBigEndian, type Value } from './values.js'

/** A field of a partition spec, as table metadata spells it. */
export interface PartitionField {
  'source-id': number
  'field-id': number
  name: string
  /** `identity`, `month`, `bucket[16]`, `truncate[4]` … */
  transform: string
}

export interface PartitionSpec {
  'spec-id': number
  fields: PartitionField[]
}

export function transformName({ transform, width }: Partition): string {
  return width === undefined ? transform : `${transform}[${width}]`
}

interface Parsed {
  name: string
  width: number
}

export function parseTransform(transform: string): Parsed {
  const match = /^([a-z]+)(?:\[(\d+)\])?$/.exec(transform)
  return { name: match?.[1] ?? transform, width: Number(match?.[2] ?? 0) }
}

const transforms = ['identity', 'bucket', 'truncate', 'year', 'month', 'day', 'hour']

/** Others may come with later versions, and `void` forgets its values. */
export function isKnownTransform(transform: string): boolean {
  return transforms.includes(parseTransform(transform).name)
}

/** The type of a transform's result (spec, Partition Transforms). */
export function resultType(transform: string, source: string): string {
  const { name } = parseTransform(transform)
  if (['identity', 'truncate', 'void'].includes(name)) return source
  return name === 'day' ? 'date' : 'int'
}

const DAY = 86_400_000_000n
const HOUR = 3_600_000_000n

function floorDiv(a: bigint, b: bigint): bigint {
  const quotient = a / b
  return a % b < 0n ? quotient - 1n : quotient
}

/** Applies a transform to a value of the source type. */
export function applyTransform(transform: string, value: Value, source: string): Value {
  const { name, width } = parseTransform(transform)
  switch (name) {
    case 'identity':
      return value
    case 'bucket':
      return BigInt((murmur3(hashBytes(value, source)) & 0x7fffffff) % width)
    case 'truncate':
      if (typeof value === 'string') return [...value].slice(0, width).join('')
      return floorDiv(value as bigint, BigInt(width)) * BigInt(width)
    case 'hour':
      return floorDiv(value as bigint, HOUR)
    default:
      return calendar(name, source === 'date' ? (value as bigint) : floorDiv(value as bigint, DAY))
  }
}

function calendar(name: string, days: bigint): bigint {
  if (name === 'day') return days
  const date = new Date(Number(days) * 86_400_000)
  const years = date.getUTCFullYear() - 1970
  return BigInt(name === 'year' ? years : years * 12 + date.getUTCMonth())
}

/** The bytes that are hashed: whole numbers and times as 8 bytes, decimals minimal (Appendix B). */
function hashBytes(value: Value, source: string): Uint8Array {
  if (decimalOf(source)) return minimalBigEndian(value as bigint)
  return encodeValue(value, source === 'string' ? 'string' : 'long')
}

/** Whether a transform keeps the order of its argument. */
export function keepsOrder(transform: string): boolean {
  return parseTransform(transform).name !== 'bucket'
}
