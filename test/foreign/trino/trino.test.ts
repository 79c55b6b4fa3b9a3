import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Engine, Session } from '../../../src/engine/engine.js'
import { openEngine } from '../../../src/engine/open.js'
import { functions } from '../../../src/sql/trino/functions/functions.js'
import { amount, drawn, turn } from '../../support/effort.js'
import { random } from '../../support/seed.js'
import { withService } from '../../support/services.js'
import { Trino, trinoFolder } from '../../support/trino.js'
import { aggregateCases, cases, chances, windowCases } from './cases.js'
import { calledIn, type Given, onTrino, translated } from './compare.js'
import { valuesTable } from './values.js'

it('there is a case for every function that is translated', () => {
  const called = new Set(
    [...cases, ...aggregateCases, ...windowCases, ...chances].flatMap(calledIn),
  )
  expect(Object.keys(functions).filter((name) => !called.has(name))).toEqual([])
})

/** Expressions of one statement. */
const TOGETHER = 12

withService('Trino, whose dialect clients of Athena speak', [trinoFolder], () => {
  let trino: Trino
  let engine: Engine
  let session: Session
  beforeAll(async () => {
    engine = await openEngine({})
    session = await engine.open()
    trino = await Trino.start({})
  })
  afterAll(async () => {
    session?.close()
    await engine?.close()
    await trino?.stop()
  })

  /**
   * What Trino 476 fails with by faults of its own, which `TRY` lets through: `substr('…', 6, -7)`,
   * and the least integer divided by -1, which ends the query in one of two ways.
   */
  const ownFault =
    /^Range \[.*\) out of bounds for length|^Value \d+ exceeds MAX_INT|^unexpected error calling sendUpdate\(\)$/

  /** What is wrong with some expressions in a query that both are asked. */
  async function wrongWith(
    expressions: readonly string[],
    query: (items: string) => string,
    isCaught: boolean,
  ): Promise<string[]> {
    const item = (one: string) => (isCaught ? `TRY(${one})` : one)
    const ask = async (some: readonly string[]) => {
      const sql = query(some.map(item).join(', '))
      const [theirs, ours] = await Promise.all([onTrino(trino, sql), translated(session, sql)])
      return { theirs, ours, sql }
    }
    const { theirs, ours } = await ask(expressions)
    if (isSame(theirs, ours)) return []
    if (expressions.length === 1 && 'failed' in theirs && ownFault.test(theirs.failed)) return []
    if (expressions.length === 1) return [`${expressions[0]}: ${difference(theirs, ours)}`]
    if ('rows' in theirs && 'rows' in ours) return differences(expressions, theirs.rows, ours.rows)
    const half = Math.ceil(expressions.length / 2)
    return [
      ...(await wrongWith(expressions.slice(0, half), query, isCaught)),
      ...(await wrongWith(expressions.slice(half), query, isCaught)),
    ]
  }

  describe('what is translated', () => {
    it('gives what Trino gives for every function, or is refused', async () => {
      const table = valuesTable(amount(40, 80, 200), random(turn))
      const wrong: string[] = []
      const chosen = drawn(cases, amount(120, Infinity, Infinity))
      for (let at = 0; at < chosen.length; at += TOGETHER)
        wrong.push(
          ...(await wrongWith(
            chosen.slice(at, at + TOGETHER),
            (items) => `SELECT rn, ${items} FROM ${table} ORDER BY rn`,
            true,
          )),
        )
      expect(wrong).toEqual([])
    })

    it('aggregates, and looks through windows', async () => {
      const table = valuesTable(amount(40, 80, 200), random(turn + 1))
      const groups = (items: string) => `SELECT o, ${items} FROM ${table} GROUP BY o ORDER BY o`
      const rows = (items: string) => `SELECT rn, ${items} FROM ${table} ORDER BY rn`
      expect(await wrongWith(aggregateCases, groups, false)).toEqual([])
      expect(await wrongWith([...windowCases, ...chances], rows, false)).toEqual([])
    })
  })
})

function isSame(theirs: Given, ours: Given): boolean {
  if ('failed' in theirs) return !('rows' in ours)
  return (
    'rows' in theirs && 'rows' in ours && JSON.stringify(theirs.rows) === JSON.stringify(ours.rows)
  )
}

/** The expressions whose values differ: each row begins with what it is sorted by. */
function differences(expressions: readonly string[], theirs: string[], ours: string[]): string[] {
  const [a, b] = [theirs, ours].map((rows) => rows.map((row) => JSON.parse(row) as unknown[]))
  return expressions.flatMap((one, i) => {
    const row = a?.find(
      (values, r) => JSON.stringify(values[i + 1]) !== JSON.stringify(b?.[r]?.[i + 1]),
    )
    const other = row && b?.[a?.indexOf(row) ?? 0]
    return row
      ? [
          `${one} of row ${row[0]}: Trino ${JSON.stringify(row[i + 1])}, Moraine ${JSON.stringify(other?.[i + 1])}`,
        ]
      : []
  })
}

function difference(theirs: Given, ours: Given): string {
  const shown = (one: Given) => ('rows' in one ? undefined : JSON.stringify(one).slice(0, 400))
  if (!('rows' in theirs) || !('rows' in ours))
    return `Trino ${shown(theirs) ?? 'has rows'}, Moraine ${shown(ours) ?? 'has rows'}`
  const at = theirs.rows.findIndex((row, i) => row !== ours.rows[i])
  return `row ${at}: Trino ${theirs.rows[at]}, Moraine ${ours.rows[at]}`
}
