/*
 * Rows that a client of SQL Server sends in bulk (MS-TDS 2.2.6.1, Bulk Load BCP): columns with
 * their types, then a row each.
 */

export interface BulkRows {
  columns: { name: string; type: string }[]
  rows: unknown[][]
}

const COLUMNS = 0x81
const ROW = 0xd1
const DONE = 0xfd

/** Lengths that stand for a value of any length, for NULL, and for one in parts. */
const MAX = 0xffff
const NO_VALUE = 0xffff_ffff_ffff_ffffn

class Reader {
  at = 0
  constructor(private readonly bytes: Buffer) {}

  get left(): number {
    return this.bytes.length - this.at
  }
  u8 = () => this.bytes.readUInt8(this.skip(1))
  u16 = () => this.bytes.readUInt16LE(this.skip(2))
  u32 = () => this.bytes.readUInt32LE(this.skip(4))
  u64 = () => this.bytes.readBigUInt64LE(this.skip(8))
  take = (length: number) => this.bytes.subarray(this.skip(length), this.at)

  skip(length: number): number {
    if (length > this.left) throw new Error('the rows end in the middle of a value')
    this.at += length
    return this.at - length
  }
}

interface Type {
  name: string
  value(from: Reader): unknown
}

/** The rows of a message. */
export function bulkRows(body: Buffer): BulkRows {
  const from = new Reader(body)
  if (from.u8() !== COLUMNS) throw new Error('rows in bulk begin with their columns')
  const columns = Array.from({ length: from.u16() }, () => {
    from.skip(6)
    const type = typeIn(from)
    return { name: from.take(from.u8() * 2).toString('utf16le'), type }
  })
  const rows: unknown[][] = []
  for (let token = from.u8(); token !== DONE; token = from.u8()) {
    if (token !== ROW) throw new Error(`${token} is no token of a row`)
    rows.push(columns.map(({ type }) => type.value(from)))
  }
  return { columns: columns.map(({ name, type }) => ({ name, type: type.name })), rows }
}

function typeIn(from: Reader): Type {
  const token = from.u8()
  if (token === 0xe7) {
    const length = from.u16()
    from.skip(5)
    const text = (bytes: Buffer | null) => bytes?.toString('utf16le') ?? null
    return {
      name: `nvarchar(${length === MAX ? 'max' : length / 2})`,
      value: (row) => text(bytesIn(row, length)),
    }
  }
  if (token === 0xa5) {
    const length = from.u16()
    return {
      name: `varbinary(${length === MAX ? 'max' : length})`,
      value: (row) => bytesIn(row, length),
    }
  }
  const length = from.u8()
  const of = (read: (bytes: Buffer) => unknown) => (row: Reader) => {
    const size = row.u8()
    return size === 0 ? null : read(row.take(size))
  }
  if (token === 0x26 && length === 4) return { name: 'int', value: of((b) => b.readInt32LE()) }
  if (token === 0x68) return { name: 'bit', value: of((b) => b[0] === 1) }
  if (token === 0x6d && length === 4) return { name: 'real', value: of((b) => b.readFloatLE()) }
  if (token === 0x6d) return { name: 'float', value: of((b) => b.readDoubleLE()) }
  throw new Error(`the type ${token} is not known`)
}

/** A value with its length before it; one of any length comes in parts (PLP). */
function bytesIn(row: Reader, longest: number): Buffer | null {
  if (longest !== MAX) {
    const length = row.u16()
    return length === MAX ? null : row.take(length)
  }
  if (row.u64() === NO_VALUE) return null
  const parts: Buffer[] = []
  for (let length = row.u32(); length > 0; length = row.u32()) parts.push(row.take(length))
  return Buffer.concat(parts)
}
