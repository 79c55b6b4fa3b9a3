import { expect, it } from 'vitest'
import { quarantineList } from './quarantine-list.js'
import { cellsOf } from './table.js'

const object = (id: string, name: string, reason: string, failures = 3) => ({
  id,
  name,
  reason,
  failures,
  held: failures >= 3,
  size: 1234,
  arrived: '2026-11-28T10:00:00.000Z',
})
const found = [
  {
    dataset: 'bronze.customers_of_the_web_shop',
    object: object(
      'a1b2c3d4',
      's3://a-bucket-with-a-long-name/drop/2026/11/28/orders_20261128T101112.jsonl.gz',
      'Out of Memory Error: failed to allocate data of size 16.0 MiB (3.9 GiB of 4.0 GiB are used)',
      1,
    ),
  },
  {
    dataset: 'bronze.orders',
    object: object('b2e2f123', '注文'.repeat(30), 'a process ended by \u001b[31mSIGKILL'),
  },
]

it('a list of quarantine fits the terminal, and shows how names begin and end', () => {
  const list = quarantineList(found, 80)
  for (const line of list.split('\n')) expect(cellsOf(line)).toBeLessThanOrEqual(80)
  expect(list.split('\n')).toEqual([
    'a1b2c3d4  customers_of_the_web_shop, 1×, again: s3://a-bucket-wi…101112.jsonl.gz',
    '          Out of Memory Error: failed to allocate data of size 16.0 MiB (3.9 Gi…',
    expect.stringMatching(/^b2e2f123 {2}orders, 3×, stays: (注文)+注?…文?(注文)+$/),
    '          a process ended by \\x1b[31mSIGKILL',
  ])
})

it('a list of quarantine is a table where that fits, or nobody says how wide it may be', () => {
  expect(quarantineList(found, 300)).toBe(quarantineList(found, undefined))
  expect(quarantineList(found, 300).split('\n')[0]).toMatch(/id +dataset +object +size +arrived/)
})
