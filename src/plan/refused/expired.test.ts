import { expect, it } from 'vitest'
import { expiredBefore, retentionAfter, retentionRenamed, retentionWithout } from './expired.js'

const day = (n: number) => new Date(Date.UTC(2026, 0, n)).toISOString()

it('knows for each column before which time rows have gone, whichever says it now', () => {
  const first = retentionAfter(undefined, 'placed', { oldest: day(9), until: day(8) })
  expect(first).toEqual({ column: 'placed', oldest: day(9), expiredBefore: day(8) })
  const second = retentionAfter(first, 'sent', { until: day(3) })
  const third = retentionAfter(second, 'paid', {})
  expect(['placed', 'sent', 'paid'].map((column) => expiredBefore(third, column))).toEqual([
    day(8),
    day(3),
    undefined,
  ])
  // Names of columns are the same in any case.
  expect(retentionAfter(third, 'Placed', {})).toEqual({
    column: 'Placed',
    expiredBefore: day(8),
    earlier: [{ column: 'sent', expiredBefore: day(3) }],
  })
})

it('does not let rows be there again because fewer go', () => {
  const before = { column: 'placed', expiredBefore: day(20) }
  expect(retentionAfter(before, 'placed', { until: day(5) }).expiredBefore).toBe(day(20))
  expect(retentionAfter(before, 'placed', { until: day(25) }).expiredBefore).toBe(day(25))
})

it('keeps what has gone where rows stay from now on, and asks for their age if that changes', () => {
  const before = retentionAfter({ column: 'sent', expiredBefore: day(3) }, 'placed', {})
  expect(retentionWithout(before)).toEqual({
    column: 'sent',
    oldest: '1970-01-01T00:00:00.000Z',
    expiredBefore: day(3),
  })
  expect(retentionWithout({ column: 'placed', oldest: day(1) })).toBeUndefined()
})

it('follows columns to their new names', () => {
  const earlier = [{ column: 'sent', expiredBefore: day(3) }]
  expect(retentionRenamed({ column: 'placed', earlier }, { placed: 'at', sent: 'gone' })).toEqual({
    column: 'at',
    earlier: [{ column: 'gone', expiredBefore: day(3) }],
  })
})
