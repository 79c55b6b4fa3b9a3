import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seed } from '../../../test/support/seed.js'
import {
  type Action,
  allRights,
  type Grant,
  parseGrant,
  readingRights,
  rightsOf,
} from './rights.js'

const name = fc.constantFrom(
  'ml',
  'hr',
  'gold',
  'silver',
  'discarded',
  'deleted',
  'a',
  'a.b',
  '*',
  'x"y',
)
const levels = fc.array(name, { minLength: 1, maxLength: 4 })
const relation = fc.array(name, { minLength: 2, maxLength: 4 })
const grant: fc.Arbitrary<Grant> = fc.oneof(
  fc.record({ levels: relation, below: fc.constant(false) }),
  fc.record({ levels, below: fc.constant(true) }),
  fc.constant({ levels: [], below: true }),
)
const grants = fc.array(grant, { maxLength: 4 })
const action = fc.constantFrom<Action>('read', 'write')
const runs = { seed, numRuns: 500 }

const text = ({ levels, below }: Grant) =>
  [...levels.map((one) => `"${one.replaceAll('"', '""')}"`), ...(below ? ['*'] : [])].join('.')

describe('what is granted', () => {
  it.each<[string, readonly string[], boolean]>([
    ['*', [], true],
    ['ml.*', ['ml'], true],
    ['gold.daily_revenue', ['gold', 'daily_revenue'], false],
    ['ml.team-a.scores', ['ml', 'team-a', 'scores'], false],
    ['"a.b".*', ['a.b'], true],
    ['ml."*"', ['ml', '*'], false],
    ['ml."say ""hi"""', ['ml', 'say "hi"'], false],
    ['größe.maße', ['größe', 'maße'], false],
  ])('by %s is told', (written, levels, below) => {
    expect(parseGrant(written)).toEqual({ levels, below })
  })

  it.each([
    ...['', 'ml', '.', 'ml.', '.ml', 'ml..x', '**', '*.orders', 'ml.*.x', 'ml.o*', 'ml .x', '"ml"'],
    ...['"ml.x', 'ml."x"y', 'a b.c', '""', '"".*', 'ml.*"', "ml.'x'", 'ml/x', 'ml.x\n'],
  ])('is not by %j', (written) => {
    expect(parseGrant(written)).toBeUndefined()
  })

  it('is what was written, whatever the names are', () => {
    fc.assert(
      fc.property(grant, (one) => {
        expect(parseGrant(one.levels.length === 0 ? '*' : text(one))).toEqual(one)
      }),
      runs,
    )
  })
})

describe('rights', () => {
  it('are those that some grant names, and no others', () => {
    const named = ({ levels, below }: Grant, at: readonly string[]) => {
      if (!below) return JSON.stringify(levels) === JSON.stringify(at)
      // By a text with an end after each name, as a reader of the definition would compare it.
      const ended = (names: readonly string[]) => names.map((one) => `${one}\u0000`).join('')
      const isRaw = ['bronze', 'discarded', 'deleted', 'history'].includes(at[0] as string)
      return (
        at.length > levels.length &&
        ended(at).startsWith(ended(levels)) &&
        (levels.length > 0 || !isRaw)
      )
    }
    fc.assert(
      fc.property(grants, grants, relation, action, (read, write, at, doing) => {
        const all = doing === 'read' ? [...read, ...write] : write
        expect(rightsOf(read, write).may(doing, at)).toBe(all.some((one) => named(one, at)))
      }),
      runs,
    )
  })

  it('to all of a namespace are rights to each name in it and below it', () => {
    fc.assert(
      fc.property(grants, grants, levels, levels, action, (read, write, namespace, rest, doing) => {
        const rights = rightsOf(read, write)
        if (!rights.mayAll(doing, namespace)) return
        expect(rights.may(doing, [...namespace, ...rest])).toBe(true)
        expect(rights.mayAll(doing, [...namespace, ...rest])).toBe(true)
        expect(rights.sees(namespace)).toBe(true)
      }),
      runs,
    )
  })

  it('to write are rights to read, and what may be read is in namespaces that are shown', () => {
    fc.assert(
      fc.property(grants, grants, relation, (read, write, at) => {
        const rights = rightsOf(read, write)
        if (rights.may('write', at)) expect(rights.may('read', at)).toBe(true)
        if (!rights.may('read', at)) return
        for (let depth = 1; depth < at.length; depth++)
          expect(rights.sees(at.slice(0, depth))).toBe(true)
      }),
      runs,
    )
  })

  it('are none without a grant, and show no namespace', () => {
    fc.assert(
      fc.property(levels, action, (at, doing) => {
        const none = rightsOf([], [])
        expect([none.may(doing, at), none.mayAll(doing, at), none.sees(at)]).toEqual([
          false,
          false,
          false,
        ])
      }),
      runs,
    )
  })

  it('to everything but what has not been validated are what * gives', () => {
    const rights = rightsOf([{ levels: [], below: true }], [])
    const may = (...at: string[]) => rights.may('read', at)
    expect([may('gold', 'x'), may('silver', 'x'), may('ml', 'deep', 'x')]).toEqual([
      true,
      true,
      true,
    ])
    expect([may('bronze', 'x'), may('discarded', 'x'), may('history', 'x')]).toEqual([
      false,
      false,
      false,
    ])
    expect(['gold', 'discarded', 'bronze'].map((one) => rights.sees([one]))).toEqual([
      true,
      false,
      false,
    ])
    expect(rights.may('write', ['ml', 'x'])).toBe(false)
    expect(allRights.may('write', ['discarded', 'x'])).toBe(true)
    expect(readingRights.may('write', ['gold', 'x'])).toBe(false)
  })

  it('have rules of a table by whatever case it is named, as queries name it without', () => {
    const ruled = [{ levels: ['ml', 'Scores'], masks: {}, rows: 'false' }]
    const rights = rightsOf([{ levels: [], below: true }], [], ruled)
    for (const relation of [
      ['ml', 'Scores'],
      ['ml', 'scores'],
      ['ML', 'SCORES'],
    ]) {
      expect(rights.rules(relation)).toEqual(ruled[0])
      expect([rights.may('read', relation), rights.mayQuery(relation)]).toEqual([false, true])
    }
    expect([rights.mayAll('read', ['ML']), rights.mayAll('read', ['hr'])]).toEqual([false, true])
    expect(rights.rules(['ml', 'scores_2'])).toBeUndefined()
    const silver = [{ levels: ['silver', 'people'], masks: {}, rows: 'false' }]
    const own = { levels: ['discarded', 'people'], masks: {}, rows: 'true' }
    const isClosed = (tier: string, rules = silver) =>
      rightsOf([{ levels: [tier], below: true }], [], rules).isClosed([tier, 'people'])
    expect(['history', 'deleted', 'discarded', 'gold'].map((tier) => isClosed(tier))).toEqual([
      ...[true, true, true, false],
    ])
    expect(isClosed('discarded', [...silver, own])).toBe(false)
  })
})
