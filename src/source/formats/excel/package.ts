import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { SaxesParser } from 'saxes'
import type { Entry, ZipFile } from 'yauzl'
import { MoraineError, messageOf } from '../../../errors.js'
import { progressed } from '../../decoder/progress.js'
import { textOf } from '../../files/ingested.js'
import type { SourceFile } from '../../files/source-file.js'
import { withChecksum } from '../../unpack/zip-checksum.js'

/**
 * All parts together may unpack to so many bytes, and beyond that to so many times the file's size.
 */
const FREE = 2 ** 28
const RATIO = 250
/** Parts of one workbook. */
const MOST_PARTS = 100_000
/** Bytes of a part that is read as a whole. */
const MOST_WHOLE = 2 ** 26

/** What is done with an element; names come without their prefix. */
export interface Elements {
  open?(name: string, attributes: Readonly<Record<string, string>>): void
  text?(text: string): void
  close?(name: string): void
}

/** The parts of a workbook: XML files in a zip (ECMA-376 part 2). */
export class Package {
  private unpacked = 0

  private constructor(
    private readonly file: SourceFile,
    private readonly zip: ZipFile,
    private readonly size: number,
    private readonly parts: ReadonlyMap<string, Entry>,
  ) {}

  /**
   * @throws MoraineError of kind `source` when the file is no workbook, and says what it is
   * instead.
   */
  static async open(file: SourceFile): Promise<Package> {
    const { start, size } = await startOf(textOf(file))
    if (start.readUInt32LE() !== 0x04034b50) throw await notAZip(file, start)
    const yauzl = (await import('yauzl')).default
    const options = { lazyEntries: true, autoClose: false, strictFileNames: false } as const
    const zip = await new Promise<ZipFile>((resolve, reject) =>
      yauzl.open(textOf(file), options, (error, zip) =>
        error ? reject(damaged(file, error)) : resolve(zip),
      ),
    )
    try {
      const parts = await partsOf(zip).catch((cause) => {
        throw damaged(file, cause)
      })
      refuseOthers(file, parts)
      return new Package(file, zip, size, parts)
    } catch (error) {
      zip.close()
      throw error
    }
  }

  close(): void {
    this.zip.close()
  }

  has(path: string): boolean {
    return this.parts.has(path.toLowerCase())
  }

  /** Reads a part of some kilobytes as a whole. */
  async read(path: string, elements: Elements): Promise<void> {
    for await (const _ of this.stream(path, elements, MOST_WHOLE)) {
      // What it says is told to `elements`.
    }
  }

  /**
   * Reads a part bit by bit: after each bit of it there is a pause, in which what was found can be
   * used.
   */
  async *stream(path: string, elements: Elements, most = Number.POSITIVE_INFINITY) {
    const entry = this.parts.get(path.toLowerCase())
    if (!entry) throw damaged(this.file, new Error(`its part ${path} is missing`))
    const parser = parserOf(elements)
    const decoder = new TextDecoder('utf-8', { fatal: true })
    let utf16: Decoder | undefined
    let bytes = 0
    const input = await this.open(entry)
    try {
      for await (const chunk of input as AsyncIterable<Buffer>) {
        if (bytes === 0) utf16 = utf16Of(chunk)
        bytes += chunk.length
        this.refuseBomb(chunk.length, bytes, most)
        progressed()
        parser.write((utf16 ?? decoder).decode(chunk, { stream: true }))
        yield
      }
      parser.write((utf16 ?? decoder).decode())
      parser.close()
      yield
    } catch (cause) {
      if (cause instanceof MoraineError) throw cause
      const where = `${path}, line ${parser.line}`
      throw damaged(this.file, new Error(`${where}: ${messageOf(cause)}`, { cause }))
    } finally {
      input.destroy()
    }
  }

  private open(entry: Entry): Promise<Readable> {
    if (entry.isEncrypted()) throw encrypted(this.file)
    // Whoever reads it holds it to the size that it declares.
    if (!this.fits(this.unpacked + entry.uncompressedSize)) throw this.bomb()
    return new Promise((resolve, reject) =>
      this.zip.openReadStream(entry, (error, stream) =>
        error ? reject(damaged(this.file, error)) : resolve(withChecksum(stream, entry.crc32)),
      ),
    )
  }

  private refuseBomb(more: number, ofPart: number, most: number): void {
    this.unpacked += more
    if (!this.fits(this.unpacked) || ofPart > most) throw this.bomb()
  }

  private fits(bytes: number): boolean {
    return bytes <= FREE || bytes <= this.size * RATIO
  }

  private bomb(): MoraineError {
    return new MoraineError(
      'source',
      `${this.file.name} unpacks to more than ${RATIO} times its size`,
      { hint: 'Nothing was ingested from it. If this is expected, save it as CSV.' },
    )
  }
}

function parserOf(elements: Elements) {
  const parser = new SaxesParser({ position: true, xmlns: false })
  const local = (name: string) => name.slice(name.indexOf(':') + 1)
  parser.on('doctype', () => {
    throw new Error('it has a DTD')
  })
  parser.on('opentag', ({ name, attributes }) => elements.open?.(local(name), attributes))
  parser.on('text', (text) => elements.text?.(text))
  parser.on('cdata', (text) => elements.text?.(text))
  parser.on('closetag', ({ name }) => elements.close?.(local(name)))
  return parser
}

type Decoder = InstanceType<typeof TextDecoder>

function utf16Of(chunk: Buffer): Decoder | undefined {
  const [a, b] = chunk
  if (a === 0xff && b === 0xfe) return new TextDecoder('utf-16le', { fatal: true })
  return a === 0xfe && b === 0xff ? new TextDecoder('utf-16be', { fatal: true }) : undefined
}

async function startOf(path: string): Promise<{ start: Buffer; size: number }> {
  const file = await open(path)
  try {
    const { size } = await file.stat()
    const start = Buffer.alloc(512)
    await file.read(start, 0, start.length, 0)
    return { start, size }
  } finally {
    await file.close()
  }
}

/** By their names in lower case: what a path refers to is the same however it is written. */
async function partsOf(zip: ZipFile): Promise<Map<string, Entry>> {
  const found = new Map<string, Entry>()
  await new Promise<void>((resolve, reject) => {
    zip.on('entry', (entry: Entry) => {
      if (found.size >= MOST_PARTS) return reject(new Error(`it has more than ${MOST_PARTS} parts`))
      found.set(entry.fileName.toLowerCase(), entry)
      zip.readEntry()
    })
    zip.on('end', resolve)
    zip.on('error', reject)
    zip.readEntry()
  })
  return found
}

function refuseOthers(file: SourceFile, parts: ReadonlyMap<string, Entry>): void {
  const say = (what: string, hint: string) => new MoraineError('source', what, { hint })
  if (parts.has('xl/workbook.bin'))
    throw say(`${file.name} is a binary workbook (.xlsb), which can't be read`, SAVE_AS)
  if (parts.has('[content_types].xml')) return
  if (parts.has('content.xml') && parts.has('mimetype'))
    throw say(`${file.name} is an OpenDocument file, not an Excel workbook`, SAVE_AS)
  throw say(`${file.name} is a zip, but not an Excel workbook`, 'Nothing was ingested from it.')
}

const SAVE_AS = 'Save it as .xlsx (Excel Workbook), or as CSV.'

/** Compound files hold encrypted workbooks, and those of Excel before 2007 (MS-CFB). */
const COMPOUND = Buffer.from('d0cf11e0a1b11ae1', 'hex')

async function notAZip(file: SourceFile, start: Buffer): Promise<MoraineError> {
  const not = (what: string, hint = SAVE_AS) =>
    new MoraineError('source', `${file.name} ${what}`, { hint })
  if (start.subarray(0, 8).equals(COMPOUND)) {
    const names = await compoundNames(textOf(file), start)
    if (names.includes('EncryptedPackage')) return encrypted(file)
    if (names.includes('Workbook') || names.includes('Book'))
      return not("is a workbook of Excel 97–2003 (.xls), which can't be read")
    return not('is an Office file, but not an Excel workbook')
  }
  const text = start.toString('latin1').replace(/\0+$/, '').trimStart()
  if (/^(\xef\xbb\xbf)?\s*<(!doctype html|html|table|meta)/i.test(text))
    return not('is a web page, not an Excel workbook')
  if (/^(\xef\xbb\xbf)?\s*<\?xml/i.test(text)) return not('is XML, not an Excel workbook')
  if (text === '')
    return not(
      file.size === 0 ? 'is empty' : 'starts with zero bytes, unlike an Excel workbook',
      'Nothing was ingested from it. Is it complete?',
    )
  const shown = JSON.stringify(text.slice(0, 20).replace(/[^ -~]+/g, '…'))
  return not(
    `is not an Excel workbook: it starts with ${shown}`,
    "Set its format: format: 'delimited'",
  )
}

const encrypted = (file: SourceFile) =>
  new MoraineError('source', `${file.name} is encrypted`, {
    hint: 'Nothing was ingested from it. Open it with its password, and save it without one.',
  })

/** The names in the first sector of a compound file's directory. */
async function compoundNames(path: string, start: Buffer): Promise<string[]> {
  const sector = 2 ** Math.min(start.readUInt16LE(30), 12)
  const bytes = Buffer.alloc(sector)
  const file = await open(path)
  try {
    await file.read(bytes, 0, sector, (start.readUInt32LE(48) + 1) * sector)
  } finally {
    await file.close()
  }
  return Array.from({ length: Math.floor(sector / 128) }, (_, i) => {
    const entry = bytes.subarray(i * 128, i * 128 + 128)
    return entry.toString('utf16le', 0, Math.max(0, Math.min(64, entry.readUInt16LE(64)) - 2))
  })
}

export function damaged(file: SourceFile, cause: unknown): MoraineError {
  return new MoraineError('source', `${file.name} can't be read as Excel: ${messageOf(cause)}`, {
    cause,
    hint: 'Nothing was ingested from it. Is it complete?',
  })
}
