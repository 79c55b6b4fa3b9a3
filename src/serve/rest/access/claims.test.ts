import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seed } from '../../../../test/support/seed.js'
import { parseGrant, rightsOf } from '../../../define/access/rights.js'
import type { ExternalState, LakeState, TableState } from '../../../log/commit.js'
import { MemoryStorage } from '../../../storage/memory.js'
import type { Caller } from '../caller.js'
import { Locations } from '../locations.js'
import { type Claim, mayUse } from './claims.js'

const storage = new MemoryStorage()
const { layout } = new Locations(storage)
const grants = (...texts: string[]) => texts.flatMap((text) => parseGrant(text) ?? [])

/** Whoever has these rights, and claims for `ml.mine`. */
function claimOf(state: LakeState, read: string[], write: string[]): Claim {
  const rights = rightsOf(grants(...read), grants(...write))
  const caller = { principal: { name: 'ml', rights } } as unknown as Caller
  return { caller, state, namespace: ['ml'], name: 'mine' }
}

type Homes = Readonly<Record<string, string>>

/** A state with tables in folders, how often those are looked at, and places of namespaces. */
function stateOf(external: Homes, managed: Homes = {}, places: Homes = {}) {
  const looks = { count: 0 }
  const entriesOf = (homes: Homes) =>
    Object.entries(homes).map(([key, home]) => {
      const table = {
        get metadata() {
          looks.count++
          return `${home}/metadata/v1.metadata.json`
        },
      }
      return [key, table] as const
    })
  const relations = Object.fromEntries(entriesOf(external)) as unknown as Record<
    string,
    ExternalState
  >
  const tables = Object.fromEntries(entriesOf(managed)) as unknown as Record<string, TableState>
  const namespaces = Object.fromEntries(
    Object.entries(places).map(([key, place]) => [
      key,
      { properties: place ? { location: storage.locate(place) } : {} },
    ]),
  )
  return { state: { tables, external: { relations, namespaces } } as unknown as LakeState, looks }
}

describe('files that a commit names', () => {
  it('are looked up: thousands of them do not look at thousands of tables each', () => {
    const names = Array.from({ length: 2000 }, (_, i) => `t${i}`)
    const external = Object.fromEntries(
      names.map((name) => [`ml\u001f${name}`, `external/ml/${name}`]),
    )
    const managed = Object.fromEntries(names.map((name) => [`gold.${name}`, `gold/${name}`]))
    const { state, looks } = stateOf(external, managed, { ml: '' })
    const claim = claimOf(state, ['gold.t7'], ['ml.*'])
    const file = (path: string) => mayUse(storage.locate(path), 'file', claim, layout)
    for (let i = 0; i < 2000; i++) {
      expect(file(`external/ml/t${i}/data/x.parquet`)).toBe(true)
      expect(file(`gold/t${i}/data/x.parquet`)).toBe(i === 7)
    }
    expect(looks.count).toBe(4000)
  })

  it('may be named by whom walking through all tables and namespaces allows', () => {
    const part = fc.constantFrom('a', 'A', 'b', 'data')
    const path = fc
      .array(part, { minLength: 1, maxLength: 4 })
      .map((parts) => `external/${parts.join('/')}`)
    const some = (all: Record<string, fc.Arbitrary<string>>) =>
      fc.record(all, { requiredKeys: [] }) as fc.Arbitrary<Homes>
    const homes = (...keys: string[]) => some(Object.fromEntries(keys.map((key) => [key, path])))
    const place = fc.oneof(path, fc.constant(''))
    const external = homes('ml\u001fmine', 'ml\u001fother', 'hr\u001fx', 'hr\u001fy')
    const world = fc.record({
      external,
      managed: homes('gold.daily', 'silver.orders'),
      places: some({ ml: place, hr: place }),
      read: fc.subarray(['gold.daily', 'silver.orders', 'hr.x', 'hr.*']),
      write: fc.subarray(['ml.*', 'ml.mine', 'ml.other', 'hr.*', '*']),
    })
    fc.assert(
      fc.property(world, fc.array(path, { minLength: 1, maxLength: 6 }), (given, paths) => {
        const { state } = stateOf(given.external, given.managed, given.places)
        const claim = claimOf(state, given.read, given.write)
        for (const use of ['place', 'file'] as const)
          for (const one of paths)
            expect([one, use, mayUse(storage.locate(one), use, claim, layout)]).toEqual([
              ...[one, use, mayUseByWalking(one, use, claim, given)],
            ])
      }),
      { seed, numRuns: 500 },
    )
  })
})

/** The same, plainly. */
function mayUseByWalking(
  path: string,
  use: 'place' | 'file',
  { caller }: Claim,
  { external, managed, places }: { external: Homes; managed: Homes; places: Homes },
): boolean {
  const { rights } = caller.principal
  const isWithin = (a: string, b: string) => `${a}/`.startsWith(`${b}/`)
  const overlaps = (home: string) => {
    const [a, b] = [path.toLowerCase(), home.toLowerCase()]
    return isWithin(a, b) || isWithin(b, a)
  }
  const owners = [
    ...Object.entries(external)
      .filter(([key, home]) => key !== 'ml\u001fmine' && overlaps(home))
      .map(([key]) => key.split('\u001f')),
    ...Object.entries(managed)
      .filter(([, home]) => overlaps(home))
      .map(([key]) => key.split('.')),
  ]
  const action = use === 'place' ? 'write' : 'read'
  if (owners.some((owner) => !rights.may(action, owner))) return false
  if (use === 'file' && owners.length > 0) return true
  if (rights.mayAll('write', [])) return true
  return ['ml', ...Object.keys(places)].some((name) =>
    [`external/${name}`, places[name] || []]
      .flat()
      .some((place) => rights.mayAll('write', [name]) && isWithin(path, place)),
  )
}
