/** A part of a document: a text, or parts by their names. */
export type Xml =
  | string
  | number
  | boolean
  | undefined
  | { readonly [name: string]: Xml | readonly Xml[] }

const escaped = (text: string) =>
  text.replace(/[&<>"'\r\n\t]/g, (char) => `&#${char.charCodeAt(0)};`)

/** An element with its parts in their order. */
function xml(name: string, value: Xml, attributes = ''): string {
  if (value === undefined) return ''
  if (typeof value !== 'object') return `<${name}${attributes}>${escaped(String(value))}</${name}>`
  const inside = Object.entries(value).map(([key, one]) =>
    (Array.isArray(one) ? (one as Xml[]) : [one as Xml]).map((each) => xml(key, each)).join(''),
  )
  return `<${name}${attributes}>${inside.join('')}</${name}>`
}

export const document = (root: string, value: Xml, namespace: string) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n${xml(root, value, ` xmlns="${namespace}"`)}`

/** The texts of all elements of a name; entities are those that XML itself has. */
export function textsOf(source: string, name: string): string[] {
  const found = source.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))
  return [...found].map(([, text = '']) => unescaped(text))
}

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

const unescaped = (text: string) =>
  text.replace(
    /&(?:#(\d+)|#x([0-9a-fA-F]+)|(\w+));/g,
    (whole, decimal?: string, hex?: string, named?: string) => {
      if (named !== undefined) return NAMED[named] ?? whole
      const point = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
      return point <= 0x10ffff ? String.fromCodePoint(point) : whole
    },
  )
