/** What JSON writes in another way. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/

export function jsonText(text: string): string {
  return ESCAPED.test(text) ? JSON.stringify(text) : `"${text}"`
}

/** An attribute's name and its value as JSON. */
type Attribute = readonly [name: string, json: string]

/** An element that was read, but for one that is a text alone. */
interface Content {
  readonly attributes: readonly Attribute[]
  /** Its elements as members of an object in JSON; empty where it has none. */
  readonly members: string
  readonly text: string
  /** `xsi:nil`. */
  readonly nil: boolean
}

/** The JSON of an element that is a text alone, or the element. */
type Value = string | Content

/**
 * What an element has, of which JSON is made. Where a value stands hangs on its place in the
 * document alone, and never on what else the element has: its text or its elements are `price`, its
 * attributes beside that, `price@currency`. Rows, and objects in lists, are on their own: their
 * attributes are in them, `@id`.
 */
export class Parts {
  /** The element's own attributes. */
  readonly attributes: Attribute[] = []
  /** The names of its elements. */
  readonly names: string[] = []
  private readonly values: (Value | Value[])[] = []

  constructor(private readonly lists: ReadonlySet<string>) {}

  get isEmpty(): boolean {
    return this.names.length === 0 && this.attributes.length === 0
  }

  /** Adds an element that has neither attributes nor elements. */
  addText(name: string, json: string): void {
    this.add(name, json)
  }

  /** Adds an element with what it has. */
  addElement(name: string, inner: Parts, text: string, nil: boolean): void {
    if (inner.isEmpty) this.add(name, nil ? 'null' : jsonText(text))
    else this.add(name, { attributes: inner.attributes, members: inner.members(), text, nil })
  }

  private add(name: string, value: Value): void {
    const i = this.names.indexOf(name)
    const before = this.values[i]
    if (before === undefined) {
      this.names.push(name)
      this.values.push(this.lists.has(name) ? [value] : value)
    } else if (Array.isArray(before)) before.push(value)
    else this.values[i] = [before, value]
  }

  /** The JSON of a row. */
  row(text: string): string {
    const own = text.trim()
    // Text that is all there is stays as it is.
    if (this.isEmpty) return own === '' ? '{}' : `{"#text":${jsonText(text)}}`
    return objectOf({ attributes: this.attributes, members: this.members(), text, nil: false })
  }

  private members(): string {
    // Joined at once: a text that grows by its parts would keep each of them until it is read.
    const pieces: string[] = []
    for (let i = 0; i < this.names.length; i++) {
      const name = this.names[i] as string
      const value = this.values[i] as Value | Value[]
      if (i > 0) pieces.push(',')
      if (typeof value === 'string') pieces.push('"', name, '":', value)
      else if (Array.isArray(value)) list(name, value, pieces)
      else {
        pieces.push('"', name, '":', contentOf(value))
        for (const [attribute, json] of value.attributes)
          pieces.push(',"', name, '@', attribute, '":', json)
      }
    }
    return pieces.join('')
  }
}

/**
 * A list: of texts, with attributes as lists beside it, or of objects where its elements are more
 * than texts.
 */
function list(name: string, items: readonly Value[], pieces: string[]): void {
  if (isOfObjects(items)) {
    pieces.push('"', name, '":[', items.map(itemOf).join(','), ']')
    return
  }
  pieces.push('"', name, '":[', items.map(contentOf).join(','), ']')
  const attributes = items.map((item) => (typeof item === 'string' ? [] : item.attributes))
  for (const attribute of new Set(attributes.flatMap((own) => own.map(([of]) => of)))) {
    const values = attributes.map((own) => own.find(([of]) => of === attribute)?.[1] ?? 'null')
    pieces.push(',"', name, '@', attribute, '":[', values.join(','), ']')
  }
}

/** Whether any has elements, or none has a text but some have attributes. */
function isOfObjects(items: readonly Value[]): boolean {
  const others = items.filter((item) => typeof item !== 'string')
  if (others.length === 0) return false
  if (others.some(({ members }) => members !== '')) return true
  return items.every((item) =>
    typeof item === 'string' ? BLANK.test(item) : item.text.trim() === '',
  )
}

const BLANK = /^(null|"(\s|\\[tnr])*")$/

/** What an element has but for its attributes. */
function contentOf(value: Value): string {
  if (typeof value === 'string') return value
  if (value.members !== '') return objectOf({ ...value, attributes: [] })
  return value.nil && value.text.trim() === '' ? 'null' : jsonText(value.text)
}

/** One of a list of objects. */
function itemOf(value: Value): string {
  if (typeof value !== 'string') return objectOf(value)
  if (value === 'null') return value
  return BLANK.test(value) ? '{}' : `{"#text":${value}}`
}

function objectOf({ attributes, members, text }: Content): string {
  const own = text.trim()
  const pieces = attributes.map(([name, json]) => `"@${name}":${json}`)
  if (members !== '') pieces.push(members)
  if (own !== '') pieces.push(`"#text":${jsonText(own)}`)
  return `{${pieces.join(',')}}`
}
