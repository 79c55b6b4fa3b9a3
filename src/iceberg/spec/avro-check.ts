import { AvroBytes, DamagedAvro } from './avro-bytes.js'

/** Levels of one value; recursive schemas may have as many as their writer likes. */
const DEEPEST = 500
/** Values in one record. */
const MOST_VALUES = 5_000_000
/** Bytes of one decimal: more digits than any engine has. */
const LONGEST_DECIMAL = 256
const LARGEST_SCALE = 1000

/**
 * Checks a block's bytes. @throws DamagedAvro when they are not so many records and nothing else.
 */
export type CheckBlock = (block: Uint8Array, records: number) => void

type Walk = (state: State) => void

interface State {
  from: AvroBytes
  depth: number
  /** Values that the record has so far. */
  values: number
}

/**
 * Makes a check of blocks from a schema. Decoders that are generated for speed believe counts and
 * lengths; what passes here can be given to one.
 *
 * @param isText whether bytes are valid UTF-8; where none is given, texts are not looked at.
 * @throws DamagedAvro when the schema is none.
 */
export function checkOf(schema: unknown, isText?: (bytes: Uint8Array) => boolean): CheckBlock {
  const walk = new Schema(isText).walk(schema, '', 0)
  return (block, records) => {
    const from = new AvroBytes(block)
    if (records < 0) throw new DamagedAvro('a block has a negative count of records')
    for (let i = 0; i < records; i++) {
      const start = from.at
      walk({ from, depth: 0, values: 0 })
      // Records of no bytes could be as many as the count says.
      if (from.at === start && records > MOST_VALUES)
        throw new DamagedAvro(`a block claims to have ${records} records of no bytes`)
    }
    if (from.left > 0) throw new DamagedAvro('a block is longer than its records')
  }
}

const fixedWidth: Record<string, number> = { null: 0, float: 4, double: 8 }

type Parts = Record<string, unknown>

class Schema {
  private readonly named = new Map<string, { walk: Walk }>()

  constructor(private readonly isText: ((bytes: Uint8Array) => boolean) | undefined) {}

  walk(schema: unknown, space: string, depth: number): Walk {
    if (depth > DEEPEST) throw new DamagedAvro(`its schema has more than ${DEEPEST} levels`)
    if (typeof schema === 'string') return this.byName(schema, space)
    if (Array.isArray(schema)) return union(schema.map((one) => this.walk(one, space, depth + 1)))
    if (schema === null || typeof schema !== 'object') throw new DamagedAvro('its schema is none')
    const parts = schema as Parts
    if (parts.logicalType === 'decimal') return this.decimal(parts, space)
    const { type } = parts
    if (type === 'array') return items(this.walk(parts.items, space, depth + 1))
    if (type === 'map') {
      const [text, value] = [this.text(), this.walk(parts.values, space, depth + 1)]
      return items((state) => {
        text(state)
        value(state)
      })
    }
    if (type === 'record' || type === 'error') return this.record(parts, space, depth)
    if (type === 'enum') return this.enumeration(parts, space)
    if (type === 'fixed') return this.fixed(parts, space)
    return this.walk(type, space, depth + 1)
  }

  private byName(name: string, space: string): Walk {
    if (Object.hasOwn(fixedWidth, name)) {
      const width = fixedWidth[name] as number
      return ({ from }) => from.skip(width)
    }
    if (name === 'boolean')
      return ({ from }) => {
        if (from.byte() > 1) throw new DamagedAvro('a boolean is neither 0 nor 1')
      }
    if (name === 'int')
      return ({ from }) => {
        const value = from.long()
        if (value < -(2 ** 31) || value >= 2 ** 31)
          throw new DamagedAvro('an int has more than 32 bits')
      }
    if (name === 'long') return ({ from }) => void from.long()
    if (name === 'bytes') return ({ from }) => from.skip(from.length())
    if (name === 'string') return this.text()
    const found = this.named.get(qualified(name, space)) ?? this.named.get(name)
    if (!found) throw new DamagedAvro(`its schema has no type '${name.slice(0, 60)}'`)
    // A record that holds itself is complete by the time this is called.
    return (state) => found.walk(state)
  }

  private text(): Walk {
    const { isText } = this
    if (!isText) return ({ from }) => from.skip(from.length())
    return ({ from }) => {
      if (!isText(from.take(from.length()))) throw new DamagedAvro('a string is not valid UTF-8')
    }
  }

  private record(parts: Parts, space: string, depth: number): Walk {
    const [own, inner] = this.declare(parts, space)
    if (!Array.isArray(parts.fields)) throw new DamagedAvro('a record of its schema has no fields')
    const fields = parts.fields.map((field) =>
      this.walk((field as Parts | null)?.type, inner, depth + 1),
    )
    own.walk = (state) => {
      if (++state.depth > DEEPEST) throw new DamagedAvro(`there are more than ${DEEPEST} levels`)
      for (const field of fields) field(state)
      state.depth--
    }
    return own.walk
  }

  private enumeration(parts: Parts, space: string): Walk {
    const [own] = this.declare(parts, space)
    const count = Array.isArray(parts.symbols) ? parts.symbols.length : 0
    own.walk = ({ from }) => choice(from, count)
    return own.walk
  }

  private fixed(parts: Parts, space: string): Walk {
    const [own] = this.declare(parts, space)
    const size = Number(parts.size)
    if (!Number.isSafeInteger(size) || size < 0)
      throw new DamagedAvro('a fixed type of its schema has no size')
    own.walk = ({ from }) => from.skip(size)
    return own.walk
  }

  private decimal(parts: Parts, space: string): Walk {
    const { scale = 0, logicalType: _, ...plain } = parts
    const isWhole = Number.isInteger(scale) && (scale as number) >= 0
    if (!isWhole || (scale as number) > LARGEST_SCALE)
      throw new DamagedAvro(`a decimal of its schema has the scale ${String(scale).slice(0, 20)}`)
    const walk = this.walk(plain, space, 0)
    return (state) => {
      const start = state.from.at
      walk(state)
      if (state.from.at - start > LONGEST_DECIMAL)
        throw new DamagedAvro(`a decimal has more than ${LONGEST_DECIMAL} bytes`)
    }
  }

  /** Makes a name known, also to what is inside of the type. */
  private declare({ name, namespace }: Parts, space: string): [own: { walk: Walk }, space: string] {
    const inside = typeof namespace === 'string' ? namespace : space
    const full = qualified(String(name), inside)
    const own = {
      walk: () => {
        throw new DamagedAvro('a type of its schema holds itself')
      },
    } as { walk: Walk }
    this.named.set(full, own)
    return [own, full.includes('.') ? full.slice(0, full.lastIndexOf('.')) : '']
  }
}

const qualified = (name: string, space: string) =>
  name.includes('.') || space === '' ? name : `${space}.${name}`

function choice(from: AvroBytes, count: number): number {
  const index = from.long()
  if (index < 0 || index >= count) throw new DamagedAvro(`there is no choice ${index} of ${count}`)
  return index
}

function union(branches: readonly Walk[]): Walk {
  return (state) => (branches[choice(state.from, branches.length)] as Walk)(state)
}

function items(each: Walk): Walk {
  return (state) => {
    if (++state.depth > DEEPEST) throw new DamagedAvro(`there are more than ${DEEPEST} levels`)
    for (let count = state.from.items(); count > 0; count = state.from.items()) {
      state.values += count
      if (state.values > MOST_VALUES)
        throw new DamagedAvro(`a record has more than ${MOST_VALUES} values`)
      for (let i = 0; i < count; i++) each(state)
    }
    state.depth--
  }
}
