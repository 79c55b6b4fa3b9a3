import { ownValue } from '../../../own-value.js'
import { jsonText, Parts } from './shape.js'

/**
 * Why an element could not be read here: it is not complete yet, or it is written in a way that
 * only a whole parser knows.
 */
export type Unread = 'cut' | 'odd'

const SLASH = 47
const BANG = 33
/**
 * As deep as elements of rows usually are; deeper ones are for the parser, which has a limit of its
 * own.
 */
const DEEP = 64
const OPEN = /<([A-Za-z_][\w.:-]*)((?:\s+[A-Za-z_][\w.:-]*\s*=\s*(?:"[^"<]*"|'[^'<]*'))*)\s*(\/?)>/y
/** An element that has its text alone. */
const LEAF = /<([A-Za-z_][\w.:-]*)>([^<\]]*)<\/\1>/y
const ATTRIBUTE = /([A-Za-z_][\w.:-]*)[ \t\n]*=[ \t\n]*(?:"([^"]*)"|'([^']*)')/g
const ENTITY = /&(?:(amp|lt|gt|quot|apos)|#([0-9]{1,7})|#x([0-9a-fA-F]{1,6}));/y
const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/**
 * Characters that no document of XML may have (XML 1.0, Char), but for lone surrogates, which UTF-8
 * has none of.
 */
const forbidden = '\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\ufffe\\uffff'
const FORBIDDEN = new RegExp(`[${forbidden}]`)

/** Whether a text is one opening tag, all of it. */
export function isTag(text: string): boolean {
  OPEN.lastIndex = 0
  return OPEN.test(text) && OPEN.lastIndex === text.length
}

/**
 * Reads elements that are plainly written, many times as fast as a parser that looks at each
 * character: ASCII names, attributes in quotes, text with the entities that XML has itself,
 * comments, CDATA. What is read so is well-formed; of anything else it says that it is odd. Line
 * ends are `\n` here.
 */
export class PlainElements {
  /** Behind the element that was read last. */
  end = 0
  private text = ''
  /** How the last row was made, and the row that is expected next: most are made alike. */
  private shape: Shape | undefined
  private alike: Alike | undefined

  constructor(private readonly lists: ReadonlySet<string>) {}

  /** The element that begins at an offset, as the JSON of a row. */
  row(text: string, at: number): { json: string } | Unread {
    const known = this.alike?.read(text, at)
    if (known !== undefined) {
      this.end = at + known.length
      return known
    }
    this.text = text
    const parts = new Parts(this.lists)
    this.shape = { elements: [] }
    const content = this.element(at, parts, 0)
    if (content === 'cut' || content === 'odd') return content
    if (FORBIDDEN.test(text.slice(at, this.end))) return 'odd'
    const { characters, name } = content
    this.alike =
      this.shape && characters.trim() === ''
        ? Alike.of(name, parts, this.shape, this.lists)
        : undefined
    return { json: parts.row(characters) }
  }

  /** Reads an element's attributes and elements into `parts`; gives its name and its own text. */
  private element(
    at: number,
    parts: Parts,
    depth: number,
  ): { name: string; characters: string; nil: boolean } | Unread {
    const { text } = this
    OPEN.lastIndex = at
    const found = OPEN.exec(text)
    if (!found) return text.indexOf('>', at) < 0 ? 'cut' : 'odd'
    if (depth > DEEP) return 'odd'
    const name = found[1] as string
    const nil = found[2] ? readAttributes(found[2], parts) : false
    if (nil === undefined) return 'odd'
    let position = OPEN.lastIndex
    if (found[3]) {
      this.end = position
      return { name, characters: '', nil }
    }
    let characters = ''
    for (;;) {
      const next = text.indexOf('<', position)
      if (next < 0) return 'cut'
      const more = next > position ? decoded(text.slice(position, next)) : ''
      if (more === undefined) return 'odd'
      characters += more
      const mark = text.charCodeAt(next + 1)
      if (mark === SLASH) {
        const end = this.closes(name, next)
        if (typeof end !== 'number') return end
        this.end = end
        return { name, characters, nil }
      }
      if (mark === BANG) {
        if (depth === 0) this.shape = undefined
        const more = this.aside(next)
        if (more === 'cut' || more === 'odd') return more
        characters += more.characters
        position = this.end
      } else if (this.leaf(next, parts, depth)) position = this.end
      else {
        const inner = new Parts(this.lists)
        const child = this.element(next, inner, depth + 1)
        if (child === 'cut' || child === 'odd') return child
        if (depth === 0) this.shape = undefined
        position = this.end
        parts.addElement(child.name, inner, child.characters, child.nil)
      }
    }
  }

  private leaf(at: number, parts: Parts, depth: number): boolean {
    LEAF.lastIndex = at
    const found = LEAF.exec(this.text)
    const text = found && meaning(found[2] as string)
    if (text === null || text === undefined) return false
    const name = found?.[1] as string
    this.end = LEAF.lastIndex
    if (depth === 0) this.shape?.elements.push(name)
    parts.addText(name, jsonText(text))
    return true
  }

  /** Behind the closing tag of a name. */
  private closes(name: string, at: number): number | Unread {
    const { text } = this
    let end = at + 2 + name.length
    while (end < text.length && isSpace(text.charCodeAt(end))) end++
    if (end >= text.length) return 'cut'
    return text.startsWith(name, at + 2) && text[end] === '>' ? end + 1 : 'odd'
  }

  /** A comment, or CDATA with its text. */
  private aside(at: number): { characters: string } | Unread {
    const { text } = this
    if (text.startsWith('<!--', at)) {
      const end = text.indexOf('--', at + 4)
      if (end < 0 || end + 2 >= text.length) return 'cut'
      this.end = end + 3
      return text[end + 2] === '>' ? { characters: '' } : 'odd'
    }
    if (text.startsWith('<![CDATA[', at)) {
      const end = text.indexOf(']]>', at)
      if (end < 0) return 'cut'
      this.end = end + 3
      return { characters: text.slice(at + 9, end) }
    }
    return text.length - at < 9 ? 'cut' : 'odd'
  }
}

/** What a row is made of, where that is attributes and elements with a text alone. */
interface Shape {
  elements: string[]
}

/** Reads rows that are made as one was that came before: one regular expression for all of it. */
class Alike {
  private constructor(
    private readonly pattern: RegExp,
    private readonly keys: readonly string[],
    /** How many of the values are attributes. */
    private readonly attributes: number,
  ) {}

  static of(
    name: string,
    parts: Parts,
    { elements }: Shape,
    lists: ReadonlySet<string>,
  ): Alike | undefined {
    const own = parts.attributes.map(([attribute]) => attribute)
    const isPlain =
      !parts.isEmpty &&
      new Set(elements).size === elements.length &&
      !own.includes('xsi:nil') &&
      !elements.some((element) => lists.has(element))
    if (!isPlain) return undefined
    const given = own
      .map((attribute) => `[ \\t\\n]+${literally(attribute)}="([^"<${forbidden}]*)"`)
      .join('')
    const inside = elements
      .map((n) => `<${literally(n)}>([^<\\]${forbidden}]*)</${literally(n)}>[ \\t\\n]*`)
      .join('')
    const pattern = `<${literally(name)}${given}[ \\t\\n]*>[ \\t\\n]*${inside}</${literally(name)}>`
    const names = [...own.map((attribute) => `@${attribute}`), ...elements]
    const keys = names.map((n, i) => `${i === 0 ? '{' : ','}"${n}":`)
    return new Alike(new RegExp(pattern, 'y'), keys, own.length)
  }

  read(text: string, at: number): { json: string; length: number } | undefined {
    this.pattern.lastIndex = at
    const found = this.pattern.exec(text)
    if (!found) return undefined
    const pieces: string[] = []
    for (let i = 0; i < this.keys.length; i++) {
      const given = found[i + 1] as string
      const value = meaning(i < this.attributes ? asAttribute(given) : given)
      if (value === undefined) return undefined
      pieces.push(this.keys[i] as string, jsonText(value))
    }
    pieces.push('}')
    return { json: pieces.join(''), length: found[0].length }
  }
}

const literally = (name: string) => name.replace(/[.-]/g, '\\$&')

/**
 * Takes attributes as parts; gives whether the element says to be nil, `undefined` where they are
 * not well-formed.
 */
function readAttributes(text: string, parts: Parts): boolean | undefined {
  let nil = false
  const seen: string[] = []
  for (const [, name = '', double, single] of text.matchAll(ATTRIBUTE)) {
    if (seen.includes(name)) return undefined
    seen.push(name)
    const value = meaning(asAttribute(double ?? single ?? ''))
    if (value === undefined) return undefined
    if (name === 'xsi:nil' && value === 'true') nil = true
    else parts.attributes.push([name, jsonText(value)])
  }
  return nil
}

function isSpace(code: number): boolean {
  return code === 32 || code === 10 || code === 9
}

const asAttribute = (text: string) => (/[\t\n]/.test(text) ? text.replace(/[\t\n]/g, ' ') : text)

function decoded(text: string): string | undefined {
  return text.includes(']]>') ? undefined : meaning(text)
}

/**
 * What a text without markup stands for; `undefined` where it has an entity that is not of XML
 * itself.
 */
function meaning(text: string): string | undefined {
  return text.includes('&') ? entities(text) : text
}

/** A text with its entities replaced; `undefined` where one is not of XML itself. */
function entities(text: string): string | undefined {
  let out = ''
  let from = 0
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', from)) {
    ENTITY.lastIndex = at
    const found = ENTITY.exec(text)
    const character = found && characterOf(found)
    if (character === undefined || character === null) return undefined
    out += text.slice(from, at) + character
    from = ENTITY.lastIndex
  }
  return out + text.slice(from)
}

function characterOf([, name, decimal, hexadecimal]: RegExpExecArray): string | undefined {
  if (name) return ownValue(named, name)
  const code = decimal ? Number.parseInt(decimal, 10) : Number.parseInt(hexadecimal ?? '', 16)
  // Surrogates and what is beyond Unicode are no characters.
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined
  const character = String.fromCodePoint(code)
  return FORBIDDEN.test(character) ? undefined : character
}
