import { expect, it } from 'vitest'
import { textDecoder } from './decode-text.js'

it.each(['windows-1252', 'latin1', 'iso-8859-1', 'cp1252'])(
  'reads what %s has beyond ASCII, one text after another',
  (label) => {
    const bytes = Buffer.from([0x80, 0x84, 0x96, 0x93, 0xf6, 0x41])
    const decode = textDecoder(label, { fatal: true })
    expect(decode(bytes)).toBe('€„–“öA')
    expect(decode(bytes)).toBe('€„–“öA')
    expect(textDecoder(label)(bytes)).toBe('€„–“öA')
  },
)

it('refuses bytes that are no text of an encoding, and keeps none for the next', () => {
  const decode = textDecoder('utf-8', { fatal: true })
  expect(() => decode(Buffer.from([0xc3]))).toThrow(TypeError)
  expect(decode(Buffer.from('ö'))).toBe('ö')
})
