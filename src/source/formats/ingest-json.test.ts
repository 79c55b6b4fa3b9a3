import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { isLosslessNumber, parse } from 'lossless-json'
import { expect, it } from 'vitest'
import { amount } from '../../../test/support/effort.js'
import { engineSession } from '../../../test/support/engine.js'
import { temporaryFolder } from '../../../test/support/project.js'
import { seed } from '../../../test/support/seed.js'
import { quoteText } from '../../define/sql/sql.js'
import type { ResultRow } from '../../engine/engine.js'
import { type FilesOptions, files } from '../declare/files.js'
import { ingestFile } from '../files/ingest-file.js'
import { inspectFile } from '../files/inspect-file.js'
import { Pack } from '../files/pack.js'
import { decodeSmall, readSmall } from '../files/small-files.js'
import { ingestRecords } from './ingest-json.js'
import { exactNumbers } from './json-records.js'

const session = engineSession()

/** Floats as Python writes them: the shortest digits, exponents with two. */
function asPython(value: number): string {
  const text = Object.is(value, -0) ? '-0.0' : String(value)
  const exponent = text.replace(/e([+-])(\d)$/, 'e$10$2')
  return /[.e]/.test(exponent) ? exponent : `${exponent}.0`
}

const digits = (least: number, most: number) =>
  fc
    .array(fc.integer({ min: 0, max: 9 }), { minLength: least, maxLength: most })
    .map((all) => `1${all.join('')}`)

/** Numbers as JSON writes them. */
const numbers = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(asPython),
  fc.double({ min: 0, max: 100, noNaN: true }).map(asPython),
  fc.integer().map(String),
  fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }).map(String),
  fc.tuple(digits(1, 30), digits(0, 20)).map(([whole, part]) => `-${whole}.${part}`),
  fc.tuple(digits(0, 30), fc.integer({ min: -30, max: 30 })).map(([n, e]) => `${n}E${e}`),
  fc.tuple(digits(0, 3), fc.integer({ min: -999, max: 999 })).map(([n, e]) => `-${n}.5e${e}`),
  fc.constantFrom('1e-400', '-2.5E+00400', '7e99999'),
)

/** Also what looks like a number that is marked. */
const strings = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 6 }),
  fc.constantFrom('1.23456789012345678', '\ufdd15', '"\ufdd15"', '\ufdd1z', '{"a":1.5}', '\\', ''),
)
const quoted = strings.map((text) => JSON.stringify(text))
const names = fc.constantFrom('a', 'b', 'c d', 'é', '"').map((text) => JSON.stringify(text))

/** Texts of JSON values, with their spaces. */
const { value: values } = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(numbers, quoted, fc.constantFrom('null', 'true', 'false')),
    fc.array(tie('value'), { maxLength: 4 }).map((all) => `[${all.join(', ')}]`),
    fc
      .uniqueArray(fc.tuple(names, tie('value')), { maxLength: 4, selector: ([name]) => name })
      .map((all) => `{${all.map((pair) => pair.join(': ')).join(', ')}}`),
  ),
}))

/** A number by its digits alone, however they are written. */
function exactly(text: string): string {
  const [, sign, whole = '', part = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d*))?(?:e([+-]?\d+))?$/i.exec(text) ?? []
  const all = (whole + part).replace(/^0+/, '')
  const short = all.replace(/0+$/, '')
  const scale = Number(exponent) - part.length + (all.length - short.length)
  return short === '' ? '0' : `${sign}${short}e${scale}`
}

/** A value with its numbers as those texts. */
function shown(value: unknown): unknown {
  if (isLosslessNumber(value)) return { number: exactly(value.toString()) }
  if (Array.isArray(value)) return value.map(shown)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.entries(value).map(([name, own]) => [name, shown(own)]))
}

/** What bronze is to keep of a value: texts of texts, JSON of what is nested. */
function expected(text: string): unknown {
  const value = parse(text)
  if (typeof value === 'boolean') return { text: String(value) }
  return typeof value === 'string' ? { text: value } : shown(value)
}

function kept(text: string | null, as: string): unknown {
  if (text === null) return null
  return /^\s*["tf]/.test(as) ? { text } : shown(parse(text))
}

it('nested values come back as they were written: types, and every digit', async () => {
  const folder = await temporaryFolder()
  const rows = fc.array(values, { minLength: 1, maxLength: 8 })
  let n = 0
  await fc.assert(
    fc.asyncProperty(rows, async (texts) => {
      const lines = texts.map((text, i) => `{"i": ${i}, "v": ${text}}`)
      for (const way of ['lines', 'document', 'packed', 'sent'] as const) {
        const found = await taken(way, lines, join(folder, `${++n}`))
        const held = found.map(({ v }, i) => kept(v as string | null, texts[i] as string))
        expect(held, way).toEqual(texts.map(expected))
      }
    }),
    { seed, numRuns: amount(8, 60), endOnFailure: true },
  )
})

it('lines that are no JSON stay none, and are discarded as they came', async () => {
  const bad = [
    '{"v": 1.2345678901234567.8}',
    '{1.2345678901234567: 2}',
    '{"v": 01.23456789012345678}',
    '{"v": [1.2345678901234567], "s": "\ufdd15" ',
    '[1.2345678901234567]',
  ]
  const folder = await temporaryFolder()
  const found = await taken('lines', ['{"v": 1}', ...bad], join(folder, 'x'))
  expect(found.slice(1).map(({ _raw }) => _raw)).toEqual(bad)
})

/** Rows that were taken in one of the ways there are. */
async function taken(
  way: 'lines' | 'document' | 'packed' | 'sent',
  lines: readonly string[],
  path: string,
): Promise<ResultRow[]> {
  const target = {
    session: session(),
    location: `${path}.parquet`,
    batch: 'b',
    requested: new Map<string, string>(),
    large: false,
  }
  const options: FilesOptions<string> =
    way === 'document' ? { format: 'json' } : { format: 'jsonl' }
  const source = files('x', options)
  await writeFile(path, way === 'document' ? `[\n${lines.join(',\n')}\n]` : lines.join('\n'))
  const { size, mtimeMs } = await stat(path)
  const file = { path, name: 'x', size, modified: Math.floor(mtimeMs) }
  if (way === 'sent') {
    const records = async function* () {
      yield lines.map((line, i) => ({ line: i + 1, ...exactNumbers(line) }))
    }
    await ingestRecords(file, source, records(), target)
  } else {
    const purpose = { requested: target.requested, valuesFrom: 1 }
    const inspection = await inspectFile(file, source, purpose)
    if (way === 'packed') {
      const pack = new Pack(source)
      const [found] = decodeSmall([
        await readSmall(file, source, inspection, new AbortController().signal),
      ])
      if (!found || 'error' in found) throw found?.error
      pack.add(found)
      await pack.keep(target, 1 << 20)
    } else await ingestFile({ file, source, inspection, target })
  }
  return session().rows(`SELECT * FROM read_parquet(${quoteText(target.location)})`)
}
