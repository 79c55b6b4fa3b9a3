import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { targetNames } from '../../../src/sql/bound/target.js'
import { amount, drawn, turn } from '../../support/effort.js'
import { random } from '../../support/seed.js'
import { withService } from '../../support/services.js'
import { trinoFolder } from '../../support/trino.js'
import { allCases, byTypes } from './cases.js'
import { tryCases } from './compare.js'
import { type Answering, startAnswering } from './engines.js'

const services = { trino: trinoFolder, spark: process.env.MORAINE_PYTHON }

for (const target of targetNames)
  withService(target, [services[target]], () => {
    describe('every function on the list', () => {
      let engine: Answering
      beforeAll(async () => {
        engine = await startAnswering(target)
      }, 120_000)
      afterAll(() => engine?.stop())

      it('gives what DuckDB gives, of the same type', async () => {
        const draw = random(turn)
        const cases = drawn(allCases(), amount(250, 500, Infinity))
        const wrong: string[] = []
        let values = 0
        for (const group of byTypes(cases))
          for (let at = 0; at < group.length; at += 40)
            for (const tried of await tryCases(
              target,
              engine,
              group.slice(at, at + 40),
              draw,
              amount(20, 30, 60),
            )) {
              values += tried.values
              for (const one of tried.wrong.slice(0, 3))
                wrong.push(
                  `${tried.case.sql} [${tried.case.types.map((t) => JSON.stringify(t)).join()}]: ${one}`,
                )
            }
        console.log(target, cases.length, values)
        expect(wrong).toEqual([])
      }, 600_000)
    })
  })
