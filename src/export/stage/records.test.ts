import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { recordsOf } from './records.js'

const text = '1,"a ""quoted"", text",,\n2,"",0.5,"two\nlines"\n,"ö😀",nan,"""\n'.replace(
  '"""',
  '""""',
)
const records = [
  ['1', 'a "quoted", text', null, null],
  ['2', '', '0.5', 'two\nlines'],
  [null, 'ö😀', 'nan', '"'],
]

async function read(pieces: readonly Buffer[]) {
  const found: (string | null)[][] = []
  for await (const some of recordsOf(Readable.from(pieces, { objectMode: false })))
    found.push(...some)
  return found
}

it('gives NULL apart from an empty text, wherever the pieces are cut', async () => {
  const bytes = Buffer.from(text)
  for (let at = 0; at <= bytes.length; at++)
    expect(await read([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(records)
})

it('has a record of one NULL for an empty line', async () => {
  expect(await read([Buffer.from('\n"a"\n')])).toEqual([[null], ['a']])
})
