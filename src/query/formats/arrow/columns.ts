import type { ColumnType } from '../../../define/types/column-type.js'
import type { RowValue } from '../../../engine/engine.js'
import { MoraineError } from '../../../errors.js'
import { checkedWide } from '../result-type.js'

/** Columns of a batch as Arrow has them: parents first, and parts after each. */
export interface Encoded {
  /** Length and NULLs of each. */
  nodes: (readonly [number, number])[]
  buffers: Buffer[]
}

const DAY = 86_400_000

export function encodeColumns(
  types: readonly ColumnType[],
  rows: readonly (readonly RowValue[])[],
): Encoded {
  const encoded: Encoded = { nodes: [], buffers: [] }
  for (const [i, type] of types.entries())
    encode(
      type,
      rows.map((row) => row[i] ?? null),
      encoded,
    )
  return encoded
}

function encode(type: ColumnType, values: readonly RowValue[], into: Encoded): void {
  const nulls = values.reduce<number>((sum, value) => sum + (value === null ? 1 : 0), 0)
  into.nodes.push([values.length, nulls])
  into.buffers.push(nulls === 0 ? Buffer.alloc(0) : bits(values, (value) => value !== null))
  switch (type.kind) {
    case 'list': {
      const lists = values as readonly (RowValue[] | null)[]
      into.buffers.push(starts(lists.map((list) => list?.length ?? 0)))
      encode(
        type.element,
        lists.flatMap((list) => list ?? []),
        into,
      )
      return
    }
    case 'struct': {
      const structs = values as readonly (Record<string, RowValue> | null)[]
      for (const field of type.fields)
        encode(
          field.type,
          structs.map((one) => one?.[field.name] ?? null),
          into,
        )
      return
    }
    case 'boolean':
      into.buffers.push(bits(values, (value) => value === true))
      return
    case 'binary':
      into.buffers.push(...texts(values.map((value) => Buffer.from((value ?? '') as Uint8Array))))
      return
    default:
      into.buffers.push(...plain(type, values))
  }
}

function plain({ kind }: ColumnType, values: readonly RowValue[]): Buffer[] {
  const fixed = widths[kind]
  if (!fixed) return texts(values.map((value) => Buffer.from(textOf(value))))
  const [width, put] = fixed
  const bytes = Buffer.alloc(width * values.length)
  for (const [i, value] of values.entries()) if (value !== null) put(bytes, i * width, value)
  return [bytes]
}

type Put = (into: Buffer, at: number, value: RowValue) => void

/** Types of which each value has as many bytes as any other, and what writes one. */
const widths: Readonly<Record<string, readonly [number, Put] | undefined>> = {
  int: [4, (into, at, value) => into.writeInt32LE(Number(value), at)],
  bigint: [8, (into, at, value) => into.writeBigInt64LE(BigInt(value as number), at)],
  float: [4, (into, at, value) => into.writeFloatLE(value as number, at)],
  double: [8, (into, at, value) => into.writeDoubleLE(value as number, at)],
  date: [4, (into, at, value) => into.writeInt32LE(dayOf(String(value)), at)],
  timestamp: [8, (into, at, value) => into.writeBigInt64LE(microsOf(String(value)), at)],
  timestamptz: [8, (into, at, value) => into.writeBigInt64LE(microsOf(String(value)), at)],
  decimal: [
    16,
    (into, at, value) => {
      const digits = checkedWide(BigInt(String(value).replace('.', '')))
      into.writeBigUInt64LE(BigInt.asUintN(64, digits), at)
      into.writeBigInt64LE(BigInt.asIntN(64, digits >> 64n), at + 8)
    },
  ],
}

/** What DuckDB writes for infinity, which Arrow has no value for. */
const infinite = { infinity: 1n, '-infinity': -1n } as const
const infinity = (text: string) =>
  Object.hasOwn(infinite, text) ? infinite[text as 'infinity'] : undefined

function dayOf(text: string): number {
  const sign = infinity(text)
  if (sign !== undefined) return Number(sign) * (2 ** 31 - 1)
  const time = Date.parse(text)
  if (Number.isNaN(time)) throw beyond(text)
  return time / DAY
}

/** `2008-02-18T02:36:48.000000`, or the same with `Z`. */
function microsOf(text: string): bigint {
  const sign = infinity(text)
  if (sign !== undefined) return sign * (2n ** 63n - 1n)
  const [, millis, micros] = /^(.*T.*\.\d{3})(\d{3})Z?$/.exec(text) ?? []
  const time = Date.parse(`${millis}Z`)
  if (Number.isNaN(time)) throw beyond(text)
  return BigInt(time) * 1000n + BigInt(micros as string)
}

const beyond = (text: string) =>
  new MoraineError('query', `${text} is beyond the times that can be written as Arrow`, {
    hint: 'Cast the column to a text: CAST(x AS VARCHAR).',
  })

const textOf = (value: RowValue): string => {
  if (value === null) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

/** A bit for each value, the lowest first. */
function bits(values: readonly RowValue[], isSet: (value: RowValue) => boolean): Buffer {
  const bytes = Buffer.alloc(Math.ceil(values.length / 8))
  for (const [i, value] of values.entries())
    if (isSet(value)) bytes[i >> 3] = (bytes[i >> 3] as number) | (1 << (i & 7))
  return bytes
}

/** Where each of some parts begins, and the last one ends. */
function starts(lengths: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * (lengths.length + 1))
  let at = 0
  for (const [i, length] of lengths.entries()) {
    at += length
    bytes.writeInt32LE(at, 4 * (i + 1))
  }
  return bytes
}

const texts = (values: readonly Buffer[]) => [
  starts(values.map(({ length }) => length)),
  Buffer.concat(values),
]
