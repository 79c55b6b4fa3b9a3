import { afterAll, beforeAll, describe } from 'vitest'
import type { Engine } from '../../../src/engine/engine.js'
import { openEngine } from '../../../src/engine/open.js'
import { dialectContract } from './dialect.js'
import { parserContract } from './parser.js'
import { sessionContract } from './session.js'
import { tablesContract } from './tables.js'

/** Engines that keep the contract; another one is a line here. */
const engines: Record<string, () => Promise<Engine>> = {
  duckdb: () => openEngine({ threads: 2 }),
}

for (const [name, start] of Object.entries(engines))
  describe(`engine ${name}`, () => {
    let engine: Engine
    beforeAll(async () => {
      engine = await start()
    })
    afterAll(() => engine.close())
    const open = () => engine.open()
    describe('sessions', () => sessionContract(open))
    describe('tables', () => tablesContract(open))
    describe('parser', () => parserContract(open))
    describe('dialect', () => dialectContract(open))
  })
