import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { amount } from '../../../test/support/effort.js'
import { seed } from '../../../test/support/seed.js'
import { RecordReader, type TextRecord } from './records.js'

interface Options {
  chunk?: number
  quote?: string | null
  clean?: boolean
  carriageReturns?: boolean
}

function read(text: string | Buffer, options: Options = {}): TextRecord[] {
  const { chunk = 1 << 20, quote = '"', clean = false, carriageReturns = false } = options
  const facts = { clean, carriageReturns, controls: false }
  const reader = new RecordReader({ delimiter: ',', quote }, facts, false)
  const bytes = Buffer.from(text)
  const records: TextRecord[] = []
  for (let at = 0; at < bytes.length; at += chunk)
    records.push(...reader.push(bytes.subarray(at, at + chunk), false))
  return [...records, ...reader.push(Buffer.alloc(0), true)]
}

const shown = (records: TextRecord[]) =>
  records.map(({ line, fields, error, raw }) => (error ? [line, error, raw()] : [line, ...fields]))

describe('reading delimited text', () => {
  it('knows the physical line of each record, also after quoted newlines', () => {
    expect(shown(read('a,b\n"x\n\ny",1\nc,d\r\n'))).toEqual([
      [1, 'a', 'b'],
      [2, 'x\n\ny', '1'],
      [5, 'c', 'd'],
    ])
  })

  it('loses only the record that is broken', () => {
    expect(shown(read('a,b\n"x" y,1\nc,"d\ne,f\n'))).toEqual([
      [1, 'a', 'b'],
      [2, 'there is text after a closing quote', '"x" y,1'],
      [3, 'a quote is never closed', 'c,"d'],
      [4, 'e', 'f'],
    ])
  })

  it('takes a quote inside of a field as it stands', () => {
    expect(shown(read('5" disk,"say ""hi"""\n'))).toEqual([[1, '5" disk', 'say "hi"']])
  })

  it('reports empty lines, but not those at the end', () => {
    expect(shown(read('a,b\n\n\nc,d\n\n\n'))).toEqual([
      [1, 'a', 'b'],
      [2, 'empty line', ''],
      [3, 'empty line', ''],
      [4, 'c', 'd'],
    ])
  })

  it('shows bytes that are no characters', () => {
    expect(shown(read(Buffer.from('a,\xff\xfeé\nb,\0\n', 'latin1')))).toEqual([
      [1, 'it is not valid UTF-8', 'a,\\xFF\\xFE\\xE9'],
      [2, 'it holds a NUL byte', 'b,\\x00'],
    ])
  })

  it('reads files whose lines end in a carriage return alone', () => {
    expect(shown(read('a,b\rc,d', { carriageReturns: true }))).toEqual([
      [1, 'a', 'b'],
      [2, 'c', 'd'],
    ])
  })

  const field = fc.string({ unit: fc.constantFrom(...'ab",\n\r é😀'), maxLength: 6 })
  const quoted = (text: string) =>
    /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text

  it('gives back what was written, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { maxLength: 8 }),
        fc.integer({ min: 1, max: 9 }),
        fc.boolean(),
        (rows, chunk, clean) => {
          const text = rows.map((row) => `${row.map(quoted).join(',')}\n`).join('')
          expect(read(text, { chunk, clean }).map((r) => r.fields)).toEqual(rows)
        },
      ),
      { seed, numRuns: amount(100, 500) },
    )
  })

  it('gives the same records for any text, however the bytes are cut', () => {
    const line = fc.string({ unit: fc.constantFrom(...'ab",\n\n\r'), maxLength: 40 })
    fc.assert(
      fc.property(line, fc.integer({ min: 1, max: 5 }), (text, chunk) => {
        expect(shown(read(text, { chunk }))).toEqual(shown(read(text)))
        expect(shown(read(text, { clean: true }))).toEqual(shown(read(text)))
      }),
      { seed, numRuns: amount(200, 1000) },
    )
  })
})
