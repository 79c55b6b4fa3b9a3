import fc from 'fast-check'
import { expect, it } from 'vitest'
import { seed } from '../../test/support/seed.js'
import { encodeSealed, parseSealed, unflipSealed } from './sealed.js'

const heads = fc.record({ format: fc.constant(2), name: fc.string({ unit: 'binary' }) })

it('says what was written, and nothing once one bit of it is another', () => {
  fc.assert(
    fc.property(heads, fc.string({ unit: 'binary' }), fc.nat(), (head, rest, at) => {
      const bytes = encodeSealed(head, rest)
      const text = new TextEncoder().encode(rest)
      expect(parseSealed(bytes)).toMatchObject({
        head: JSON.parse(JSON.stringify(head)),
        checked: true,
      })
      expect(Buffer.from(parseSealed(bytes)?.rest ?? [])).toEqual(Buffer.from(text))
      const bit = at % (bytes.length * 8)
      const flipped = Uint8Array.from(bytes)
      flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(parseSealed(flipped)).toBeUndefined()
      expect(Buffer.from(unflipSealed(flipped) ?? [])).toEqual(Buffer.from(bytes))
    }),
    { seed, numRuns: 300 },
  )
})

it('reads what earlier versions wrote without a checksum, and says that it has none', () => {
  const old = new TextEncoder().encode('{"format":1,"a":2}\nrest')
  expect(parseSealed(old)).toMatchObject({ head: { format: 1, a: 2 }, checked: false })
  // Records of runs were written over several lines.
  const record = JSON.stringify({ format: 1, steps: [{ a: 2 }] }, null, 1)
  expect(parseSealed(new TextEncoder().encode(record))).toMatchObject({
    head: { format: 1, steps: [{ a: 2 }] },
    checked: false,
  })
  for (const text of ['', 'null', '[]', '{"format":2,"a":2}\n', '{"format":1,"sha256":"x"}'])
    expect(parseSealed(new TextEncoder().encode(text))).toBeUndefined()
})
