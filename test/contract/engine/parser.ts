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

  it('gives the SQL of an expression of a tree', () =>
    within(open, async (session) => {
      const expression = "CAST('é''' || a AS VARCHAR)"
      const tree = JSON.parse(await session.parser.tree(`SELECT ${expression} FROM silver.nowhere`))
      const sql = await session.parser.text(tree.statements[0].node.select_list[0])
      expect(await session.rows(`SELECT ${sql} AS v FROM (SELECT 'x' AS a) AS r`)).toEqual([
        { v: "é'x" },
      ])
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
