import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateRawSync, gzipSync, inflateRawSync } from 'node:zlib'
import { AvroEncoder, readAvro } from '../../src/engine/duckdb/avro.js'
import { DuckDB } from '../../src/engine/duckdb/duckdb.js'
import { MoraineError } from '../../src/errors.js'
import { decodeContainer } from '../../src/iceberg/spec/avro.js'
import { BadBody, rowsIn } from '../../src/serve/body.js'
import { entriesOf } from '../../src/source/archive.js'
import type { SourceFile } from '../../src/source/discover.js'
import { avroRecords } from '../../src/source/formats/avro.js'
import { excelSheet, withSheet } from '../../src/source/formats/excel/rows.js'
import {
  BrokenDocument,
  exactNumbers,
  JsonSplitter,
} from '../../src/source/formats/json-records.js'
import { XmlReader } from '../../src/source/formats/xml.js'
import { RecordReader } from '../../src/source/records.js'
import { withUnpacked } from '../../src/source/unpack.js'
import { container, hostileAvro, long, text } from '../support/hostile-avro.js'
import { repository } from '../support/project.js'
import { zip } from '../support/zip.js'

/** A decoder of bytes from outside. */
export interface Target {
  /** Files as honest programs write them, and those that broke it once. */
  seeds(): Promise<Uint8Array[]>
  /** Reads bytes, and throws what is said of bytes that can't be read. */
  read(bytes: Buffer): Promise<unknown> | unknown
  /** Whether an error is one that makes a discarded file or a refused request of them. */
  isRefusal(error: unknown): boolean
}

const isFault = (error: unknown) =>
  error instanceof MoraineError && error.kind === 'source' && !error.retryable

/** Bytes of the lake itself: whoever reads them makes an error of it, which no stack or heap that is used up may be. */
const isPlain = (error: unknown) =>
  error instanceof Error && !/call stack|heap/i.test(error.message)

let scratch: Promise<string> | undefined
let count = 0

/** Uses bytes as a file. */
async function asFile<T>(bytes: Buffer, name: string, use: (file: SourceFile) => Promise<T>) {
  scratch ??= mkdtemp(join(tmpdir(), 'moraine-fuzz-'))
  const path = join(await scratch, `${count++}-${name}`)
  await writeFile(path, bytes)
  try {
    return await use({ path, name, size: bytes.length, modified: 0 })
  } finally {
    await rm(path, { force: true })
  }
}

async function all(rows: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of rows);
}

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

const csv = 'id,name,note\n1,"a ""b""","x\ny"\n2,ö,\r\n3,,"z"\n'
const json = '{"data":{"items":[{"id":1,"t":"a\\"b","n":1e-5},{"id":[1,{"x":null}]}]}}\n'
const xml =
  '<?xml version="1.0"?><rows><row id="1"><a>x &amp; y</a><a/></row><!-- c --><row/></rows>'
const options = { delimiter: ',', quote: '"', nulls: [''], header: true } as never

const target = (
  seeds: () => Uint8Array[] | Promise<Uint8Array[]>,
  read: Target['read'],
  isRefusal: Target['isRefusal'] = isFault,
): Target => ({ seeds: async () => seeds(), read, isRefusal })

const unpack = (name: string) => (bytes: Buffer) =>
  asFile(bytes, name, (file) =>
    withUnpacked(file, {} as never, new AbortController().signal, async () => undefined),
  )

let engine: Promise<DuckDB> | undefined

/** A file as the engine writes it. */
async function made(copy: string, how: string): Promise<Uint8Array[]> {
  engine ??= DuckDB.start({ threads: 1 })
  const session = await (await engine).open()
  scratch ??= mkdtemp(join(tmpdir(), 'moraine-fuzz-'))
  const path = join(await scratch, `seed-${count++}`)
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
    engine ??= DuckDB.start({ threads: 1 })
    const session = await (await engine).open()
    try {
      await session.rows(`SELECT bit_xor(hash(t)) FROM ${session.parquet(path)} t`)
    } finally {
      session.close()
    }
  })

/** The engine says what is wrong, and goes on: an error of its own would end it. */
const isEngines = (error: unknown) =>
  error instanceof MoraineError && !/internal|invalidated|fatal/i.test(error.message)

export const targets: Record<string, Target> = {
  avro: target(orders, (bytes) =>
    asFile(bytes, 'x.avro', (file) => all(avroRecords(file, undefined))),
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
      const splitter = new JsonSplitter(['data', 'items'])
      const half = bytes.length >> 1
      const rows = splitter.push(bytes.subarray(0, half), false)
      for (const row of [...rows, ...splitter.push(bytes.subarray(half), true)])
        exactNumbers(row.json ?? '')
    },
    (error) => error instanceof BrokenDocument,
  ),
  xml: target(
    () => [Buffer.from(xml)],
    (bytes) => new XmlReader('row', []).push(bytes.toString(), true),
    (error) => error instanceof BrokenDocument,
  ),
  csv: target(
    () => [Buffer.from(csv)],
    (bytes) => {
      const facts = { carriageReturns: bytes.includes(13), clean: false, controls: true }
      const reader = new RecordReader(options, { ...facts, firstLine: 1 }, true)
      const half = bytes.length >> 1
      const found = reader.push(bytes.subarray(0, half), false)
      for (const one of [...found, ...reader.push(bytes.subarray(half), true)]) one.raw()
    },
    () => false,
  ),
  body: target(
    () => [Buffer.from(json), Buffer.from(`[${json}]`)],
    (bytes) => rowsIn(bytes),
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
          all(rows),
        ),
      ),
  ),
  parquet: target(parquet, readParquet, isEngines),
}

const kept = join(repository, 'test/fuzz/seeds')

/** Seeds of a target with the inputs that broke it once. */
export async function seedsOf(name: string): Promise<Buffer[]> {
  const folder = join(kept, name)
  const files = await readdir(folder).catch(() => [])
  const broke = await Promise.all(files.map((file) => readFile(join(folder, file))))
  return [...(await (targets[name] as Target).seeds()), ...broke].map((bytes) => Buffer.from(bytes))
}

/** Closes what targets share. */
export async function closeAll(): Promise<void> {
  if (engine) await (await engine).close()
  if (scratch) await rm(await scratch, { recursive: true, force: true })
  engine = undefined
  scratch = undefined
}
