/** Avro files that no honest program writes, and what each is refused for. */

const SYNC = Buffer.alloc(16, 7)

export function long(value: bigint | number): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n))
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  return Buffer.from([...bytes, Number(rest)])
}

export const text = (value: string) =>
  Buffer.concat([long(Buffer.byteLength(value)), Buffer.from(value)])

export function header(schema: unknown, codec = 'null'): Buffer {
  const said = typeof schema === 'string' ? schema : JSON.stringify(schema)
  const parts = [text('avro.schema'), text(said), text('avro.codec'), text(codec)]
  return Buffer.concat([Buffer.from('Obj\x01'), long(2), ...parts, long(0), SYNC])
}

export function container(
  schema: unknown,
  block: { records: bigint | number; size?: bigint | number; body?: Buffer },
  codec?: string,
): Buffer {
  const { records, body = Buffer.alloc(0), size = body.length } = block
  return Buffer.concat([header(schema, codec), long(records), long(size), body, SYNC])
}

const record = (...fields: unknown[]) => ({
  type: 'record',
  name: 'r',
  fields: fields.map((type, i) => ({ name: `f${i}`, type })),
})

const nodes = { type: 'record', name: 'n', fields: [{ name: 'next', type: ['null', 'n'] }] }
const many = 2 ** 50

/** By what is wrong with them. */
export const hostileAvro: Record<string, { bytes: Buffer; said: string }> = {
  'a map of the header that has no end': {
    bytes: Buffer.from('Obj\x01\x80\x80\x80\x80\x80\x80\x10', 'latin1'),
    said: 'ends too early',
  },
  'a block of negative size': {
    bytes: container('"long"', { records: 1, size: -32 }),
    said: 'size of a block is negative',
  },
  'a block beyond the end': {
    bytes: container('"long"', { records: 1, size: many }),
    said: 'in the middle of a block',
  },
  'more records than bytes': {
    bytes: container(record('long'), { records: many, body: Buffer.from([2]) }),
    said: 'ends too early',
  },
  'records of no bytes': {
    bytes: container(record(), { records: many }),
    said: 'no bytes',
  },
  'a list without end': {
    bytes: container(record({ type: 'array', items: 'long' }), { records: 1, body: long(many) }),
    said: 'more than 5000000 values',
  },
  'a list of nothings': {
    bytes: container(record({ type: 'array', items: 'null' }), {
      records: 1,
      body: Buffer.concat([long(many), long(0)]),
    }),
    said: 'more than 5000000 values',
  },
  'a text longer than its file': {
    bytes: container(record('string'), { records: 1, body: long(many) }),
    said: 'ends too early',
  },
  'a text of negative length': {
    bytes: container(record('string'), { records: 1, body: long(-5) }),
    said: 'negative',
  },
  'a choice that there is not': {
    bytes: container(record(['null', 'long']), { records: 1, body: long(7) }),
    said: 'no choice 7',
  },
  'a value of too many levels': {
    bytes: container(nodes, { records: 1, body: Buffer.alloc(100_000, 2) }),
    said: 'more than 500 levels',
  },
  'a schema of too many levels': {
    bytes: header(`${'{"type":"array","items":'.repeat(50_000)}"long"${'}'.repeat(50_000)}`),
    said: 'more than 500 levels',
  },
  'a type that holds itself': {
    bytes: container(
      { type: 'record', name: 'r', fields: [{ name: 'f', type: 'r' }] },
      { records: 1, body: Buffer.alloc(9) },
    ),
    said: 'levels',
  },
  'a decimal of a million digits': {
    bytes: container(record({ type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 }), {
      records: 1,
      body: text('7'.repeat(1_000_000)),
    }),
    said: 'a decimal has more than',
  },
  'a scale of a billion': {
    bytes: container(record({ type: 'bytes', logicalType: 'decimal', precision: 9, scale: 1e9 }), {
      records: 1,
      body: text('7'),
    }),
    said: 'the scale 1000000000',
  },
  'a block of snappy that claims four gigabytes': {
    bytes: container(
      record('long'),
      { records: 1, body: Buffer.from([0xff, 0xff, 0xff, 0xff, 0x07, 0, 0, 0, 0]) },
      'snappy',
    ),
    said: '2147483647 bytes',
  },
  'a text that is no UTF-8': {
    bytes: container(record('string'), { records: 1, body: Buffer.from([2, 0xff]) }),
    said: 'not valid UTF-8',
  },
  'a codec that is a part of every object': {
    bytes: header('"long"', 'constructor'),
    said: 'codec constructor is not supported',
  },
  'bytes behind the records of a block': {
    bytes: container(record('long'), { records: 1, body: Buffer.from([2, 2]) }),
    said: 'longer than its records',
  },
}
