import { chunksOf } from '../../text/piece.js'
import type { JsonRecord } from '../json-records.js'
import { recordText } from '../write-records.js'
import { XmlChunks } from './chunks.js'
import type { XmlLayout } from './cuts.js'
import { XmlReader } from './reader.js'

/** A piece of a document, which may begin with a row. */
export interface Piece {
  path: string
  layout: XmlLayout
  /** What is before the first row of the document; nothing for the piece that begins with it. */
  head: Uint8Array
  from: number
  to: number
  isLast: boolean
  /** Digits of line numbers. */
  digits: number
}

/** What is in a piece, if a row begins where it does. */
export interface PieceRead {
  /**
   * Its rows as lines (see `recordText`), whose numbers have as many digits as was said and count
   * from the start of the piece; each text is of whole lines.
   */
  texts: Uint8Array<ArrayBuffer>[]
  records: number
  /** Bytes of the longest of them, at most. */
  longest: number
  /** Its line ends. */
  lines: number
  /** The elements in which a row may begin behind it; `undefined` where none can. */
  within: readonly string[] | undefined
}

/**
 * Reads a piece of a document as the whole is read up to there.
 *
 * @throws BrokenDocument where it is not well-formed, if a row begins where it does.
 */
export function readPiece(piece: Piece, isOver: () => boolean): PieceRead {
  const { path, from, to, isLast, digits } = piece
  const reader = new XmlReader(piece.layout.rows, piece.layout.lists)
  const chunks = new XmlChunks(reader)
  const head = Buffer.from(piece.head)
  chunks.push(head, false)
  const texts = new Texts(digits, 1 + linesIn(head.toString()))
  for (const chunk of chunksOf({ path, from, to, isOver })) texts.add(chunks.push(chunk, false))
  if (isLast) {
    texts.add(chunks.push(Buffer.alloc(0), true))
    return { ...texts.all(), lines: 0, within: undefined }
  }
  const { records, line, within } = cutOff(reader)
  texts.add(records)
  return { ...texts.all(), lines: line - texts.first, within }
}

function cutOff(reader: XmlReader): ReturnType<XmlReader['cut']> {
  try {
    return reader.cut()
  } catch {
    // Only what is behind the piece can make something of its end.
    return { records: [], line: 0, within: undefined }
  }
}

const linesIn = (text: string) => text.replace(/\r\n?/g, '\n').split('\n').length - 1

/** The texts of rows, which are made as they come. */
class Texts {
  private readonly encoder = new TextEncoder()
  private readonly texts: Uint8Array<ArrayBuffer>[] = []
  private records = 0
  private longest = 0
  /** A number of one digit more than lines have. */
  private readonly zeros: number

  /** @param first the number of the line that the piece begins in. */
  constructor(
    digits: number,
    readonly first: number,
  ) {
    this.zeros = 10 ** digits
  }

  add(records: readonly JsonRecord[]): void {
    let text = ''
    for (const record of records) {
      const line = String(this.zeros + record.line - this.first).slice(1)
      const row = recordText(record, line)
      this.longest = Math.max(this.longest, row.length * 3)
      text += row
    }
    this.records += records.length
    if (text !== '') this.texts.push(this.encoder.encode(text))
  }

  all() {
    const { records, longest, texts } = this
    return { texts, records, longest }
  }
}
