import fc from 'fast-check'
import { expect, it } from 'vitest'
import { seed } from '../../../../test/support/seed.js'
import { pageOf } from './pages.js'

const same = (name: string) => name

it('pages together are the list, without what is not for whoever asks', () => {
  const lists = fc.uniqueArray(fc.string({ minLength: 1, maxLength: 3, unit: 'grapheme' }))
  fc.assert(
    fc.property(lists, fc.integer({ min: 1, max: 5 }), (names, size) => {
      const items = [...names].sort()
      const isShown = (name: string) => name.length !== 2
      const found: string[] = []
      let pageToken = ''
      for (let pages = 0; ; pages++) {
        expect(pages).toBeLessThanOrEqual(items.length)
        const page = pageOf(items, same, { pageSize: String(size), pageToken }, isShown)
        found.push(...page.items)
        if (page.next === undefined) break
        expect(page.items).toHaveLength(size)
        pageToken = page.next
      }
      expect(found).toEqual(items.filter(isShown))
    }),
    { seed },
  )
})

it('looks at few names of a long list, and goes on behind one that is gone', () => {
  const names = Array.from({ length: 100_000 }, (_, i) => `t${String(i).padStart(6, '0')}`)
  let looks = 0
  const nameOf = (name: string) => {
    looks++
    return name
  }
  const pageToken = Buffer.from('t050000x').toString('base64url')
  const page = pageOf(names, nameOf, { pageSize: '10', pageToken })
  expect(page.items[0]).toBe('t050001')
  expect(looks).toBeLessThan(50)
})
