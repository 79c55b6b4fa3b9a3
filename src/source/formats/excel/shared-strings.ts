import { MoraineError } from '../../../errors.js'
import type { SourceFile } from '../../files/source-file.js'
import type { Package } from './package.js'
import { unescapeText } from './values.js'

/** Bytes of all texts that cells of a workbook share, and how many there may be. */
const MOST = { bytes: 2 ** 30, texts: 2 ** 26 }
const BLOCK = 2 ** 22
/**
 * Texts that are kept as JavaScript has them: those that are used often come first, as Excel writes
 * them.
 */
const AT_HAND = 50_000

/**
 * The texts that cells share (ECMA-376 part 1, 18.4.9), as bytes outside of JavaScript's heap:
 * there may be millions.
 */
export class SharedStrings {
  private readonly blocks: Buffer[] = []
  private readonly at: number[] = []
  private used = BLOCK
  private bytes = 0
  private readonly atHand: string[] = []

  static readonly none = new SharedStrings()

  static async read(file: SourceFile, parts: Package, path: string): Promise<SharedStrings> {
    const strings = new SharedStrings()
    const item = new TextItem()
    const elements = {
      open: (name: string) => {
        if (name === 'si') item.begin()
        else item.open(name)
      },
      text: (text: string) => item.add(text),
      close: (name: string) => {
        if (name === 'si') strings.add(file, item.text)
        else item.close(name)
      },
    }
    for await (const _ of parts.stream(path, elements)) {
      // Texts are added as they are read.
    }
    return strings
  }

  get(index: number): string | undefined {
    const near = this.atHand[index]
    if (near !== undefined) return near
    const at = this.at[index]
    if (at === undefined) return undefined
    const block = this.blocks[Math.floor(at / BLOCK)] as Buffer
    const from = at % BLOCK
    const length = block.readUInt32LE(from)
    if (length !== APART) return block.toString('utf8', from + 4, from + 4 + length)
    return (this.blocks[block.readUInt32LE(from + 4)] as Buffer).toString('utf8')
  }

  private add(file: SourceFile, text: string): void {
    const length = Buffer.byteLength(text)
    this.bytes += length + 8
    if (this.bytes > MOST.bytes || this.at.length >= MOST.texts)
      throw new MoraineError('source', `${file.name} has more than 1 GiB of strings`, {
        hint: 'Nothing was ingested from it. Save it as several workbooks, or as CSV.',
      })
    if (this.atHand.length < AT_HAND && length < 1024) this.atHand.push(text)
    // One that is longer than a block lies in one of its own, which its place names.
    const apart = length + 8 > BLOCK
    const needed = apart ? 8 : length + 4
    if (this.used + needed > BLOCK) this.nextBlock()
    const index = this.current
    const block = this.blocks[index] as Buffer
    this.at.push(index * BLOCK + this.used)
    if (apart) {
      block.writeUInt32LE(APART, this.used)
      block.writeUInt32LE(this.blocks.push(Buffer.from(text)) - 1, this.used + 4)
    } else {
      block.writeUInt32LE(length, this.used)
      block.write(text, this.used + 4, 'utf8')
    }
    this.used += needed
  }

  private current = -1

  private nextBlock(): void {
    this.current = this.blocks.push(Buffer.allocUnsafe(BLOCK)) - 1
    this.used = 0
  }
}

/** In place of a length: the text lies in a block of its own. */
const APART = 0xffffffff

/**
 * The text of a shared or inline string: that of its runs together, without how it is pronounced.
 */
export class TextItem {
  private runs = ''
  private isText = false
  private phonetic = 0

  begin(): void {
    this.runs = ''
    this.isText = false
    this.phonetic = 0
  }

  get text(): string {
    return unescapeText(this.runs)
  }

  open(name: string): void {
    if (name === 't') this.isText = this.phonetic === 0
    else if (name === 'rPh') this.phonetic++
  }

  add(text: string): void {
    if (this.isText) this.runs += text
  }

  close(name: string): void {
    if (name === 't') this.isText = false
    else if (name === 'rPh') this.phonetic--
  }
}
