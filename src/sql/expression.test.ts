import fc from 'fast-check'
import { expect, it } from 'vitest'
import { engineSession } from '../../test/support/engine.js'
import { seed } from '../../test/support/seed.js'
import { nodesOf } from '../plan/ast.js'
import { proveExpressions } from './expression.js'

const session = engineSession()

/** Why a text is refused; `undefined`: it is one expression. */
const refusal = (text: string): Promise<Error | undefined> =>
  proveExpressions(session().parser, [text]).then(
    () => undefined,
    (error) => error,
  )

/** A tree without the places of its nodes in the text. */
function tree(serialized: string) {
  const found = JSON.parse(serialized)
  for (const node of nodesOf(found)) delete node.query_location
  return found
}

/** Statements that a condition is put into: whatever else they say is still said. */
const statements: ((condition: string) => string)[] = [
  (one) => `SELECT 1 FROM silver.t WHERE (${one}\n)`,
  (one) => `SELECT 1 FROM silver.t WHERE (${one}\n) ORDER BY 1 LIMIT 10`,
  (one) => `SELECT 1 FROM silver.t WHERE ((id IS NULL) AND coalesce((${one}\n), false))`,
  (one) => `SELECT * REPLACE (TRY((${one}\n)) AS x) FROM silver.t WHERE true OFFSET 0`,
  (one) => `SELECT coalesce((\n${one}\n), false) AS _deleted FROM silver.t`,
  // NOT itself the parser would fold with what stands in it.
  (one) => `SELECT abs((\n${one}\n)) AS _rule0, b FROM silver.t`,
]

/** Pieces that close, open, hide or end something, between pieces that are harmless. */
const pieces =
  `a|b|1|id = 43|'x'|"a"|true|and|or|not|is null|=|,| |\n|\r|\u00a0|(|)|) or (|) and (|or (|
  --|-- x\n|-- x\r|/*|*/|/* x */|/* /* */|*/ 1 /*|;|; select 1|'|''|'')|"|""|$$|$x$|$x$ ) or ( $x$|$$)$$|E'|'\\'|
  e'\\''|[|]|{|}|as x|x:|from silver.t|union all select 1|(select 1)|order by 1|limit 1|where true|
  case when|then 1 end|:: int|distinct|*|columns(*)|values (1)|with w as (select 1)|lambda q: q|-> q|?|$1`
    .split('|')
    .map((piece) => piece.replace(/^\n {2}/, ''))

const hostile = fc
  .array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 8 })
  .chain((list) => fc.constantFrom(list.join(' '), list.join('')))
  .chain((text) =>
    fc.constantFrom(text, `(${text})`, `1=1) or (${text}`, `${text}) or (1=1`, `f(${text}`),
  )

it('a text that is one expression stays it, wherever it is put', async () => {
  let accepted = 0
  await fc.assert(
    fc.asyncProperty(hostile, fc.constantFrom(...statements), async (text, statement) => {
      if (await refusal(text)) return
      accepted++
      const { parser } = session()
      // Whatever it is, the statement around it is the one that it would be around a plain name.
      const placed = tree(await parser.tree(statement(text)))
      const alone = tree(await parser.tree(`SELECT ${text}`))
      const around = tree(await parser.tree(statement('_this_one')))
      const [own] = alone.statements[0].node.select_list
      const same = (node: unknown): unknown => {
        if (Array.isArray(node)) return node.map(same)
        if (node === null || typeof node !== 'object') return node
        const { column_names: names } = node as { column_names?: string[] }
        if (names?.[0] === '_this_one') return { ...own, alias: (node as typeof own).alias }
        return Object.fromEntries(Object.entries(node).map(([name, value]) => [name, same(value)]))
      }
      const nodes = ({ statements: [one] }: typeof placed) => JSON.stringify(one.node)
      expect(nodes(placed), text).toBe(JSON.stringify(same(around.statements[0].node)))
    }),
    { seed, numRuns: 1000 },
  )
  expect(accepted).toBeGreaterThan(10)
})

it.each([
  'a) or (b',
  'customer_id = 43) or (1=1',
  '1=1) union all (select 1',
  'a) -- ',
  'a) or (b --',
  "a = ') or (' ) or (1=1",
  "a = 'it''s') or ('x' = 'x'",
  'a = "x") or ("y"',
  'a = $$x$$) or ($$y$$ = b',
  'a = $q$ ) $q$ ) or (true',
  'a /* ( */ ) or (b',
  'a -- (\n) or (b',
  'a -- (\r) or (b',
  'a) or ((b) or (c',
  'a) AS x, (b',
  'a, b',
  'a AS x',
  'a x',
  'x: a',
  'a;',
  'a; select 1',
  ';',
  '',
  ' ',
  '-- a',
  '/* a */',
  '/* a',
  'a /* /* */',
  '*/ a /*',
  "'",
  "a = 'x",
  'a = "x',
  '$$',
  '$q$ a $$',
  'a from silver.t',
  'a where true',
  'a union select b',
  'a order by 1',
  'a limit 1',
  'distinct a',
  'all a',
  'select a',
  'a\0) or (b',
])('refuses %j, which is not one expression', async (text) => {
  expect(await refusal(text)).toMatchObject({ kind: 'query' })
})

it.each([
  'a',
  'a = 1 or b = 2',
  '(a) or (b)',
  'a -- all of it',
  'a /* ) or ( */',
  'a -- ) or (',
  "a = ') or ('",
  'a = $$) or ($$',
  'a = $q$ $$ ) $q$',
  'a = "b) or (c"',
  "a = E'\\') or ('",
  '\n a\n or\u00a0b\n',
  'a in (select 1)',
  '(select max(a) from silver.t) = 1',
  "case when a then ')' end",
  'list_filter([a], lambda x: x > 1)[1] = 2',
  "{'x': a}.x",
])('takes %j', async (text) => {
  expect(await refusal(text)).toBeUndefined()
})

it('shows in the text where it stops being one', async () => {
  const said = (await refusal('id = 43) or (1=1'))?.message
  expect(said).toMatch(/syntax error at or near "\)"\n\nLINE 1: id = 43\) or \(1=1\n {15}\^$/)
})
