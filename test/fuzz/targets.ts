import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { deflateRawSync, gzipSync, inflateRawSync } from 'node:zlib'
import { AvroEncoder, readAvro } from '../../src/engine/duckdb/files/avro.js'
import { MoraineError } from '../../src/errors.js'
import { decodeContainer } from '../../src/iceberg/spec/avro.js'
import { BadBody, rowsIn } from '../../src/serve/body.js'
import { avroRecords } from '../../src/source/formats/avro.js'
import { excelSheet, withSheet } from '../../src/source/formats/excel/rows.js'
import {
  BrokenDocument,
  exactNumbers,
  JsonSplitter,
} from '../../src/source/formats/json-records.js'
import { XmlReader } from '../../src/source/formats/xml/reader.js'
import { RecordReader } from '../../src/source/text/records.js'
import { entriesOf } from '../../src/source/unpack/archive.js'
import { withUnpacked } from '../../src/source/unpack/unpack.js'
import { container, hostileAvro, long, text } from '../support/hostile-avro.js'
import { repository } from '../support/project.js'
import { zip } from '../support/zip.js'
import { others } from './other-targets.js'
import {
  asFile,
  closeAll,
  drain,
  isPlain,
  openSession,
  scratchOf,
  type Target,
  target,
} from './target.js'

const order = {
  type: 'record',
  name: 'order',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'tags', type: { type: 'array', items: 'string' } },
    { name: 'of', type: { type: 'map', values: ['null', 'double'] } },
    { name: 'price', type: { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 } },
    { name: 'day', type: { type: 'int', logicalType: 'date' } },
  ],
}

const orders = () => {
  const one = Buffer.concat([
    long(7),
    long(2),
    text('a'),
    text('ö'),
    long(0),
    long(1),
    text('k'),
    long(0),
    long(0),
    text('12'),
    long(20_000),
  ])
  const body = Buffer.concat([one, one, one])
  return [
    container(order, { records: 3, body }),
    container(order, { records: 3, body: deflateRawSync(body) }, 'deflate'),
    ...Object.values(hostileAvro).map(({ bytes }) => bytes),
  ]
}

const ownAvro = (codec: 'snappy' | 'deflate') => {
  const columns = [
    { name: 'a', long: false },
    { name: 'b', long: true },
  ]
  const encoder = new AvroEncoder(columns, codec, Buffer.alloc(16, 1))
  const values = [
    [Buffer.from('one'), null, Buffer.from('drei')],
    [1n, 2n ** 60n, null],
  ]
  return Buffer.concat([encoder.header('x'), ...encoder.add(values, 3), ...encoder.end()])
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const unpack = (name: string) => (bytes: Buffer) =>
  asFile(bytes, name, (file) =>
    withUnpacked(file, {} as never, new AbortController().signal, async () => undefined),
  )

/**
 * A text read at once, and in pieces that end anywhere, has the same rows; otherwise one was lost,
 * or made up.
 */
function sameInPieces(bytes: Buffer, rowsOf: (pieces: readonly Buffer[]) => unknown[]): void {
  const attempt = (pieces: readonly Buffer[]) => {
    try {
      return JSON.stringify(rowsOf(pieces))
    } catch (error) {
      if (error instanceof BrokenDocument) return 'broken'
      throw error
    }
  }
  // Even, so that it also cuts UTF-16.
  const third = 2 * Math.ceil(bytes.length / 6)
  const pieces = [0, 1, 2].map((i) => bytes.subarray(i * third, (i + 1) * third))
  const [whole, parts] = [attempt([bytes]), attempt(pieces)]
  if (whole !== parts) throw new Error(`In pieces it has other rows: ${whole} and ${parts}`)
}

const csv = 'id,name,note\n1,"a ""b""","x\ny"\n2,ö,\r\n3,,"z"\n'
const json = '{"data":{"items":[{"id":1,"t":"a\\"b","n":1e-5},{"id":[1,{"x":null}]}]}}\n'
const xml =
  '<?xml version="1.0"?><rows><row id="1"><a>x &amp; y</a><a/></row><!-- c --><row/></rows>'
const sheet = `<worksheet><dimension ref="A1:C3"/><sheetData>
<row r="1"><c r="A1" t="inlineStr"><is><t>id</t></is></c><c r="B1" t="s"><v>0</v></c><c t="str"><f>A1</f><v>day</v></c></row>
<row r="2"><c r="A2"><v>1.5E3</v></c><c r="B2" t="b"><v>1</v></c><c r="C2" s="1"><v>45000.25</v></c></row>
<row><c t="e"><v>#N/A</v></c><c t="d"><v>2026-01-01</v></c></row></sheetData><mergeCells count="1"><mergeCell ref="A2:A3"/></mergeCells></worksheet>`

/** A workbook with a sheet of any bytes, which its checksums do not keep from being read. */
function workbook(bytes: Buffer): Buffer {
  const relation = (id: string, kind: string, to: string) =>
    `<Relationship Id="${id}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/${kind}" Target="${to}"/>`
  return zip({
    '[Content_Types].xml': '<Types/>',
    '_rels/.rels': `<Relationships>${relation('a', 'officeDocument', 'xl/workbook.xml')}</Relationships>`,
    'xl/workbook.xml':
      '<workbook xmlns:r="r"><sheets><sheet name="S" sheetId="1" r:id="b"/></sheets></workbook>',
    'xl/_rels/workbook.xml.rels': `<Relationships>${relation('b', 'worksheet', 'worksheets/sheet1.xml')}${relation('c', 'sharedStrings', 'sharedStrings.xml')}${relation('d', 'styles', 'styles.xml')}</Relationships>`,
    'xl/worksheets/sheet1.xml': bytes,
    'xl/sharedStrings.xml': '<sst><si><t>name</t></si></sst>',
    'xl/styles.xml':
      '<styleSheet><cellXfs><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs></styleSheet>',
  })
}

const options = { delimiter: ',', quote: '"', nulls: [''], header: true } as never

let count = 0

/** A file as the engine writes it. */
async function made(copy: string, how: string): Promise<Uint8Array[]> {
  const session = await openSession()
  const path = join(await scratchOf(), `seed-${count++}`)
  await session.run(`${copy} '${path}' ${how}`)
  session.close()
  return [await readFile(path)]
}

async function parquet(): Promise<Uint8Array[]> {
  const select = "SELECT i AS id, md5(CAST(i AS VARCHAR)) AS t, [i, NULL] AS l, {'a': i} AS s"
  const copy = `COPY (${select} FROM range(300) r(i)) TO`
  const files = ['zstd', 'snappy'].map((name) =>
    made(copy, `(FORMAT parquet, COMPRESSION ${name})`),
  )
  return (await Promise.all(files)).flat()
}

const readParquet = (bytes: Buffer) =>
  asFile(bytes, 'x.parquet', async ({ path }) => {
    const session = await openSession()
    try {
      await session.rows(`SELECT bit_xor(hash(t)) FROM ${session.files.parquet(path)} t`)
    } finally {
      session.close()
    }
  })

/** The engine says what is wrong, and goes on: an error of its own would end it. */
const isEngines = (error: unknown) =>
  error instanceof MoraineError && !/internal|invalidated|fatal/i.test(error.message)

const files: Record<string, Target> = {
  avro: target(orders, (bytes) =>
    asFile(bytes, 'x.avro', (file) => drain(avroRecords(file, undefined))),
  ),
  manifest: target(
    orders,
    (bytes) => decodeContainer(bytes, (packed) => inflateRawSync(packed)),
    isPlain,
  ),
  'bronze-avro': target(
    () => [ownAvro('snappy'), ownAvro('deflate')],
    (bytes) => [...readAvro(bytes).blocks],
    isPlain,
  ),
  json: target(
    () => [Buffer.from(json), Buffer.from(`[${json},${json}]`)],
    (bytes) => {
      sameInPieces(bytes, (pieces) => {
        const splitter = new JsonSplitter(['data', 'items'])
        const rows = pieces.flatMap((piece) => splitter.push(piece, false))
        return [...rows, ...splitter.push(Buffer.alloc(0), true)]
      })
      const splitter = new JsonSplitter([])
      for (const row of splitter.push(bytes, true)) exactNumbers(row.json ?? '')
    },
    (error) => error instanceof BrokenDocument,
  ),
  xml: target(
    () => [Buffer.from(xml)],
    (bytes) => {
      const text = bytes.toString()
      sameInPieces(Buffer.from(text, 'utf16le'), (pieces) => {
        const reader = new XmlReader('row', [])
        const rows = pieces.flatMap((piece) => reader.push(piece.toString('utf16le'), false))
        return [...rows, ...reader.push('', true)]
      })
    },
    (error) => error instanceof BrokenDocument,
  ),
  csv: target(
    () => [Buffer.from(csv)],
    (bytes) => {
      const facts = { carriageReturns: bytes.includes(13), clean: false, controls: true }
      sameInPieces(bytes, (pieces) => {
        const reader = new RecordReader(options, { ...facts, firstLine: 1 }, true)
        const rows = pieces.flatMap((piece) => reader.push(piece, false))
        return [...rows, ...reader.push(Buffer.alloc(0), true)].map((row) => [row, row.raw()])
      })
    },
    () => false,
  ),
  body: target(
    () => [Buffer.from(json), Buffer.from(`[${json}]`)],
    (bytes) => {
      const rows = rowsIn(bytes).map((row) => JSON.parse(row))
      const all = parsed(bytes.toString())
      // What JavaScript reads as a list of objects has just these rows.
      if (Array.isArray(all) && JSON.stringify(all) !== JSON.stringify(rows))
        throw new Error('Rows were lost')
    },
    (error) => error instanceof BadBody,
  ),
  gzip: target(() => [gzipSync(csv.repeat(20))], unpack('x.csv.gz')),
  zstd: target(
    () => made(`COPY (SELECT i FROM range(500) r(i)) TO`, '(FORMAT csv, COMPRESSION zstd)'),
    unpack('x.csv.zst'),
  ),
  zip: target(
    () => [zip({ 'a.csv': csv, 'b/c.json': json })],
    (bytes) =>
      asFile(bytes, 'x.zip', async (file) => {
        const { signal } = new AbortController()
        for (const entry of await entriesOf(file))
          await withUnpacked(entry, {} as never, signal, async () => undefined)
      }),
  ),
  excel: target(
    () =>
      Promise.all(
        ['openpyxl', 'pandas', 'libreoffice'].map((name) =>
          readFile(join(repository, `test/golden/excel/${name}.xlsx`)),
        ),
      ),
    (bytes) =>
      asFile(bytes, 'x.xlsx', (file) =>
        withSheet(file, { layout: excelSheet(), columns: undefined, nulls: [''] }, ({ rows }) =>
          drain(rows),
        ),
      ),
  ),
  sheet: target(
    () => [Buffer.from(sheet)],
    (bytes) =>
      asFile(workbook(bytes), 'x.xlsx', (file) =>
        withSheet(file, { layout: excelSheet(), columns: undefined, nulls: [''] }, ({ rows }) =>
          drain(rows),
        ),
      ),
  ),
  parquet: target(parquet, readParquet, isEngines),
}

/** Every target, by its name. */
export const all: Record<string, Target> = { ...files, ...others }

const kept = join(repository, 'test/fuzz/seeds')

/** Seeds of a target with the inputs that broke it once. */
export async function seedsOf(name: string): Promise<Buffer[]> {
  const folder = join(kept, name)
  const files = await readdir(folder).catch(() => [])
  const broke = await Promise.all(files.map((file) => readFile(join(folder, file))))
  return [...(await (all[name] as Target).seeds()), ...broke].map((bytes) => Buffer.from(bytes))
}

export { closeAll, type Target }
