import { expect, it } from 'vitest'
import { workgroup } from '../../define/access/workgroup.js'
import { Workgroups } from './workgroups.js'

const MB = 2 ** 20

it('what a query has read beyond what was estimated is of the day as well', () => {
  let now = new Date('2026-01-01T12:00:00Z')
  const team = workgroup('team', { maxScanPerDay: '100MB' })
  const groups = new Workgroups([team], undefined, () => now)
  const admit = (bytes: number) => groups.admit(team, { bytes, tables: [] })
  const most = (bytes: number) => groups.most(team, { bytes })

  // What metadata and footers add is nothing that counts.
  expect(admit(10 * MB).ended(12 * MB)).toBe(10 * MB)
  const again = admit(10 * MB)
  expect(most(10 * MB).most / MB).toBeCloseTo(100e6 / MB - 10 + 4)
  expect(most(10 * MB).error(200 * MB).message).toMatch(
    /^The query was stopped: it has read .* of what workgroup team may read in a day, .* were left$/,
  )
  expect(again.ended(64 * MB)).toBe(60 * MB)
  expect(() => admit(40 * MB)).toThrow('have read 70.0 MiB today')
  admit(20 * MB).takeBack()
  const late = admit(20 * MB)
  now = new Date('2026-01-02T00:00:01Z')
  admit(MB)
  late.ended(90 * MB)
  expect(() => admit(100 * MB)).toThrow('have read 1.0 MiB today')
})

it('a query is stopped by its own limit where that is the lower one, and by none without limits', () => {
  const both = workgroup('both', { maxScan: '10MB', maxScanPerDay: '1GB' })
  const none = workgroup('none')
  const groups = new Workgroups([both, none], undefined, () => new Date())
  groups.admit(both, { bytes: MB, tables: [] })
  expect(groups.most(both, { bytes: MB }).most).toBe(10_000_000 + 4 * MB)
  expect(groups.most(both, { bytes: MB }).error(20 * MB).message).toMatch(
    /workgroup both lets it read 9.5 MiB/,
  )
  expect(groups.most(none, { bytes: MB }).most).toBe(Number.POSITIVE_INFINITY)
})
