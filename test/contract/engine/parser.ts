import { expect, it } from 'vitest'
import type { Session } from '../../../src/engine/engine.js'
import { proveSelect } from '../../../src/sql/guard.js'
import { within } from './session.js'

export function parserContract(open: () => Promise<Session>): void {
  it('parses a text without looking at what it names', () =>
    within(open, async ({ parser }) => {
      const sql = "SELECT a, 'é''' FROM silver.nowhere WHERE \"b c\" > 1"
      const { tables } = proveSelect(await parser.tree(sql), sql)
      expect(tables).toMatchObject([{ tier: 'silver', name: 'nowhere' }])
    }))

  it('says of what is no SQL that it is none, and goes on with others', () =>
    within(open, async ({ parser }) => {
      const texts = ['SELECT 1', 'SELEC 1', 'SELECT 1\0', '', "SELECT '"]
      const trees = await parser.trees(texts)
      expect(trees.map((tree) => JSON.parse(tree).error)).toEqual([false, true, true, false, true])
      expect(await Promise.all(texts.map((text) => parser.tree(text)))).toEqual(trees)
      expect(() => proveSelect(trees[1] as string, texts[1] as string)).toThrow('SELEC')
    }))
}
