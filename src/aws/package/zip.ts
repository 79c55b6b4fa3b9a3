import { crc32 } from 'node:zlib'
import { deflated } from './deflated.js'

/** A file of an archive. */
export interface ZipEntry {
  /** With `/` between folders. */
  path: string
  content: Uint8Array
  isExecutable?: boolean
}

export interface Zip {
  bytes: Buffer
  /** Bytes that each file takes in it, by its path. */
  packed: ReadonlyMap<string, number>
}

/** 1980-01-01 00:00, the first that the format has. */
const DATE = 0x21
/** Attributes of a file of Unix are in the upper half. */
const FILE = 0o100_000
/** Version 2.0, of Unix. */
const MADE_BY = 0x0314
const NEEDS = 20
/** Names are UTF-8. */
const FLAGS = 0x800
const STORED = 0
const DEFLATED = 8

/**
 * The bytes of a zip, the same for the same files whatever their order and times; its size stays
 * below 4 GiB.
 *
 * @see https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT sections 4.3.7, 4.3.12, 4.3.16
 */
export async function zipOf(entries: readonly ZipEntry[]): Promise<Zip> {
  const sorted = [...entries].sort((a, b) => (a.path < b.path ? -1 : 1))
  const parts: Buffer[] = []
  const directory: Buffer[] = []
  const packed = new Map<string, number>()
  let at = 0
  for (const entry of sorted) {
    const { method, bytes } = await squeezed(entry.content)
    const { local, central } = headersOf(entry, { method, packed: bytes.length, at })
    parts.push(local, bytes)
    directory.push(central)
    packed.set(entry.path, bytes.length)
    at += local.length + bytes.length
  }
  const index = Buffer.concat(directory)
  return { bytes: Buffer.concat([...parts, index, endOf(sorted.length, index, at)]), packed }
}

async function squeezed(content: Uint8Array): Promise<{ method: number; bytes: Buffer }> {
  const bytes = await deflated(content)
  return bytes.length < content.length
    ? { method: DEFLATED, bytes }
    : { method: STORED, bytes: Buffer.from(content) }
}

interface Packed {
  method: number
  packed: number
  /** Where its header begins. */
  at: number
}

function headersOf({ path, content, isExecutable }: ZipEntry, { method, packed, at }: Packed) {
  const name = Buffer.from(path)
  // What both headers have.
  const common = Buffer.alloc(26)
  common.writeUInt16LE(NEEDS, 0)
  common.writeUInt16LE(FLAGS, 2)
  common.writeUInt16LE(method, 4)
  common.writeUInt16LE(0, 6)
  common.writeUInt16LE(DATE, 8)
  common.writeUInt32LE(crc32(content), 10)
  common.writeUInt32LE(packed, 14)
  common.writeUInt32LE(content.length, 18)
  common.writeUInt16LE(name.length, 22)
  const first = Buffer.from([0x50, 0x4b, 3, 4])
  const begin = Buffer.alloc(6)
  begin.write('PK\x01\x02', 'latin1')
  begin.writeUInt16LE(MADE_BY, 4)
  const rest = Buffer.alloc(14)
  rest.writeUInt32LE(((FILE | (isExecutable ? 0o755 : 0o644)) << 16) >>> 0, 6)
  rest.writeUInt32LE(at, 10)
  return {
    local: Buffer.concat([first, common, name]),
    central: Buffer.concat([begin, common, rest, name]),
  }
}

function endOf(files: number, index: Buffer, at: number): Buffer {
  const end = Buffer.alloc(22)
  end.write('PK\x05\x06', 'latin1')
  end.writeUInt16LE(files, 8)
  end.writeUInt16LE(files, 10)
  end.writeUInt32LE(index.length, 12)
  end.writeUInt32LE(at, 16)
  return end
}
