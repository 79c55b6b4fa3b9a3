import { expect, it } from 'vitest'
import { allRights } from '../../define/access/rights.js'
import { askedOf } from './asked.js'
import { surplusOf } from './surplus.js'

const one = (principal: string, bytes = 1, more: { isBusy?: boolean; ended?: undefined } = {}) => {
  const { ended = new Date() } = more
  const execution = { principal, ended: 'ended' in more ? undefined : ended }
  return { execution, spool: { bytes }, isBusy: more.isBusy ?? false }
}

it('forgets executions of whoever has the most, by their number, then by their bytes', () => {
  const all = [one('ada', 90), one('bob'), one('bob', 2), one('bob', 3)]
  expect(surplusOf(all, { most: 4, mostBytes: 100 })).toBeUndefined()
  expect(surplusOf(all, { most: 3, mostBytes: 100 })).toBe(all[1])
  expect(surplusOf(all, { most: 4, mostBytes: 50 })).toBe(all[0])
  const running = [one('bob', 1, { ended: undefined }), one('bob'), one('bob'), one('ada')]
  expect(surplusOf(running, { most: 3, mostBytes: 100 })).toBe(running[1])
  const busy = [...all, one('ada', 1, { isBusy: true })]
  expect(surplusOf(busy, { most: 4, mostBytes: 100 })).toBe(busy[4])
})

it('tells requests apart by all that says which rows they are answered with', () => {
  const request = { principal: { name: 'ada', rights: allRights }, sql: 'select :a, :b' }
  const different = [
    {},
    { parameters: { a: 1, b: 2 } },
    { parameters: [1, 2] },
    { parameters: ['1', 2] },
    { parameters: [1n, 2] },
    { schema: 'gold' },
    { workgroup: 'gold' },
    { maxRows: 1 },
    { sql: 'select 2' },
  ].map((more) => askedOf({ ...request, ...more }))
  expect(new Set(different).size).toBe(different.length)
  expect(askedOf({ ...request, parameters: { b: 2, a: 1 } })).toBe(different[1])
})
