import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { amount } from '../../../../test/support/effort.js'
import { seed } from '../../../../test/support/seed.js'
import type { FilesSource } from '../../../define/source.js'
import { decode } from '../../decoder/client.js'
import { inspect } from '../../files/inspect.js'
import { SEPARATOR } from '../../text/canonical.js'
import { unpackInto } from '../../unpack/unpack.js'
import { recordsOf } from '../document.js'
import { recordText } from '../write-records.js'
import { inThreads, type Reading, writeInPieces } from './in-pieces.js'
import { readPiece } from './piece.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'moraine-pieces-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

interface Case {
  bytes: Buffer
  rows: string | undefined
  lists?: readonly string[]
}

/** The rows of a document that one reads, or why there are none, and those of its pieces. */
async function read({ bytes, rows, lists = [] }: Case, reading: Reading) {
  const path = join(folder, 'document.xml')
  const to = join(folder, 'rows')
  await writeFile(path, bytes)
  const layout = { kind: 'xml', rows, lists } as const
  const about = { path, name: 'document.xml', size: bytes.length, modified: 0 }
  const unpacked = await unpackInto(about, { layout, encoding: undefined }, folder).catch(
    () => undefined,
  )
  if (unpacked === undefined) return {}
  const file = { ...about, unpacked }
  const inspection = await inspect(unpacked, file.name, { quote: null })
  if (!inspection.utf8 || inspection.nul) return {}
  const one = async () => {
    const found: string[] = []
    for await (const some of recordsOf(file, { layout } as FilesSource, inspection, {}))
      found.push(...some.map((record) => recordText(record)))
    return found
  }
  const whole = await one().catch((error: Error) => error.message)
  const { bytes: size, bom } = inspection
  const text = { path: unpacked, size, start: bom ? 3 : 0 }
  const written = await writeInPieces(text, layout, to, reading)
  if (!written) return { whole }
  const lines = (await readFile(to, 'utf8')).match(/.*\n/g) ?? []
  const pieces = lines.map((line) => {
    const end = line.indexOf(SEPARATOR)
    return `${Number(line.slice(0, end))}${line.slice(end)}`
  })
  return { whole, pieces, written }
}

const inPlace = (piece: number, atOnce = 3): Reading => ({
  piece,
  longest: 4000,
  atOnce,
  read: async (one) => readPiece(one, () => false),
})

const some = (...all: string[]) => fc.constantFrom(...all)
const rowsLike = some(
  ...['<order>', '<order id="9">', '</order>', '<order/>', '<order', '<orders>', '<o:order>'],
)
const hidden = fc.array(fc.oneof(rowsLike, some('\n', ' ', '>', "'")), { maxLength: 4 })
/** What seems to be rows, and is none. */
const aside = fc.oneof(
  hidden.map((all) => `<!--${all.join('')}-->`),
  hidden.map((all) => `<?p ${all.join('')}?>`),
)
const cdata = hidden.map((all) => `<![CDATA[${all.join('')}]]>`)
const characters = some(
  ...['a', ' ', '\n', '\r\n', '\r', '\t', 'é', '😀', '€', '&lt;order&gt;', '&#10;', '&#x1F600;'],
  ...['"', '>', ']]', 'x'.repeat(300)],
)
/** What ends a document, or makes another of it. */
const broken = some('&', '&nbsp;', ']]>', '<', '</b>', '<!DOCTYPE a>', '\u0001', '<order', '<!--')
const value = some('1', '>', '/>', '&lt;order>', '\n', 'é', '')
const attributes = fc
  .array(
    fc
      .tuple(some(' ', '\n', '\r\n  '), some('id', 'xsi:nil', 'n'), value)
      .map(([space, key, text]) => `${space}${key}="${text}"`),
    { maxLength: 1 },
  )
  .map((all) => all.join(''))
const { inside } = fc.letrec<{ inside: string; element: string }>((tie) => ({
  inside: fc
    .array(
      fc.oneof(
        { weight: 5, arbitrary: characters },
        { weight: 2, arbitrary: fc.oneof(aside, cdata) },
        { weight: 3, arbitrary: tie('element') },
      ),
      { maxLength: 4 },
    )
    .map((all) => all.join('')),
  element: fc.oneof(
    { maxDepth: 2 },
    fc.tuple(some('a', 'b', 'Ö', 'orders'), attributes).map(([n, a]) => `<${n}${a}/>`),
    fc
      .tuple(some('a', 'b', 'a', 'b', 'Ö', 'order'), attributes, tie('inside'))
      .map(([n, a, all]) => `<${n}${a}>${all}</${n}>`),
  ),
}))
const row = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(attributes, inside).map(([a, i]) => `<order${a}>${i}</order>`) },
  { weight: 1, arbitrary: attributes.map((a) => `<order${a} />`) },
)
/** Stands for the end of the rows' own element, and the start of another. */
const GROUP = '<group/>'
/** What stands between rows, some of it within other elements. */
const between = fc.oneof(
  { weight: 8, arbitrary: some('', '', '\n', '\r\n', '\r', '\n  ') },
  { weight: 2, arbitrary: fc.oneof(aside, cdata) },
  { weight: 1, arbitrary: some(' x ', GROUP, GROUP) },
  { weight: 1, arbitrary: some('<deep><order/></deep>', '<deep><order>1</order>\n</deep>') },
)
const body = fc
  .array(fc.tuple(row, between), { minLength: 3, maxLength: 14 })
  .map((all) => all.flat().join(''))
const seldom = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary })
const encoded: Record<string, (text: string) => Buffer> = {
  'utf-8': (text) => Buffer.from(text),
  'utf-8, with a mark': (text) => Buffer.from(`\uFEFF${text}`),
  'utf-8, with two': (text) => Buffer.from(`\uFEFF\uFEFF${text}`),
  'utf-16': (text) => Buffer.from(`\uFEFF${text}`, 'utf16le'),
  'utf-16, the other way': (text) => Buffer.from(`\uFEFF${text}`, 'utf16le').swap16(),
  latin1: (text) =>
    Buffer.from(
      `<?xml version="1.0" encoding="iso-8859-1"?>${text.replace(/^<\?xml.*?\?>/, '')}`,
      'latin1',
    ),
}
const document: fc.Arbitrary<Case> = fc
  .record({
    start: some('', '', '<?xml version="1.0"?>\n', '<?xml version="1.1"?>', '<?style x?>', '\r\n'),
    prolog: fc.oneof({ weight: 3, arbitrary: fc.constant('') }, aside),
    body,
    rows: fc.constantFrom('order', 'order', undefined),
    lists: fc.constantFrom([], ['a']),
    encoding: fc.oneof(
      { weight: 3, arbitrary: fc.constant('utf-8') },
      { weight: 2, arbitrary: fc.constantFrom(...Object.keys(encoded)) },
    ),
    breaks: seldom(fc.tuple(broken, fc.integer({ min: 0, max: 99 }))),
    cut: seldom(fc.integer({ min: 1, max: 99 })),
  })
  .map(({ start, prolog, body, rows, lists, encoding, breaks, cut }) => {
    const [open, close] = rows ? ['<all><batch>', '</batch></all>'] : ['<all a=">">', '</all>']
    const groups = rows ? body.replaceAll(GROUP, '</batch>\n<other/><batch n="2">') : body
    let text = `${start}${prolog}${open}${groups}${close}\n`
    const at = Math.floor((text.length * (breaks?.[1] ?? 0)) / 100)
    if (breaks) text = text.slice(0, at) + breaks[0] + text.slice(at)
    const bytes = (encoded[encoding] as (text: string) => Buffer)(text)
    return { bytes: bytes.subarray(0, (bytes.length * (100 - (cut ?? 0))) / 100), rows, lists }
  })

it('pieces have the rows and lines of the whole, wherever they are cut, and none of what is broken', async () => {
  let readable = 0
  let inPieces = 0
  await fc.assert(
    fc.asyncProperty(
      document,
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 4 }),
      async (given, piece, atOnce) => {
        const { whole, pieces, written } = await read(given, inPlace(piece, atOnce))
        if (Array.isArray(whole)) readable++
        if (!written) return
        inPieces++
        expect(pieces).toEqual(whole)
        expect(written.records).toBe(pieces?.length)
        const longest = Math.max(0, ...(pieces ?? []).map((line) => Buffer.byteLength(line)))
        expect(written.longest).toBeGreaterThanOrEqual(longest)
      },
    ),
    { seed, numRuns: amount(400, 6000) },
  )
  // Where it gives up always, it proves nothing.
  expect(inPieces).toBeGreaterThan(readable / 5)
})

const head = '<all>\n<batch>'
const rowsOf = (count: number, make: (i: number) => string) =>
  Buffer.from(`${head}${Array.from({ length: count }, (_, i) => make(i)).join('')}</batch></all>`)

it.each<[string, boolean, (i: number) => string]>([
  ['rows that touch each other', true, (i) => `<order id="${i}"/>`],
  ['rows of several lines', true, (i) => `<order\r\n id=">">\r\n<n>${i}</n>\r</order>\n`],
  ['names that only a parser knows', true, (i) => `<order><Ö>${i}</Ö></order>`],
  ['rows of groups', true, (i) => `<order>${i}</order>${i % 5 ? '' : '</batch>\n<batch>'}`],
  ['a comment now and then', true, (i) => `<order>${i}</order>${i % 60 ? '' : '<!--<order>-->'}`],
  ['rows within rows', false, (i) => `<order>${'<order/>'.repeat(i % 9)}${i}</order>`],
  ['rows in elements of other names', false, (i) => `<x${i}><order>${i}</order></x${i}>`],
  ['rows that are long', false, (i) => `<order>${'x'.repeat(i === 200 ? 5000 : 1)}</order>`],
])('what is cut and what is not: %s', async (_, isCut, make) => {
  const { whole, pieces } = await read({ bytes: rowsOf(300, make), rows: 'order' }, inPlace(200))
  expect(whole).toHaveLength(300)
  expect(pieces).toEqual(isCut ? whole : undefined)
})

it('a document is read to its end again by one where a piece can not be read', async () => {
  const bytes = rowsOf(300, (i) => `<order>${i}</order>`)
  const failing: Reading = {
    ...inPlace(500),
    read: async (piece) => {
      if (piece.from > 2000) throw new Error('a thread ended before its work was done')
      return readPiece(piece, () => false)
    },
  }
  expect((await read({ bytes, rows: 'order' }, failing)).pieces).toBeUndefined()
})

it.skipIf(availableParallelism() < 2)('threads read what one reads', async () => {
  const bytes = rowsOf(
    30_000,
    (i) => `<order id="${i}">\n  <n>${i} &amp; ä</n>${i % 999 ? '' : '<!-- <order> -->'}</order>\n`,
  )
  const threads = inThreads(2 ** 30) as Reading
  const { whole, pieces } = await read({ bytes, rows: 'order' }, { ...threads, piece: 2 ** 16 })
  expect(pieces).toHaveLength(30_000)
  expect(pieces).toEqual(whole)
})

it.skipIf(availableParallelism() < 2)('a decoder reads a large document by threads', async () => {
  const word = 'w'.repeat(1000)
  const bytes = rowsOf(36_000, (i) => `<order><n>${i}</n>\n<w>${word}</w></order>`)
  const [path, to] = [join(folder, 'large.xml'), join(folder, 'large')]
  await writeFile(path, bytes)
  const source = { layout: { kind: 'xml', rows: 'order', lists: [] } } as unknown as FilesSource
  const file = { path, name: 'large.xml', size: bytes.length, modified: 0 }
  const inspection = await inspect(path, file.name, { quote: null })
  const { records } = await decode('records', file, { source, inspection, to })
  expect(records).toBe(36_000)
  const lines = (await readFile(to, 'utf8')).split('\n')
  // Numbers of as many digits are those of pieces.
  expect(lines[0]?.slice(0, 20)).toBe(`00000002${SEPARATOR.repeat(3)}{"n":"0",`)
  expect(lines[35_999]?.slice(0, 24)).toBe(`00036001${SEPARATOR.repeat(3)}{"n":"35999",`)
})
