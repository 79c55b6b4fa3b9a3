import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isRefusal } from '../../../src/sql/bound/rule.js'
import { functions } from '../../../src/sql/bound/rules/rules.js'
import { targetNames, targets } from '../../../src/sql/bound/target.js'
import { nameOf } from '../../../src/sql/bound/types.js'
import { amount, drawn, turn } from '../../support/effort.js'
import { random } from '../../support/seed.js'
import { withService } from '../../support/services.js'
import { trinoFolder } from '../../support/trino.js'
import { allCases, byTypes, lineOf } from './cases.js'
import { type Tried, tryCases } from './compare.js'
import { type Answering, startAnswering } from './engines.js'
import { queries, tablesOf } from './queries.js'
import { tryQuery } from './try-query.js'

const services = { trino: trinoFolder, spark: process.env.MORAINE_PYTHON }
/** Expressions of one statement. */
const TOGETHER = 40

const told = ({ case: { sql, types }, wrong }: Tried) =>
  wrong.slice(0, 3).map((one) => `${sql} of ${types.map(nameOf).join(', ')}: ${one}`)

it('there is a case for every function on the list', () => {
  const lines = new Set(allCases().map(({ line }) => line))
  expect(functions.map(lineOf).filter((line) => !lines.has(line))).toEqual([])
})

for (const target of targetNames)
  withService(targets[target].title, [services[target]], () => {
    describe('what is written for it', () => {
      let engine: Answering
      beforeAll(async () => {
        engine = await startAnswering(target)
      }, 300_000)
      afterAll(() => engine?.stop())

      it('gives what DuckDB gives for every function, of the same type', async () => {
        const draw = random(turn)
        const cases = drawn(allCases(), amount(200, 500, Infinity))
        const found: Tried[] = []
        for (const group of byTypes(cases))
          for (let at = 0; at < group.length; at += TOGETHER) {
            const some = group.slice(at, at + TOGETHER)
            found.push(...(await tryCases(target, engine, some, draw, amount(15, 30, 60))))
          }
        expect(found.flatMap(told)).toEqual([])
        // Whether it is refused is said on the list, and found by its arguments in few cases.
        const refused = new Set(functions.filter((one) => isRefusal(one[target])).map(lineOf))
        const unseen = found.filter(({ case: { line }, refused: why, values }) => {
          return !why && values === 0 && !refused.has(line)
        })
        expect(unseen.map((one) => one.case.sql)).toEqual([])
        expect(found.reduce((sum, { values }) => sum + values, 0)).toBeGreaterThan(cases.length * 5)
      }, 600_000)

      it('gives the rows that DuckDB gives for every kind of query', async () => {
        const tables = tablesOf(random(turn), amount(20, 30, 60))
        const wrong: string[] = []
        for (const sql of drawn(queries, amount(25, 50, Infinity))) {
          const tried = await tryQuery(target, engine, sql, tables)
          wrong.push(...tried.wrong.slice(0, 3).map((one) => `${sql.slice(0, 300)}: ${one}`))
        }
        expect(wrong).toEqual([])
      }, 600_000)
    })
  })
