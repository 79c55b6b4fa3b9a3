import { expect, it } from 'vitest'
import { allRights } from '../../define/access/rights.js'
import type { LakeState } from '../../log/commit.js'
import { Reuse } from './reuse.js'

it('keeps no result on tables that tell of the lake, though an engine has one of that name', () => {
  const named = (namespace: string) => [
    `${namespace}\x1fqueries`,
    { kind: 'table', namespace: [namespace], name: 'queries', metadata: 'v1.json', version: 1 },
  ]
  const relations = Object.fromEntries([named('system'), named('ml')])
  const state = { tables: {}, batches: {}, external: { namespaces: {}, relations } }
  const principal = { name: 'ada', rights: allRights }
  const request = { principal, sql: 'select 1' }
  const made = (tier: string) =>
    new Reuse().madeOf([{ tier, name: 'queries' }], request, state as unknown as LakeState)
  expect(made('ml')).toEqual(expect.any(String))
  expect(made('system')).toBeUndefined()
})
