import { expect, it } from 'vitest'
import { allRights, rightsOf } from '../../define/access/rights.js'
import { MoraineError } from '../../errors.js'
import { toldTo } from './told.js'

const guest = { name: 'guest', rights: rightsOf([], []) }

it('what is wrong with files of tables is told with their names to those alone who may see all', () => {
  const logged: unknown[] = []
  const told = (error: unknown, rights = guest.rights) =>
    toldTo({ ...guest, rights }, error, (one) => logged.push(one)) as MoraineError
  const lost = new MoraineError('storage', 'silver/salaries/data/1.parquet is missing', {
    hint: 'moraine repair rebuilds silver.salaries',
    retryable: true,
  })
  expect(told(lost, allRights)).toBe(lost)
  expect(logged).toEqual([])
  const { kind, message, hint, retryable } = told(lost)
  expect({ kind, retryable }).toEqual({ kind: 'storage', retryable: true })
  expect(`${message} ${hint}`).not.toContain('salaries')
  expect(logged).toEqual([lost])
  const own = new MoraineError('query', 'There is no table silver.nothing in this lake')
  expect(told(own)).toBe(own)
})
