import { SaxesParser, type SaxesTagPlain } from 'saxes'
import { BrokenDocument, type JsonRecord } from './json-records.js'

const DEEPEST = 500

/** What an element holds: its text alone, or its parts by name. */
type Node = { [name: string]: string | null | Node | (string | null | Node)[] }

interface Open {
  name: string
  /** Its attributes and elements; `undefined` when it has none, and its text is all. */
  node: Node | undefined
  text: string
  empty: boolean
}

/**
 * Makes rows of the elements of an XML document, across chunks: attributes are `@name`, elements their text or, where they have
 * elements or attributes, an object; what comes several times is a list; text beside elements is `#text`. What is not
 * well-formed, or has a DTD, ends the document (XML 1.0; entities of its own are never read).
 */
export class XmlReader {
  private readonly parser = new SaxesParser({ xmlns: false, position: true })
  private readonly open: Open[] = []
  private readonly lists: ReadonlySet<string>
  private depth = 0
  private rowLine = 1
  private records: JsonRecord[] = []

  constructor(
    private readonly rows: string | undefined,
    lists: readonly string[],
  ) {
    this.lists = new Set(lists)
    const { parser } = this
    parser.on('error', (error) => {
      throw this.broken(error.message.replace(/^.*?\d+:\d+: /, ''))
    })
    parser.on('doctype', () => {
      throw this.broken('it has a document type definition, which is not read')
    })
    parser.on('opentag', (tag) => this.opened(tag))
    parser.on('text', (text) => this.addText(text))
    parser.on('cdata', (text) => this.addText(text))
    parser.on('closetag', () => this.closed())
  }

  push(text: string, last: boolean): JsonRecord[] {
    this.parser.write(text)
    if (last) this.parser.close()
    const { records } = this
    this.records = []
    return records
  }

  private broken(message: string): BrokenDocument {
    return new BrokenDocument(this.parser.line, message)
  }

  private opened({ name, attributes }: SaxesTagPlain): void {
    this.depth++
    if (this.depth > DEEPEST) throw this.broken(`there are more than ${DEEPEST} levels`)
    const starts = this.rows === undefined ? this.depth === 2 : name === this.rows
    if (this.open.length === 0 && !starts) return
    if (this.open.length === 0) this.rowLine = this.parser.line
    let node: Node | undefined
    let empty = false
    for (const attribute in attributes) {
      const value = attributes[attribute] as string
      if (attribute === 'xsi:nil' && value === 'true') empty = true
      else {
        node ??= {}
        put(node, `@${attribute}`, value)
      }
    }
    this.open.push({ name, node, text: '', empty })
  }

  private addText(text: string): void {
    const inside = this.open.at(-1)
    if (inside) inside.text += text
  }

  private closed(): void {
    this.depth--
    const done = this.open.pop()
    if (!done) return
    const { node, empty } = done
    const outer = this.open.at(-1)
    const text = node === undefined ? done.text : done.text.trim()
    if (node !== undefined && text !== '') put(node, '#text', text)
    if (outer) {
      outer.node ??= {}
      this.add(outer.node, done.name, node ?? (empty ? null : text))
    } else {
      const row = node ?? (text.trim() === '' ? {} : { '#text': text })
      this.records.push({ line: this.rowLine, json: JSON.stringify(row) })
    }
  }

  private add(node: Node, name: string, value: string | null | Node): void {
    // What every object has is no part of it.
    const before = name in node && Object.hasOwn(node, name) ? node[name] : undefined
    if (Array.isArray(before)) before.push(value)
    else if (before !== undefined) put(node, name, [before, value])
    else put(node, name, this.lists.has(name) ? [value] : value)
  }
}

/** Also a part that is called `__proto__` is a part like any other. */
function put(node: Node, name: string, value: Node[string]): void {
  if (name === '__proto__')
    Object.defineProperty(node, name, { value, enumerable: true, writable: true })
  else node[name] = value
}
