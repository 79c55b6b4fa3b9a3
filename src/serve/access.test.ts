import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seed } from '../../test/support/seed.js'
import { isLoopback } from '../define/access/encrypted.js'
import { namesUs, shows } from './access.js'

describe('an address', () => {
  it.each(['localhost', '::1', '127.0.0.1', '127.255.0.9'])('%s is of this machine', (host) => {
    expect(isLoopback(host)).toBe(true)
  })

  it.each([
    '0.0.0.0',
    '::',
    '10.0.0.1',
    '127.0.0.1.example.com',
    '127.example.com',
    'localhost.example.com',
    'my-localhost',
    '1127.0.0.1',
    '',
  ])('%j is not', (host) => {
    expect(isLoopback(host)).toBe(false)
  })
})

describe('the Host header of a request', () => {
  const names = ['lake.example.com']

  it.each(['localhost', 'localhost:4000', '127.0.0.1:4000', '[::1]:4000', '[::1]'])(
    'names this server by the address %s, which no page of others has',
    (host) => {
      expect(namesUs(host, [])).toBe(true)
    },
  )

  it.each(['lake.example.com', 'lake.example.com:4000'])('names it by its own name %s', (host) => {
    expect(namesUs(host, names)).toBe(true)
    expect(namesUs(host, [])).toBe(false)
  })

  // A page whose name was made to lead to this machine sends its own name.
  it.each([
    'evil.example.com',
    'lake.example.com.evil.com',
    'evil-lake.example.com',
    'LAKE.example.org',
    '127.0.0.1.evil.com:4000',
    '',
    undefined,
  ])('does not name it by %j', (host) => {
    expect(namesUs(host, names)).toBe(false)
  })
})

describe('a token', () => {
  const text = fc.string({ minLength: 1, unit: 'grapheme-ascii' })

  it('is shown by whoever sends that one, and by nobody else', async () => {
    await fc.assert(
      fc.asyncProperty(text, text, async (token, other) => {
        expect(await shows(`Bearer ${token}`, token)).toBe(true)
        expect(await shows(`bearer ${token}`, async () => token)).toBe(true)
        expect(await shows(`Bearer ${other}`, token)).toBe(other === token)
        for (const header of [undefined, '', token, 'Bearer', `Basic ${token}`, `Bearer ${token}x`])
          expect(await shows(header, token)).toBe(header === `Bearer ${token}`)
      }),
      { seed },
    )
  })

  it('that is empty lets nobody in', async () => {
    for (const header of [undefined, '', 'Bearer', 'Bearer ', 'Bearer  '])
      expect(await shows(header, '')).toBe(false)
  })
})
