import type { ColumnType, Field } from '../../../define/types/column-type.js'
import type { Encoded } from './columns.js'
import { FlatBuffer } from './flat-buffer.js'

/*
 * Messages of Arrow's stream: https://arrow.apache.org/docs/format/Columnar.html, with tables of
 * format/Message.fbs and Schema.fbs.
 */

/** Of version 1.0 and later. */
const V5 = 4
const SCHEMA = 1
const RECORD_BATCH = 3
/** What each message begins with, and the stream ends with. */
const CONTINUATION = 0xffffffff

/** Numbers of types in the union `Type`. */
const types = {
  int: 2,
  floatingPoint: 3,
  binary: 4,
  utf8: 5,
  bool: 6,
  decimal: 7,
  date: 8,
  timestamp: 10,
  list: 12,
  struct: 13,
} as const

const MICROSECOND = 2

export function schemaMessage(fields: readonly Field[]): Buffer {
  const flat = new FlatBuffer()
  const written = flat.offsets(fields.map((field) => fieldIn(flat, field)))
  const schema = flat.table([() => flat.short(0), () => flat.offset(written)])
  return message(flat, SCHEMA, schema, 0)
}

/** A batch of rows: its head, and its body after it. */
export function batchMessage(rows: number, { nodes, buffers }: Encoded): Buffer {
  const flat = new FlatBuffer()
  let at = 0
  const places = buffers.map(({ length }) => {
    const place = [at, length] as const
    at += padded(length)
    return place
  })
  const [ofBuffers, ofNodes] = [flat.pairs(places), flat.pairs(nodes)]
  const batch = flat.table([
    () => flat.long(rows),
    () => flat.offset(ofNodes),
    () => flat.offset(ofBuffers),
  ])
  const head = message(flat, RECORD_BATCH, batch, at)
  const body = buffers.flatMap((one) => [one, Buffer.alloc(padded(one.length) - one.length)])
  return Buffer.concat([head, ...body])
}

export function endOfStream(): Buffer {
  const end = Buffer.alloc(8)
  end.writeUInt32LE(CONTINUATION)
  return end
}

const padded = (length: number) => Math.ceil(length / 8) * 8

function message(flat: FlatBuffer, kind: number, header: number, body: number): Buffer {
  const root = flat.table([
    () => flat.short(V5),
    () => flat.byte(kind),
    () => flat.offset(header),
    () => flat.long(body),
  ])
  const metadata = flat.finished(root)
  const all = Buffer.alloc(8 + padded(metadata.length))
  all.writeUInt32LE(CONTINUATION)
  all.writeInt32LE(padded(metadata.length), 4)
  metadata.copy(all, 8)
  return all
}

function fieldIn(flat: FlatBuffer, { name, type }: Field): number {
  const children = flat.offsets(childrenOf(type).map((child) => fieldIn(flat, child)))
  const text = flat.text(name)
  const [kind, written] = typeIn(flat, type)
  return flat.table([
    () => flat.offset(text),
    () => flat.byte(1),
    () => flat.byte(kind),
    () => flat.offset(written),
    undefined,
    () => flat.offset(children),
  ])
}

function childrenOf(type: ColumnType): readonly Field[] {
  if (type.kind === 'list') return [{ name: 'item', type: type.element }]
  return type.kind === 'struct' ? type.fields : []
}

/** The number of a type, and where its table is. */
function typeIn(flat: FlatBuffer, type: ColumnType): [number, number] {
  switch (type.kind) {
    case 'int':
    case 'bigint': {
      const bits = type.kind === 'int' ? 32 : 64
      return [types.int, flat.table([() => flat.int(bits), () => flat.byte(1)])]
    }
    case 'float':
    case 'double': {
      const precision = type.kind === 'float' ? 1 : 2
      return [types.floatingPoint, flat.table([() => flat.short(precision)])]
    }
    case 'boolean':
      return [types.bool, flat.table([])]
    case 'binary':
      return [types.binary, flat.table([])]
    case 'date':
      return [types.date, flat.table([() => flat.short(0)])]
    case 'timestamp':
      return [types.timestamp, flat.table([() => flat.short(MICROSECOND)])]
    case 'timestamptz': {
      const zone = flat.text('UTC')
      return [types.timestamp, flat.table([() => flat.short(MICROSECOND), () => flat.offset(zone)])]
    }
    case 'decimal': {
      const { precision, scale } = type
      return [
        types.decimal,
        flat.table([() => flat.int(precision), () => flat.int(scale), () => flat.int(128)]),
      ]
    }
    case 'list':
      return [types.list, flat.table([])]
    case 'struct':
      return [types.struct, flat.table([])]
    default:
      return [types.utf8, flat.table([])]
  }
}
