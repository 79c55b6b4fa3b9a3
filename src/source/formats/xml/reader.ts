import { SaxesParser, type SaxesTagPlain } from 'saxes'
import { BrokenDocument, type JsonRecord } from '../json-records.js'
import { isTag, PlainElements } from './plain.js'
import { jsonText, Parts } from './shape.js'

const DEEPEST = 500

interface Open {
  name: string
  parts: Parts
  text: string
  nil: boolean
}

/**
 * Makes rows of the elements of an XML document, across chunks: elements are their text or, where
 * they have elements, an object, with attributes beside them (see `Parts`); what comes several
 * times is a list; text beside elements is `#text`. What is not well-formed, or has a DTD, ends the
 * document (XML 1.0; entities of its own are never read).
 */
export class XmlReader {
  private readonly parser = new SaxesParser({ xmlns: false, position: true })
  /** The elements that a row is in, from the outermost, and those of the row. */
  private readonly around: string[] = []
  private readonly open: Open[] = []
  private readonly lists: ReadonlySet<string>
  private rowLine = 1
  private records: JsonRecord[] = []
  /** What was not read yet. */
  private rest = ''
  /** Reads rows that are plainly written; `undefined` once one was not. */
  private plain: PlainElements | undefined
  /** Lines of rows that the parser has not seen. */
  private passed = 0

  constructor(
    private readonly rows: string | undefined,
    lists: readonly string[],
  ) {
    this.lists = new Set(lists)
    this.plain = new PlainElements(this.lists)
    const { parser } = this
    parser.on('error', (error) => {
      throw this.broken(error.message.replace(/^.*?\d+:\d+: /, ''))
    })
    parser.on('doctype', () => {
      throw this.broken('it has a document type definition, which is not read')
    })
    parser.on('opentagstart', () => {
      // The character behind the name was read: a line end is not of the line that the tag begins.
      if (this.open.length === 0) this.rowLine = this.line - (parser.column === 0 ? 1 : 0)
    })
    parser.on('opentag', (tag) => this.opened(tag))
    parser.on('text', (text) => this.addText(text))
    parser.on('cdata', (text) => this.addText(text))
    parser.on('closetag', () => this.closed())
  }

  push(text: string, last: boolean): JsonRecord[] {
    this.take(text, last)
    if (last) this.parser.close()
    const { records } = this
    this.records = []
    return records
  }

  /** The line that is read, from 1. */
  private get line(): number {
    return this.parser.line + this.passed
  }

  /** How many elements are open. */
  private get depth(): number {
    return this.around.length + this.open.length
  }

  /**
   * Ends where more may follow: gives the rows that are left, the line, and in which elements a row
   * would begin here; `undefined` where none could, as within a row, a comment or CDATA. Nothing
   * can be read after that.
   */
  cut(): { records: JsonRecord[]; line: number; within: readonly string[] | undefined } {
    this.take('', true)
    const { parser, records } = this
    let within: readonly string[] | undefined
    // Only between rows and their surroundings what is written now is an element of its own.
    parser.on('opentag', () => {
      if (this.open.length === 0) within = this.around
    })
    parser.on('closetag', () => {})
    parser.write('<cut/>')
    return { records, line: this.line, within }
  }

  private take(more: string, last: boolean): void {
    if (!this.plain) {
      this.parser.write(more)
      return
    }
    const all = this.rest + more
    this.rest = ''
    // A line feed may follow with the next chunk.
    const held = !last && all.endsWith('\r') ? '\r' : ''
    let text = held ? all.slice(0, -1) : all
    if (text.includes('\r')) text = text.replace(/\r\n?/g, '\n')
    const left = text.slice(this.readPlain(text, last)) + held
    if (this.plain) this.rest = left
    else this.parser.write(left)
  }

  /**
   * Reads rows where they are plainly written, and hands the parser what is around them. Returns
   * how far it came.
   */
  private readPlain(text: string, last: boolean): number {
    let at = 0
    while (this.plain && at < text.length) {
      const next = text.indexOf('<', at)
      if (next !== at) {
        // Between rows only references would mean anything; white space that is not all of a text
        // may keep `]]` and `>` apart.
        const between = text.slice(at, next < 0 ? text.length : next)
        const isOutside = this.depth > 0 && this.open.length === 0
        const isWhole = at > 0 && next > 0
        if (!isOutside || !isWhole || /\S/.test(between)) this.parser.write(between)
        else this.passed += linesIn(between, 0, between.length)
        at += between.length
      } else if (this.isRow(text, at)) {
        const row = this.plain.row(text, at)
        if (row === 'cut' && !last && text.length - at < MOST_HELD) return at
        if (row === 'cut' || row === 'odd') this.plain = undefined
        else {
          this.records.push({ line: this.line, json: row.json })
          this.passed += linesIn(text, at, this.plain.end)
          at = this.plain.end
        }
      } else {
        const end = markupEnd(text, at)
        if (end === undefined && !last) return at
        const markup = text.slice(at, end)
        // What may go on behind this `>` is the parser's.
        if (/^<[^!?]/.test(markup) && /["']/.test(markup) && !isTag(markup)) this.plain = undefined
        else {
          this.parser.write(markup)
          at += markup.length
        }
      }
    }
    return at
  }

  /** Whether the markup at an offset begins a row. */
  private isRow(text: string, at: number): boolean {
    if (this.depth === 0 || this.open.length > 0) return false
    if (this.rows === undefined) return this.depth === 1 && /[A-Za-z_]/.test(text[at + 1] ?? '')
    const end = at + 1 + this.rows.length
    return text.startsWith(this.rows, at + 1) && /[\s/>]/.test(text[end] ?? '')
  }

  private broken(message: string): BrokenDocument {
    return new BrokenDocument(this.line, message)
  }

  private opened({ name, attributes }: SaxesTagPlain): void {
    if (this.depth === DEEPEST) throw this.broken(`there are more than ${DEEPEST} levels`)
    const starts = this.rows === undefined ? this.around.length === 1 : name === this.rows
    if (this.open.length === 0 && !starts) {
      this.around.push(name)
      return
    }
    const parts = new Parts(this.lists)
    let nil = false
    for (const attribute in attributes) {
      const value = attributes[attribute] as string
      if (attribute === 'xsi:nil' && value === 'true') nil = true
      else parts.attributes.push([attribute, jsonText(value)])
    }
    this.open.push({ name, parts, text: '', nil })
  }

  private addText(text: string): void {
    const inside = this.open.at(-1)
    if (inside) inside.text += text
  }

  private closed(): void {
    const done = this.open.pop()
    if (!done) {
      this.around.pop()
      return
    }
    const { name, parts, text, nil } = done
    const outer = this.open.at(-1)
    if (outer) outer.parts.addElement(name, parts, text, nil)
    else this.records.push({ line: this.rowLine, json: parts.row(text) })
  }
}

/** Characters of a row that are kept until it is complete; longer ones are the parser's. */
const MOST_HELD = 4 * 2 ** 20

/**
 * Behind a tag, a comment, CDATA or an instruction; `undefined` where it is not complete. A
 * declaration's end is not looked for.
 */
function markupEnd(text: string, at: number): number | undefined {
  const ends = { '<!--': '-->', '<![CDATA[': ']]>', '<?': '?>' }
  for (const [begin, end] of Object.entries(ends))
    if (text.startsWith(begin, at)) return after(text, end, at + begin.length)
  if (text.length - at < 9 && '<![CDATA['.startsWith(text.slice(at, at + 9))) return undefined
  return after(text, '>', at)
}

function after(text: string, mark: string, from: number): number | undefined {
  const found = text.indexOf(mark, from)
  return found < 0 ? undefined : found + mark.length
}

function linesIn(text: string, from: number, to: number): number {
  let lines = 0
  for (let at = text.indexOf('\n', from); at >= 0 && at < to; at = text.indexOf('\n', at + 1))
    lines++
  return lines
}
