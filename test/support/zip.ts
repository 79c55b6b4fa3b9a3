import { crc32, deflateRawSync } from 'node:zlib'

/** A zip of files (APPNOTE 6.3, 4.3). */
export function zip(
  files: Record<string, string | Buffer>,
  flags = 0,
  how: 'deflated' | 'stored' = 'deflated',
): Buffer {
  const locals: Buffer[] = []
  const central: Buffer[] = []
  let offset = 0
  for (const [name, text] of Object.entries(files)) {
    const data = how === 'stored' ? Buffer.from(text) : deflateRawSync(text)
    const crc = crc32(text)
    const fixed = Buffer.alloc(26)
    fixed.writeUInt16LE(20, 0)
    fixed.writeUInt16LE(flags, 2)
    fixed.writeUInt16LE(how === 'stored' ? 0 : 8, 4)
    fixed.writeUInt32LE(crc, 10)
    fixed.writeUInt32LE(data.length, 14)
    fixed.writeUInt32LE(Buffer.byteLength(text), 18)
    fixed.writeUInt16LE(name.length, 22)
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), fixed, Buffer.from(name), data])
    const rest = Buffer.alloc(14)
    rest.writeUInt32LE(offset, 10)
    central.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), fixed, rest, Buffer.from(name)]))
    locals.push(local)
    offset += local.length
  }
  const directory = Buffer.concat(central)
  const end = Buffer.alloc(18)
  end.writeUInt16LE(central.length, 4)
  end.writeUInt16LE(central.length, 6)
  end.writeUInt32LE(directory.length, 8)
  end.writeUInt32LE(offset, 12)
  return Buffer.concat([...locals, directory, Buffer.from('PK\x05\x06'), end])
}
