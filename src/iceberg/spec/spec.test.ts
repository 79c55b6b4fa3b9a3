import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amount } from '../../../test/support/effort.js'
import { manifestsOfVersion1 } from '../../../test/support/manifests-of-version-1.js'
import { seed } from '../../../test/support/seed.js'
import { encodeContainer } from './avro.js'
import type { ColumnStatistics, DataFile, ManifestEntry, ManifestFile } from './manifest.js'
import { decodeManifest, encodeManifest } from './manifest.js'
import { decodeManifestList, describeManifest } from './manifest-list.js'
import { fileMayMatch, manifestMayMatch, type Predicate } from './prune.js'
import { applyTransform, type PartitionSpec } from './transforms.js'
import { type Schema, toFields } from './types.js'
import {
  compareValues,
  decodeValue,
  encodeValue,
  lowerBound,
  minimalBigEndian,
  parseValue,
  upperBound,
  type Value,
} from './values.js'

const parse = (text: string, type: string) => parseValue(text, type) as Value

describe('values', () => {
  it.each([
    ['date', '1969-12-31', -1n],
    ['timestamp', '1969-12-31 23:59:59.999999', -1n],
    ['timestamptz', '1970-01-01 01:00:00+01', 0n],
    ['timestamptz', '1970-01-01T00:00:00.5Z', 500_000n],
    ['decimal(9, 2)', '-12.5', -1250n],
    ['boolean', 'true', 1n],
    ['long', '9223372036854775807', 9223372036854775807n],
  ])('reads %s %s', (type, text, value) => {
    expect(parseValue(text, type)).toBe(value)
  })

  it('has no value for what a type can not hold', () => {
    expect(parseValue('infinity', 'date')).toBeUndefined()
    expect(parseValue('1.5', 'int')).toBeUndefined()
    expect(parseValue('1.239', 'decimal(9, 2)')).toBeUndefined()
  })

  it('comes back from bytes as it went in', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 127n), max: 2n ** 127n - 1n }), (n) => {
        expect(decodeValue(minimalBigEndian(n), 'decimal(38, 0)')).toBe(n)
        const long = BigInt.asIntN(64, n)
        expect(decodeValue(encodeValue(long, 'long'), 'long')).toBe(long)
      }),
      { seed },
    )
  })

  it('bounds texts by 16 characters that still enclose them', () => {
    const text = fc.string({ unit: 'binary', maxLength: 40 })
    // A byte order mark at the start of a value is part of it.
    const marked = text.map((rest) => `\uFEFF${rest}`)
    fc.assert(
      fc.property(fc.oneof({ weight: 3, arbitrary: text }, marked), (text) => {
        const well = text.toWellFormed()
        const lower = decodeValue(lowerBound(well, 'string'), 'string')
        const bytes = upperBound(well, 'string')
        expect(compareValues(lower, well)).toBeLessThanOrEqual(0)
        if (bytes)
          expect(compareValues(decodeValue(bytes, 'string'), well)).toBeGreaterThanOrEqual(0)
      }),
      { seed },
    )
  })
})

describe('transforms', () => {
  // Iceberg specification, Appendix B: 32-bit hash requirements.
  it.each([
    ['int', '34', 2017239379],
    ['long', '34', 2017239379],
    ['decimal(9, 2)', '14.20', -500754589],
    ['date', '2017-11-16', -653330422],
    ['timestamp', '2017-11-16T22:31:08', -2047944441],
    ['string', 'iceberg', 1210000089],
  ])('hash a %s as the specification says', (type, text, hash) => {
    const buckets = 2 ** 31 - 1
    expect(applyTransform(`bucket[${buckets}]`, parse(text, type), type)).toBe(
      BigInt((hash & 0x7fffffff) % buckets),
    )
  })

  it.each([
    ['year', 'date', '1969-12-31', -1n],
    ['month', 'timestamp', '1969-12-31 23:00:00', -1n],
    ['month', 'date', '2008-02-18', 457n],
    ['day', 'timestamp', '1970-01-02 00:00:00', 1n],
    ['hour', 'timestamp', '1969-12-31 23:30:00', -1n],
    ['truncate[10]', 'int', '-1', -10n],
    ['truncate[2]', 'string', '😀bc', '😀b'],
    ['truncate[50]', 'decimal(9, 2)', '10.65', 1050n],
  ])('%s of a %s', (transform, type, text, result) => {
    expect(applyTransform(transform, parse(text, type), type)).toBe(result)
  })
})

const schema: Schema = {
  type: 'struct',
  'schema-id': 0,
  fields: toFields(
    [
      { name: 'n', type: { kind: 'bigint' } },
      { name: 's', type: { kind: 'string' } },
      { name: 'at', type: { kind: 'timestamp' } },
    ],
    [],
    0,
  ).fields,
}
const spec: PartitionSpec = {
  'spec-id': 0,
  fields: [
    { 'source-id': 3, 'field-id': 1000, name: 'at_month', transform: 'month' },
    { 'source-id': 1, 'field-id': 1001, name: 'n_bucket', transform: 'bucket[4]' },
  ],
}

interface RowOf {
  n: bigint | null
  s: string | null
  at: bigint | null
}

const day = 86_400_000_000n
const rowArbitrary: fc.Arbitrary<RowOf> = fc.record({
  n: fc.option(fc.bigInt({ min: -20n, max: 20n })),
  s: fc.option(fc.string({ unit: 'grapheme', maxLength: 20 })),
  at: fc.option(fc.bigInt({ min: -100n, max: 100n }).map((d) => d * day)),
})

/** A file with exact statistics of some rows, all of one partition. */
function fileOf(rows: readonly RowOf[]): DataFile {
  const columns = new Map<number, ColumnStatistics>()
  for (const [i, name] of (['n', 's', 'at'] as const).entries()) {
    const type = ['long', 'string', 'timestamp'][i] as string
    const values = rows.map((row) => row[name]).filter((v): v is bigint | string => v !== null)
    const sorted = [...values].sort(compareValues)
    const upper = sorted.length > 0 ? upperBound(sorted.at(-1) as Value, type) : undefined
    columns.set(i + 1, {
      nulls: rows.length - values.length,
      ...(sorted.length > 0 ? { lower: lowerBound(sorted[0] as Value, type) } : {}),
      ...(upper ? { upper } : {}),
    })
  }
  const { at, n } = rows[0] as RowOf
  const partition = [
    at === null ? null : applyTransform('month', at, 'timestamp'),
    n === null ? null : applyTransform('bucket[4]', n, 'long'),
  ]
  return { path: 'x', rows: rows.length, bytes: 1, partition, columns }
}

function matches(row: RowOf, { column, op, values }: Predicate): boolean {
  const value = row[column as keyof RowOf]
  if (op === 'is null') return value === null
  if (value === null) return false
  if (op === 'is not null') return true
  const type = { n: 'long', s: 'string', at: 'timestamp' }[column] as string
  const order = (text: string) => compareValues(value, parse(text, type))
  const holds = { '=': 0, in: 0, '<': -1, '<=': -1, '>': 1, '>=': 1 }
  return values.some((text) => {
    const o = Math.sign(order(text))
    return o === holds[op] || (o === 0 && (op === '<=' || op === '>='))
  })
}

const text = (value: bigint | string, column: string) =>
  column === 'at'
    ? new Date(Number((value as bigint) / 1000n)).toISOString().slice(0, 19)
    : String(value)

const predicateArbitrary: fc.Arbitrary<Predicate> = rowArbitrary.chain((row) =>
  fc
    .record({
      column: fc.constantFrom('n', 's', 'at'),
      op: fc.constantFrom(
        '=',
        '<',
        '<=',
        '>',
        '>=',
        'in',
        'is null',
        'is not null',
      ) as fc.Arbitrary<Predicate['op']>,
    })
    .map(({ column, op }) => {
      const value = row[column as keyof RowOf] ?? (column === 's' ? 'a' : 0n)
      return { column, op, values: op.startsWith('is') ? [] : [text(value, column)] }
    }),
)

describe('pruning', () => {
  it('never passes over a file or a manifest that holds a wanted row', () => {
    fc.assert(
      fc.property(
        fc.array(rowArbitrary, { minLength: 1, maxLength: 6 }),
        fc.array(predicateArbitrary, { maxLength: 3 }),
        (candidates, predicates) => {
          // One partition a file, as an engine writes them.
          const key = (row: RowOf) => JSON.stringify(fileOf([row]).partition.map(String))
          const rows = candidates.filter((row) => key(row) === key(candidates[0] as RowOf))
          if (!rows.some((row) => predicates.every((p) => matches(row, p)))) return
          const file = fileOf(rows)
          expect(fileMayMatch(file, predicates, schema)).toBe(true)
          const entry = {
            status: 'added',
            snapshotId: 1,
            sequenceNumber: 1,
            fileSequenceNumber: 1,
            file,
          } as const
          const at = { path: 'm', bytes: 1, snapshotId: 1, sequenceNumber: 1 }
          const manifest = describeManifest(at, [entry], schema, spec)
          expect(manifestMayMatch(manifest, predicates, schema, spec)).toBe(true)
        },
      ),
      { seed, numRuns: amount(300, 2000) },
    )
  })

  it('passes over files outside of a range', () => {
    const file = fileOf([{ n: 5n, s: 'm', at: 0n }])
    const may = (column: string, op: Predicate['op'], value: string) =>
      fileMayMatch(file, [{ column, op, values: [value] }], schema)
    expect(may('n', '=', '6')).toBe(false)
    expect(may('n', '>', '5')).toBe(false)
    expect(may('s', '<', 'm')).toBe(false)
    expect(may('at', '>=', '1970-01-02 00:00:00')).toBe(false)
  })

  it('takes nothing for certain that bounds of other writers do not say', () => {
    const bytes = (type: string, value: number) => encodeValue(value, type)
    const may = (type: string, lower: Uint8Array, text: string) => {
      const fields = [{ id: 1, name: 'x', required: false, type }]
      const columns = new Map([[1, { lower, upper: lower, nulls: 0 }]])
      const file: DataFile = { path: 'a', rows: 2, bytes: 1, partition: [], columns }
      const table = { type: 'struct', 'schema-id': 0, fields } as const
      return fileMayMatch(file, [{ column: 'x', op: '<', values: [text] }], table)
    }
    // A double column's, from when it was a float.
    expect(may('double', bytes('float', 1.5), '1')).toBe(false)
    expect(may('double', bytes('float', 1.5), '2')).toBe(true)
    expect(may('double', bytes('double', Number.NaN), '1')).toBe(true)
    // Of bytes, however few.
    expect(may('binary', Uint8Array.of(1, 2, 3), '1')).toBe(true)
    expect(may('uuid', new Uint8Array(16), '1')).toBe(true)
  })

  it('knows how engines compare numbers of single precision, and NaN', () => {
    const may = (type: string, value: number, op: Predicate['op'], text: string, nans?: number) => {
      const fields = [{ id: 1, name: 'x', required: false, type }]
      const bound = encodeValue(value, type)
      const known = {
        lower: bound,
        upper: bound,
        nulls: 0,
        ...(nans === undefined ? {} : { nans }),
      }
      const columns = new Map([[1, known]])
      const file: DataFile = { path: 'a', rows: 2, bytes: 1, partition: [], columns }
      const table = { type: 'struct', 'schema-id': 0, fields } as const
      return fileMayMatch(file, [{ column: 'x', op, values: [text] }], table)
    }
    expect(may('float', 0.1, '=', '0.1')).toBe(true)
    expect(may('float', 0.1, '<', '0.1000000015')).toBe(true)
    expect(may('float', 0.1, '=', '0.2')).toBe(false)
    expect(may('double', 0.1, '>', '5')).toBe(true)
    expect(may('double', 0.1, '>=', '5', 1)).toBe(true)
    expect(may('double', 0.1, '>', '5', 0)).toBe(false)
    expect(may('double', 0.1, '<', '0.1')).toBe(false)
  })

  it('takes no text for false that is another word for true', () => {
    expect(parseValue('true', 'boolean')).toBe(1n)
    expect(parseValue('false', 'boolean')).toBe(0n)
    expect(parseValue('t', 'boolean')).toBeUndefined()
    expect(parseValue('yes', 'boolean')).toBeUndefined()
  })

  it('asks nothing of partitions whose transform forgets values', () => {
    const spec = {
      'spec-id': 0,
      fields: [{ 'source-id': 1, 'field-id': 1000, name: 'n_void', transform: 'void' }],
    }
    const fields = [{ id: 1, name: 'n', required: false, type: 'long' }]
    const summary = {
      contains_null: true,
      contains_nan: null,
      lower_bound: null,
      upper_bound: null,
    }
    const manifest = { partitions: [summary] } as unknown as ManifestFile
    const table = { type: 'struct', 'schema-id': 0, fields } as const
    const wanted = [{ column: 'n', op: '=', values: ['5'] }] as const
    expect(manifestMayMatch(manifest, wanted, table, spec)).toBe(true)
  })
})

describe('partitions without a value', () => {
  const may = (
    [type, transform]: readonly [string, string],
    [op, ...values]: readonly [Predicate['op'], ...string[]],
    known: Partial<NonNullable<ManifestFile['partitions']>[number]> = {},
  ) => {
    const field = { 'source-id': 1, 'field-id': 1000, name: 'p', transform }
    const fields = [{ id: 1, name: 'x', required: false, type }]
    const none = { contains_null: true, contains_nan: null, lower_bound: null, upper_bound: null }
    const manifest = { partitions: [{ ...none, ...known }] } as unknown as ManifestFile
    const table = { type: 'struct', 'schema-id': 0, fields } as const
    return manifestMayMatch(manifest, [{ column: 'x', op, values }], table, {
      'spec-id': 0,
      fields: [field],
    })
  }

  it('may be those of times without beginning or end, which have no year', () => {
    const day = Buffer.from(encodeValue(20_000n, 'date'))
    for (const known of [{}, { lower_bound: day, upper_bound: day }])
      for (const transform of ['identity', 'day', 'bucket[4]']) {
        const may1 = (op: Predicate['op'], ...values: string[]) =>
          may(['date', transform], [op, ...values], known)
        expect(may1('>', '2030-01-01')).toBe(true)
        expect(may1('<=', '1900-01-01')).toBe(true)
        expect(may1('is not null')).toBe(true)
        expect(may1('=', 'infinity')).toBe(true)
      }
    expect(may(['timestamp', 'month'], ['=', '2026-01-01 00:00:00'])).toBe(false)
    expect(may(['string', 'identity'], ['>', 'a'])).toBe(false)
  })

  it('may be beside those of NaN, of which bounds tell nothing', () => {
    expect(may(['double', 'identity'], ['is not null'], { contains_nan: true })).toBe(true)
    expect(may(['double', 'identity'], ['>', '1'])).toBe(true)
    expect(may(['double', 'identity'], ['>', '1'], { contains_nan: false })).toBe(false)
  })
})

describe('manifests', () => {
  it('come back from Avro as they went in', () => {
    const rows = [{ n: 3n, s: 'x'.repeat(30), at: -day }]
    const entries = [
      {
        status: 'existing',
        snapshotId: 7,
        sequenceNumber: 2,
        fileSequenceNumber: 2,
        file: fileOf(rows),
      } as const,
    ]
    const bytes = encodeManifest({ schema, spec }, entries, new Uint8Array(16))
    const at = { path: 'm', bytes: bytes.length, snapshotId: 8, sequenceNumber: 3 }
    const [read] = decodeManifest(bytes, describeManifest(at, entries, schema, spec))
    expect(read).toMatchObject({ status: 'existing', snapshotId: 7, sequenceNumber: 2 })
    expect(read?.file.partition).toEqual(entries[0]?.file.partition)
    expect(read?.file.columns.get(1)).toMatchObject({ nulls: 0 })
  })

  const ofSize = (name: string): PartitionSpec => ({
    'spec-id': 0,
    fields: [{ 'source-id': 2, 'field-id': 1000, name, transform: 'identity' }],
  })
  const added = (partition: DataFile['partition']): ManifestEntry => ({
    ...{ status: 'added', snapshotId: 7, sequenceNumber: null, fileSequenceNumber: null },
    file: { ...fileOf([{ n: 3n, s: 'groß', at: 0n }]), partition },
  })
  const at = { path: 'm', bytes: 1, snapshotId: 8, sequenceNumber: 3 }

  it('tell partitions by the ids of their fields, whatever writers make of their names', () => {
    const spec = ofSize('groesse')
    const entries = [added(['groß'])]
    const bytes = encodeManifest({ schema, spec }, entries, new Uint8Array(16))
    // Java's Iceberg leaves letters of all languages as they are, and this is as long.
    const theirs = Buffer.from(bytes).toString('latin1').replaceAll('groesse', latin1('größe'))
    const listed = describeManifest(at, entries, schema, spec)
    const [read] = decodeManifest(Buffer.from(theirs, 'latin1'), listed)
    expect(read?.file.partition).toEqual(['groß'])
    // What was written here comes back, too, and no other writer's spelling is needed for it.
    for (const name of ['größe', '😀 x', '1st']) {
      const own = encodeManifest({ schema, spec: ofSize(name) }, entries, new Uint8Array(16))
      expect(decodeManifest(own, listed)[0]?.file.partition, name).toEqual(['groß'])
    }
  })

  it('of version 1 have the number 0, and so have their rows in lists', () => {
    const entries = [{ ...added(['a']), status: 'existing' } as const, added(['b'])]
    const spec = ofSize('s')
    const bytes = encodeManifest({ schema, spec }, entries, new Uint8Array(16))
    const listed = describeManifest({ ...at, sequenceNumber: 0 }, entries, schema, spec)
    expect(decodeManifest(bytes, listed).map((entry) => entry.sequenceNumber)).toEqual([0, 0])
    const list = encodeContainer(manifestsOfVersion1, {}, [listed], new Uint8Array(16))
    const numbers = { content: 0, sequence_number: 0, min_sequence_number: 0 }
    expect(decodeManifestList(list)).toMatchObject([
      { ...numbers, added_files_count: 1, existing_files_count: 1, added_rows_count: 1 },
    ])
  })
})

const latin1 = (text: string) => Buffer.from(text).toString('latin1')
