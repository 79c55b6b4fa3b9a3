import type { ColumnType, Field } from './column-type.js'

/** A type by the words that {@link typeName} has for it; `undefined` for other ones. */
export function typeNamed(text: string): ColumnType | undefined {
  const reader = new Reader(text)
  const type = reader.type()
  return reader.isDone ? type : undefined
}

const SCALAR =
  /^(string|json|uuid|int|bigint|float|double|boolean|date|timestamptz|timestamp|binary)/

class Reader {
  constructor(private rest: string) {}

  get isDone(): boolean {
    return this.rest === ''
  }

  type(): ColumnType | undefined {
    const decimal = this.take(/^decimal\((\d+),(\d+)\)/)
    if (decimal)
      return { kind: 'decimal', precision: Number(decimal[1]), scale: Number(decimal[2]) }
    if (this.take(/^list</))
      return this.closed(this.type(), (element) => ({ kind: 'list', element }))
    if (this.take(/^map</)) return this.map()
    if (this.take(/^struct</))
      return this.closed(this.fields(), (fields) => ({ kind: 'struct', fields }))
    const [kind] = this.take(SCALAR) ?? []
    return kind === undefined ? undefined : ({ kind } as ColumnType)
  }

  private map(): ColumnType | undefined {
    const key = this.type()
    if (!key || !this.take(/^, /)) return undefined
    return this.closed(this.type(), (value) => ({ kind: 'map', key, value }))
  }

  private fields(): Field[] | undefined {
    const fields: Field[] = []
    do {
      const [, name] = this.take(/^(.+?): /) ?? []
      const type = this.type()
      if (name === undefined || !type) return undefined
      fields.push({ name, type })
    } while (this.take(/^, /))
    return fields
  }

  private closed<T>(part: T | undefined, make: (part: T) => ColumnType): ColumnType | undefined {
    return part !== undefined && this.take(/^>/) ? make(part) : undefined
  }

  private take(pattern: RegExp): RegExpExecArray | undefined {
    const found = pattern.exec(this.rest)
    if (!found) return undefined
    this.rest = this.rest.slice(found[0].length)
    return found
  }
}
