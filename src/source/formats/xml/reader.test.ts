import fc from 'fast-check'
import { expect, it } from 'vitest'
import { amount } from '../../../../test/support/effort.js'
import { seed } from '../../../../test/support/seed.js'
import { XmlReader } from './reader.js'

/**
 * The rows of a document that comes in pieces of some length; what is wrong with it where it is
 * broken.
 */
function read(text: string, size: number, rows?: string, lists: readonly string[] = []) {
  const reader = new XmlReader(rows, lists)
  const found: [line: number, json: string | undefined][] = []
  try {
    for (let at = 0; at < text.length; at += size)
      for (const { line, json } of reader.push(text.slice(at, at + size), at + size >= text.length))
        found.push([line, json])
    return { found }
  } catch (error) {
    return { found, error: (error as Error).message }
  }
}

const pieces = fc.constantFrom(
  ...[
    'a',
    'Ä',
    ' ',
    '\n',
    '\r\n',
    '\t',
    '"',
    "'",
    '&amp;',
    '&#65;',
    '&#x1F600;',
    '😀',
    '\\',
    ']]',
    '>',
    '<![CDATA[<b>&]]>',
    '<!-- "x" <c> -->',
  ],
)
/** What is no XML, or only a parser knows. */
const odd = fc.constantFrom(
  '&',
  '&nbsp;',
  '&#0;',
  '<?pi a?>',
  ']]>',
  '<!-- -- -->',
  '\u0001',
  '<',
  '</b>',
)
const text = fc
  .array(fc.oneof({ weight: 60, arbitrary: pieces }, { weight: 1, arbitrary: odd }), {
    maxLength: 4,
  })
  .map((all) => all.join(''))
const name = fc.constantFrom('a', 'b', 'order', 'x:y', '_z.1-2', '__proto__', 'Ö')
const attribute = fc
  .tuple(
    fc.constantFrom('id', 'b', 'xsi:nil', '__proto__'),
    fc.constantFrom('"', "'"),
    fc.constantFrom('1', 'true', ' &lt;\t', '>', '', '\n'),
    fc.constantFrom(' ', '\n', '\r\n', ' \r'),
  )
  .map(([key, quote, value, space]) => `${space}${key} = ${quote}${value}${quote}`)
const attributes = fc.oneof(
  fc.constant(''),
  fc.array(attribute, { maxLength: 2 }).map((all) => all.join('')),
)
const { element } = fc.letrec<{ element: string }>((tie) => ({
  element: fc.oneof(
    { maxDepth: 3 },
    fc.tuple(name, attributes).map(([n, a]) => `<${n}${a}/>`),
    fc
      .tuple(name, attributes, fc.array(fc.oneof(text, tie('element')), { maxLength: 4 }))
      .map(([n, a, inside]) => `<${n}${a}>${inside.join('')}</${n} >`),
  ),
}))

it('reads plain rows as the parser does, in pieces of any length', () => {
  const settings = fc.constantFrom<[string | undefined, string[]]>(
    [undefined, []],
    [undefined, ['a']],
    ['order', []],
    ['order', ['b', 'x:y']],
  )
  const between = fc.constantFrom('', '\n  ', '<!-- <order> -->', ' &amp; ', '<?p <order> ?>')
  const leaf = fc
    .tuple(text, text, text)
    .map(
      ([a, b, c]) => `<order id="${a.replace(/["<\r\n]/g, '')}"><a>${b}</a>\n<b>${c}</b></order>`,
    )
  const rows = fc.array(fc.tuple(fc.oneof(element, leaf), between), { maxLength: 6 })
  fc.assert(
    fc.property(
      rows,
      settings,
      fc.integer({ min: 1, max: 60 }),
      attributes,
      (all, [named, lists], size, a) => {
        const root = `<?xml version="1.0"?>\n<root${a}>`
        const rest = `${all.map((parts) => parts.join('')).join('')}</root>`
        const plain = read(`${root}${rest}`, size, named, lists)
        // An instruction within a row hands all that follows to the parser.
        const first = '<order><?by parser?></order>'
        const parsed = read(`${root}${first}${rest}`, 1_000_000, named, lists)
        if (parsed.error === undefined) {
          expect(plain).toEqual({ found: parsed.found.slice(1) })
        } else {
          // Which of two mistakes is seen first may differ.
          expect(plain.error).toBeDefined()
        }
      },
    ),
    { seed, numRuns: amount(400, 3000) },
  )
})

it('keeps what is around rows as it is, in pieces of any length', () => {
  const text = '<all>\n<about>]]\t></about>\n<row>1</row>\n</all>'
  for (let size = 1; size < text.length; size++)
    expect(read(text, size, 'row')).toEqual({ found: [[3, '{"#text":"1"}']] })
})

it('tells the line of a row behind rows that the parser never saw', () => {
  const rows = Array.from({ length: 50 }, (_, i) => `<r>\n<n>${i}</n>\r\n</r>`).join('\n')
  const { found } = read(`<all>\n${rows}\n<r><?odd?>x</r>\n<r>y</r></all>`, 37)
  expect(found.map(([line]) => line).slice(-3)).toEqual([2 + 49 * 3, 2 + 50 * 3, 3 + 50 * 3])
})

it('tells the line that a row begins on, whoever reads it', () => {
  const rows = '\n<r\n id="1"\n x="2">a</r><r\r\n>b</r>\n<r id="1\n2"/><r>c</r>'
  for (const [first, size] of [
    ['', 1000],
    ['', 1],
    ['<r><?odd?></r>', 1000],
    ['<r><?odd?></r>', 1],
  ] as const) {
    const { found } = read(`<all>${first}${rows}</all>`, size)
    expect(found.map(([line]) => line).slice(-4)).toEqual([2, 4, 6, 7])
  }
})

it('leaves a row that is very long to the parser', () => {
  const long = `<r><n>${'x'.repeat(5 * 2 ** 20)}</n></r>`
  const { found } = read(`<all>${long}<r><n>1</n></r></all>`, 2 ** 20)
  expect(found.map(([, json]) => json?.length)).toEqual([5 * 2 ** 20 + 8, 9])
})

const rowOf = (inside: string, lists: readonly string[] = []) => {
  const { found } = read(`<all><row>${inside}</row></all>`, 1000, 'row', lists)
  return JSON.parse(found[0]?.[1] ?? 'null')
}

it('puts a value where its place in the document says, whatever else its element has', () => {
  const part = fc.record({
    id: fc.option(fc.constantFrom('1', '', ' x '), { nil: undefined }),
    text: fc.constantFrom('', '2.50', ' a '),
    inside: fc.option(fc.constantFrom('b', ''), { nil: undefined }),
  })
  fc.assert(
    fc.property(part, fc.integer({ min: 0, max: 3 }), ({ id, text, inside }, depth) => {
      const own = id === undefined ? '' : ` id="${id}"`
      const element = `<price${own}>${text}${inside === undefined ? '' : `<b>${inside}</b>`}</price>`
      const nested = '<o k="v">'.repeat(depth) + element + '</o>'.repeat(depth)
      let row = rowOf(nested)
      for (let at = 0; at < depth; at++) {
        expect(row['o@k']).toBe('v')
        row = row.o
      }
      expect(row['price@id']).toBe(id)
      if (inside === undefined) expect(row.price).toBe(text)
      else
        expect(row.price).toEqual({
          b: inside,
          ...(text === '' ? {} : { '#text': text.trim() }),
        })
    }),
    { seed },
  )
})

it.each([
  ['texts', '<t>a</t><t>b</t>', { t: ['a', 'b'] }],
  [
    'texts of which some have attributes',
    '<t>a</t><t lang="en">b</t><t/>',
    { t: ['a', 'b', ''], 't@lang': [null, 'en', null] },
  ],
  [
    'attributes alone',
    '<c currency="USD" rate="1.08"/><c currency="JPY"/><c/>',
    { c: [{ '@currency': 'USD', '@rate': '1.08' }, { '@currency': 'JPY' }, {}] },
  ],
  [
    'elements',
    '<i sku="a"><n>1</n><n u="kg">2</n></i><i>x</i>',
    { i: [{ '@sku': 'a', n: ['1', '2'], 'n@u': [null, 'kg'] }, { '#text': 'x' }] },
  ],
  [
    'values that are nil',
    '<p xsi:nil="true" unit="kg"/><p unit="g">1</p>',
    { p: [null, '1'], 'p@unit': ['kg', 'g'] },
  ],
])('has lists of one shape: %s', (_, inside, row) => {
  expect(rowOf(inside)).toEqual(row)
  expect(rowOf(`<?parser?>${inside}`)).toEqual(row)
})

it('has a list of one as it has one of several', () => {
  expect(rowOf('<i sku="a"/>', ['i'])).toEqual({ i: [{ '@sku': 'a' }] })
  expect(rowOf('<i sku="a">x</i>', ['i'])).toEqual({ i: ['x'], 'i@sku': ['a'] })
  expect(rowOf('<i>x</i>', ['i'])).toEqual({ i: ['x'] })
})
