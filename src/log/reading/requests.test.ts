import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Commit, LakeState, SeenRequest } from '../commit.js'
import { emptyState, fold } from '../fold.js'
import { requestAt } from './requests.js'

const START = Date.parse('2026-01-01T00:00:00Z')

const commitOf = (number: number, minute: number, keys: readonly string[]): Commit => ({
  format: 2,
  id: `c${number}`,
  number,
  time: new Date(START + minute * 60_000 + number).toISOString(),
  previous: null,
  ...{ author: 'spark', run: null, message: 'commit' },
  changes: keys.length > 0 ? { requests: Object.fromEntries(keys.map((key) => [key, key])) } : {},
})

/** As if all were looked at with each commit. */
function plain(before: Record<string, SeenRequest>, { number, time, changes }: Commit) {
  const oldest = new Date(Date.parse(time) - 30 * 60_000).toISOString()
  const kept = Object.entries(before).filter(([, { at }]) => at >= oldest)
  const own = Object.entries(changes.requests ?? {})
  const made = own.map(([key, sha256]) => [key, { commit: number, at: time, sha256 }] as const)
  return Object.fromEntries([...kept, ...made])
}

describe('requests that a state knows', () => {
  const key = fc.constantFrom('a', 'b', 'c', '7', '12', '__proto__', 'toString', 'ü')
  const step = fc.record({
    keys: fc.uniqueArray(key, { maxLength: 2 }),
    minutes: fc.nat(20),
    /** Which of the states so far it follows, as branches do. */
    from: fc.nat(3),
    /** Whether the state was read from a checkpoint. */
    isRead: fc.boolean(),
  })

  it('are those of the last half hour, whichever state goes on from which', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const states: {
          state: LakeState
          expected: Record<string, SeenRequest>
          minute: number
        }[] = [{ state: emptyState, expected: {}, minute: 0 }]
        for (const { keys, minutes, from, isRead } of steps) {
          const base = states[Math.max(0, states.length - 1 - from)] as (typeof states)[number]
          // A key that is known is not made again.
          const fresh = keys.filter((one) => !Object.hasOwn(base.expected, one))
          const minute = base.minute + minutes
          const commit = commitOf(base.state.number + 1, minute, fresh)
          const after = fold(base.state, commit, `h${commit.number}`)
          const state = isRead ? (JSON.parse(JSON.stringify(after)) as LakeState) : after
          states.push({ state, expected: plain(base.expected, commit), minute })
        }
        for (const { state, expected } of states) {
          for (const one of [
            'a',
            'b',
            'c',
            '7',
            '12',
            '__proto__',
            'toString',
            'ü',
            'hasOwnProperty',
          ])
            expect(requestAt(state, one)).toEqual(
              Object.hasOwn(expected, one) ? expected[one] : undefined,
            )
          expect(JSON.parse(JSON.stringify(state.requests ?? {}))).toEqual(
            JSON.parse(JSON.stringify(expected)),
          )
        }
      }),
      { numRuns: 300 },
    )
  })

  it('are as plain data to who copies or writes a state', () => {
    const state = fold(emptyState, commitOf(1, 0, ['a']), 'h')
    const request = { commit: 1, at: commitOf(1, 0, []).time, sha256: 'a' }
    expect({ ...state }).toMatchObject({ requests: { a: request } })
    const names = Object.keys(fold(state, { ...commitOf(2, 1, ['b']), features: {} }, 'h2'))
    expect(names.indexOf('requests')).toBeLessThan(names.indexOf('features'))
    // None is left of a state whose requests are old.
    expect('requests' in fold(state, commitOf(2, 60, []), 'h2')).toBe(false)
  })
})
