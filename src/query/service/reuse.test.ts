import { expect, it } from 'vitest'
import { allRights } from '../../define/access/rights.js'
import type { LakeState } from '../../log/commit.js'
import type { QueryRequest } from './request.js'
import { Reuse } from './reuse.js'
import { Spool } from './spool.js'

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

const ada = { name: 'ada', rights: allRights }
const state = { tables: {}, batches: {} } as unknown as LakeState

/** A result with one row, as it is kept. */
async function kept(reuse: Reuse, request: QueryRequest, value: string, bytes = 1) {
  const spool = new Spool({ most: 0 })
  await spool.add([[value, 'x'.repeat(bytes)]])
  const madeOf = reuse.madeOf([], request, state) as string
  reuse.keep(request, { columns: [], spool, tables: [], madeOf, bytesEstimated: 0 })
}

it('a result that was found stays until it was read, though another takes its place', async () => {
  const reuse = new Reuse()
  const request = { principal: ada, sql: 'select 1' }
  await kept(reuse, request, 'first')
  const found = reuse.find(request, state)
  await kept(reuse, request, 'second')
  reuse.close()
  const rows: unknown[] = []
  for await (const batch of found?.spool.batches() ?? []) rows.push(...batch)
  expect(rows).toEqual([['first', 'x']])
  if (found) await reuse.release(found)
  await expect(found?.spool.batches().next()).rejects.toThrow()
})

it('each value of a parameter has a result of its own', async () => {
  const reuse = new Reuse()
  const values = [
    ...[5n, '5n', 5, '5', { integer: '5' }, -0, 0, null, Number.NaN, 'NaN', true, 'true'],
    ...[Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
    ...[new Uint8Array([1]), 'AQ==', { bytes: 'AQ==' }],
  ]
  const asked = (value: unknown) =>
    ({ principal: ada, sql: 'select ?', parameters: [value] }) as QueryRequest
  const plain = values.filter((value) => typeof value !== 'object' || value === null)
  for (const [i, value] of plain.entries()) await kept(reuse, asked(value), `${i}`)
  for (const [i, value] of plain.entries()) {
    const found = reuse.find(asked(value), state)
    expect([value, await found?.spool.page(0, 1)]).toEqual([value, [[`${i}`, 'x']]])
    if (found) await reuse.release(found)
  }
  reuse.close()
})
