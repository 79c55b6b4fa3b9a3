import { createHash } from 'node:crypto'
import { readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import avro from 'avsc'
import { describe, expect, it } from 'vitest'
import { AvroEncoder } from '../../../src/engine/duckdb/files/avro.js'
import { engineSession } from '../../support/engine.js'
import { type Files, Project, step, temporaryFolder } from '../../support/project.js'
import { zip } from '../../support/zip.js'

/** A lake with one bronze dataset over files in `in`. */
const lake = (source: string, bronze = '') => `
import { bronze, defineLake } from 'moraine'
import { files, logs } from 'moraine/sources'
export default defineLake({ name: 'formats', datasets: [bronze('rows', { from: ${source}, ${bronze} })] })
`

async function taken(source: string, content: Files, bronze = '') {
  const project = await Project.create({ 'lake.ts': lake(source, bronze), ...content })
  const record = await project.run()
  return { project, record, error: step(record, 'bronze.rows').error }
}

/**
 * The rows, without what says where they came from; lines that were discarded by line, reason and
 * text.
 */
async function rowsOf(source: string, content: Files) {
  const { project, error } = await taken(source, content)
  if (error) throw new Error(error.message)
  const all = await project.query('SELECT * FROM bronze.rows ORDER BY _source_file, _source_line')
  const good = all.filter(({ _error }) => _error === null)
  return {
    rows: good.map(({ _batch, _source_file, _source_line, _error, _raw, ...row }) => row),
    lines: good.map(({ _source_line }) => Number(_source_line)),
    broken: all
      .filter(({ _error }) => _error !== null)
      .map(({ _source_line, _error, _raw }) => [Number(_source_line), _error, _raw]),
    columns: Object.keys(all[0] ?? {}).filter((name) => !name.startsWith('_')),
  }
}

describe('JSON lines', () => {
  it('become rows with a column for each name, whichever lines have it', async () => {
    const text = [
      '{"id": 1, "name": "Ada", "tags": ["a", {"b": null}], "amount": 12.5}',
      '{"id": 2, "late": true, "name": null, "Amount": 1e3}',
      '{"_id": "m", "": "no name", "text": "a\\nb \\u00e9 \\"q\\""}',
    ].join('\n')
    const { rows, columns, lines } = await rowsOf("files('in/*.jsonl')", { 'in/a.jsonl': text })
    expect(columns).toEqual(['id', 'name', 'tags', 'amount', 'x', 'x_id', 'late', 'text'])
    expect(lines).toEqual([1, 2, 3])
    expect(rows).toMatchObject([
      { id: '1', name: 'Ada', tags: '["a",{"b":null}]', amount: '12.5', late: null },
      { id: '2', name: null, amount: '1000.0', late: 'true' },
      { id: null, x_id: 'm', x: 'no name', text: 'a\nb é "q"' },
    ])
  })

  it('of large files are the same rows, also where names and mistakes come late', async () => {
    const alike = Array.from({ length: 3000 }, (_, i) => `{"id":${i},"name":"n${i}"}`)
    const late = ['{"id":1,"other":true}', '[1]', 'null', '{"id":2', '{}']
    for (const more of [[], late.slice(0, 1), late.slice(1, 3), late]) {
      const text = [...alike, ...more, '{"name":"last","id":7}'].join('\n')
      const sources = { 'lake.ts': lake("files('in/a.jsonl')"), 'in/a.jsonl': text }
      const [large, small] = [await Project.create(sources), await Project.create(sources)]
      await large.run({ valuesFrom: 1 })
      await small.run({ valuesFrom: 1 << 30 })
      const rows = (project: Project) =>
        project.query('SELECT * EXCLUDE (_batch) FROM bronze.rows ORDER BY _source_line')
      expect(await rows(large)).toEqual(await rows(small))
      expect(await rows(large)).toHaveLength(3001 + more.length)
    }
  })

  it('that are broken are discarded one by one', async () => {
    const lines = ['{"id":1}', 'nope', '[1]', '', '{"id":2}', '{"id":3', '"\xff"', '{"id":4}']
    const bytes = Buffer.from(lines.join('\r\n'), 'latin1')
    const { rows, broken } = await rowsOf("files('in/a.jsonl')", { 'in/a.jsonl': bytes })
    expect(rows.map(({ id }) => id)).toEqual(['1', '2', '4'])
    expect(broken).toEqual([
      [2, 'it is no JSON', 'nope'],
      [3, 'it is not a JSON object', '[1]'],
      [6, 'it is no JSON', '{"id":3'],
      [7, 'it is not valid UTF-8', '"\\xFF"'],
    ])
  })

  it('keep every digit of their numbers', async () => {
    const numbers = [
      '12345678901234567.89',
      '-0.12345678901234567890',
      '9223372036854775807',
      '18446744073709551616',
      '1.10',
      '5',
    ]
    const text = `{"n":[${numbers.join(',')}],${numbers.map((n, i) => `"n${i}": ${n}`).join(',')}}`
    const { rows } = await rowsOf("files('in/a.jsonl')", { 'in/a.jsonl': text })
    expect(numbers.map((_, i) => rows[0]?.[`n${i}`])).toEqual([...numbers.slice(0, 4), '1.1', '5'])
  })
})

describe('JSON documents', () => {
  it.each([
    ['a list', '[\n {"id": 1},\n {"id": 2,\n  "a": [[]]}, {"id":3}]', undefined, [2, 3, 4]],
    ['one after the other', '{"id":1}{"id":2}\n\n{\n"id":3}', undefined, [1, 1, 3]],
    [
      'inside of others',
      '{"page": 1, "data": {"more": [{"id":9}], "items": [{"id":1},{"id":2},\n{"id":3}]}}',
      'data.items',
      [1, 1, 2],
    ],
    [
      'in lists of lists',
      '[{"items":[{"id":1}]},{"items":[{"id":2},{"id":3}]}]',
      'items',
      [1, 1, 1],
    ],
    [
      'with names like others',
      '{"x":{"items":[{"id":9}]},"items":[{"id":1},{"id":2},{"id":3}],"s":"\\"items\\":[{}]"}',
      'items',
      [1, 1, 1],
    ],
  ])('give their rows: %s', async (_, text, rows, lines) => {
    const options = rows === undefined ? '' : `, { rows: '${rows}' }`
    const found = await rowsOf(`files('in/a.json'${options})`, { 'in/a.json': text })
    expect(found.rows.map(({ id }) => id)).toEqual(['1', '2', '3'])
    expect(found.lines).toEqual(lines)
  })

  it.each([
    ['[{"id":1},{"id"', /line 1: the document ends in the middle/],
    ['[{"id":1}]]', /there is a \] too many/],
    ['{"items": 3', /ends in the middle/],
    ['[1,{"a":'.repeat(3000), /ends in the middle|more than 1000 levels/],
    [Buffer.from('["\xff"]', 'latin1'), /not valid UTF-8/],
  ])('that are broken are refused as a whole', async (text, message) => {
    const { error } = await taken("files('in/a.json')", { 'in/a.json': text })
    expect(error?.message).toMatch(message)
  })

  it('without the rows that are looked for are refused', async () => {
    const { error } = await taken("files('in/a.json', { rows: 'data.rows' })", {
      'in/a.json': '{"data": {}}',
    })
    expect(error?.message).toBe('in/a.json has nothing at data.rows')
  })
})

describe('XML', () => {
  const text = `<?xml version="1.0" encoding="ISO-8859-1"?>
<orders>
  <order id="1" currency="CHF"><name>M\xfcller &amp; Co</name><note><![CDATA[<b>]]></note><empty/></order>
  <order id="2"><item sku="a">x</item><item sku="b"><qty>2</qty></item><nil xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"/></order>
</orders>`

  it('becomes rows: attributes, elements, nested ones as JSON', async () => {
    for (const rows of ['', ", { rows: 'order' }"]) {
      // White space around the equals sign is allowed.
      const declared = rows === '' ? text : text.replace('encoding=', 'encoding = ')
      const bytes = Buffer.from(declared, 'latin1')
      const found = await rowsOf(`files('in/a.xml'${rows})`, { 'in/a.xml': bytes })
      expect(found.lines).toEqual([3, 4])
      expect(found.rows).toMatchObject([
        { '@id': '1', '@currency': 'CHF', name: 'Müller & Co', note: '<b>', empty: '', item: null },
        { '@id': '2', name: null, item: '[{"@sku":"a","#text":"x"},{"@sku":"b","qty":"2"}]' },
      ])
    }
  })

  it('keeps the columns of an element whichever of its rows have attributes, in either order of files', async () => {
    const files = {
      'in/1.xml': '<r><o><price>1.50</price><by><name>Ada</name></by></o></r>',
      'in/2.xml':
        '<r><o><price currency="CHF">2.50</price><by id="7"/></o><o><price currency="EUR"/><by id="8"><name>Bo</name></by></o></r>',
    }
    const lake = `
import { bronze, defineLake, silver, sql, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('orders', { from: files('in/*.xml', { columns: ['price', 'price@currency', 'by', 'by@id'] }) })
const orders = silver('orders', {
  from: raw,
  select: {
    price: sql\`nullif(price, '')\`,
    currency: 'price@currency',
    id: 'by@id',
    name: sql\`json_extract_string(nullif("by", ''), '$.name')\`,
  },
  schema: z.object({ price: t.decimal(5, 2).nullable(), currency: z.string().nullable(), id: t.int().nullable(), name: z.string().nullable() }),
})
export default defineLake({ name: 'shop', datasets: [orders] })`
    const expected = [
      { price: '1.50', currency: null, id: null, name: 'Ada' },
      { price: '2.50', currency: 'CHF', id: 7, name: null },
      { price: null, currency: 'EUR', id: 8, name: 'Bo' },
    ]
    const paths = Object.keys(files) as (keyof typeof files)[]
    for (const order of [paths, [...paths].reverse(), [paths.join()]]) {
      const project = await Project.create({ 'lake.ts': lake })
      for (const some of order) {
        for (const path of some.split(',') as typeof paths)
          await project.write({ [path]: files[path] })
        const { steps } = await project.run()
        expect(steps.map(({ error }) => error?.message)).toEqual([undefined, undefined])
      }
      const rows = await project.query(
        'SELECT CAST(price AS VARCHAR) AS price, currency, id, name FROM silver.orders ORDER BY coalesce(id, 0)',
      )
      expect(rows.map((row) => ({ ...row, id: row.id === null ? null : Number(row.id) }))).toEqual(
        expected,
      )
    }
  })

  it('has lists of one where that is said', async () => {
    const one = '<o><r><item>1</item></r></o>'
    const found = await rowsOf("files('in/a.xml', { lists: ['item'] })", { 'in/a.xml': one })
    expect(found.rows).toEqual([{ item: '["1"]' }])
  })

  it.each([
    ['<!DOCTYPE x [<!ENTITY a "aaaa">]><x><r>&a;</r></x>', /document type definition/],
    ['<x><r>&a;</r></x>', /entity/],
    ['<x><r></x>', /unexpected close tag/i],
    [`${'<x>'.repeat(10_000)}${'</x>'.repeat(10_000)}`, /more than 500 levels/],
    ['<x><r>1</r>', /unclosed|unexpected end/i],
  ])('that is hostile or broken is refused: %#', async (content, message) => {
    const { error, project } = await taken("files('in/a.xml')", { 'in/a.xml': content })
    expect(error?.message).toMatch(/^in\/a.xml, line \d+: /)
    expect(error?.message).toMatch(message)
    expect((await project.state()).batches).toEqual({})
  })
})

describe('logs', () => {
  it('of web servers', async () => {
    const line = '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a?b=\\"c\\" HTTP/1.0" 200 -'
    const combined = `${line} "http://x/" "Mozilla/5.0 (X11)"`
    const found = await rowsOf("logs('in/*', { format: 'combined' })", {
      'in/access.log': `${combined}\n${line}\n`,
    })
    expect(found.rows).toEqual([
      {
        host: '127.0.0.1',
        identity: null,
        user: 'frank',
        time: '10/Oct/2000:13:55:36 -0700',
        request: 'GET /a?b=\\"c\\" HTTP/1.0',
        status: '200',
        bytes: null,
        referrer: 'http://x/',
        agent: 'Mozilla/5.0 (X11)',
      },
    ])
    expect(found.broken).toEqual([[2, 'it does not fit the pattern', line]])
  })

  it('with a pattern of their own, and of pairs', async () => {
    const own = await rowsOf(
      'logs("in/*", { format: /(?<at>\\S+) \\[(?<level>\\w+)\\] (?<text>.*)/ })',
      {
        'in/a.log': '12:00 [info] started\n12:01 [warn] a\x1fb, "c"\n',
      },
    )
    expect(own.rows).toEqual([
      { at: '12:00', level: 'info', text: 'started' },
      { at: '12:01', level: 'warn', text: 'a\x1fb, "c"' },
    ])
    const pairs = await rowsOf("logs('in/*', { format: 'pairs' })", {
      'in/a.log': 'level=info msg="say \\"hi\\"" n=1 done\nlevel="open\nlevel=warn empty=\n',
    })
    expect(pairs.rows).toEqual([
      { level: 'info', msg: 'say "hi"', n: '1', done: 'true', empty: null },
      { level: 'warn', msg: null, n: null, done: null, empty: '' },
    ])
    expect(pairs.broken).toEqual([[2, 'there is no key=value at character 1', 'level="open']])
  })
})

const session = engineSession()

it('Parquet becomes rows of texts, and lists and structs JSON', async () => {
  const path = join(await temporaryFolder(), 'a.parquet')
  await session().run(`COPY (SELECT 1::BIGINT AS id, 12.50::DECIMAL(10,2) AS amount, TIMESTAMP '2026-01-31 10:00:00.5' AS at,
    [1, NULL] AS list, {'a': 'x'} AS s, '\\x00\\xFF'::BLOB AS bytes, NULL::INT AS none, 'a"b' AS _text, DATE '2026-01-31' AS day
    UNION ALL SELECT 2, NULL, NULL, NULL, NULL, NULL, 3, '', NULL) TO '${path}' (FORMAT parquet)`)
  const found = await rowsOf("files('in/*.parquet')", { 'in/a.parquet': await readFile(path) })
  expect(found.rows).toEqual([
    {
      id: '1',
      amount: '12.50',
      at: '2026-01-31 10:00:00.5',
      list: '[1,null]',
      s: '{"a":"x"}',
      bytes: '\\x00ff',
      none: null,
      x_text: 'a"b',
      day: '2026-01-31',
    },
    {
      id: '2',
      amount: null,
      at: null,
      list: null,
      s: null,
      bytes: null,
      none: '3',
      x_text: '',
      day: null,
    },
  ])
  expect(found.lines).toEqual([1, 2])
  const cut = (await readFile(path)).subarray(0, 200)
  expect((await taken("files('in/*.parquet')", { 'in/a.parquet': cut })).error?.message).toMatch(
    /^in\/a.parquet can't be read: /,
  )
})

it('Avro becomes rows, exactly: decimals, moments, numbers of 64 bits, unions', async () => {
  const schema = {
    type: 'record',
    name: 'row',
    fields: [
      { name: 'id', type: 'long' },
      {
        name: 'amount',
        type: ['null', { type: 'bytes', logicalType: 'decimal', precision: 30, scale: 2 } as never],
      },
      { name: 'at', type: { type: 'long', logicalType: 'timestamp-micros' } as never },
      { name: 'day', type: { type: 'int', logicalType: 'date' } as never },
      { name: 'tags', type: { type: 'array', items: 'string' } },
      { name: 'kind', type: { type: 'enum', name: 'k', symbols: ['A', 'B'] } },
      { name: 'f', type: 'double' },
    ],
  }
  const row = {
    id: 9007199254740,
    amount: Buffer.from('ff7f', 'hex'),
    at: -1500000,
    day: -1,
    tags: ['x'],
    kind: 'B',
    f: 0.1,
  }
  for (const codec of ['null', 'deflate']) {
    const encoder = new avro.streams.BlockEncoder(schema as never, { codec } as never)
    encoder.end(row)
    const blocks: Buffer[] = []
    for await (const block of encoder) blocks.push(block as Buffer)
    const bytes = Buffer.concat(blocks)
    const found = await rowsOf("files('in/*.avro')", { 'in/a.avro': bytes })
    expect(found.rows).toEqual([
      {
        id: '9007199254740',
        amount: '-1.29',
        at: '1969-12-31 23:59:58.500000+00',
        day: '1969-12-31',
        tags: '["x"]',
        kind: 'B',
        f: '0.1',
      },
    ])
    const cut = await taken("files('in/*.avro')", {
      'in/a.avro': bytes.subarray(0, bytes.length - 9),
    })
    expect(cut.error?.message).toMatch(/^in\/a.avro can't be read as Avro: /)
  }
})

it('numbers of 32 bits have their own digits, within lists and structs too', async () => {
  const path = join(await temporaryFolder(), 'f.parquet')
  await session().run(`COPY (SELECT 1.1::FLOAT AS f, [1.1::FLOAT, NULL, 16777216] AS list,
    {'FLOAT': 0.1::FLOAT, 'd': 1.1::DOUBLE} AS s) TO '${path}' (FORMAT parquet)`)
  const parquet = await rowsOf("files('in/*.parquet')", { 'in/f.parquet': await readFile(path) })
  expect(parquet.rows).toEqual([
    { f: '1.1', list: '[1.1,null,16777216.0]', s: '{"FLOAT":0.1,"d":1.1}' },
  ])
  const fields = [
    { name: 'f', type: 'float' },
    { name: 'maybe', type: ['null', 'float'] },
    { name: 'list', type: { type: 'array', items: 'float' } },
  ]
  const schema = { type: 'record', name: 'row', fields }
  const encoder = new avro.streams.BlockEncoder(schema as never, { codec: 'null' } as never)
  encoder.end({ f: 1.1, maybe: 0.3, list: [2.7, -1e-7] })
  const blocks: Buffer[] = []
  for await (const block of encoder) blocks.push(block as Buffer)
  const found = await rowsOf("files('in/*.avro')", { 'in/a.avro': Buffer.concat(blocks) })
  expect(found.rows).toEqual([{ f: '1.1', maybe: '0.3', list: '[2.7,-1e-7]' }])
})

it('Avro in snappy keeps whole numbers of 64 bits', async () => {
  const columns = [
    { name: 'id', long: true },
    { name: 'name', long: false },
  ]
  const encoder = new AvroEncoder(columns, 'snappy', Buffer.alloc(16, 7))
  const parts = [
    encoder.header('row'),
    ...encoder.add(
      [
        [9223372036854775807n, -1n],
        [Buffer.from('é'), null],
      ],
      2,
    ),
    ...encoder.end(),
  ]
  const found = await rowsOf("files('in/*.avro')", { 'in/a.avro': Buffer.concat(parts) })
  expect(found.rows).toEqual([
    { id: '9223372036854775807', name: 'é' },
    { id: '-1', name: null },
  ])
})

it('columns of fixed width are cut by characters', async () => {
  const source = "files('in/a.txt', { columns: ['id', 'name', 'n'], widths: [3, 6, 2] })"
  const found = await rowsOf(source, {
    'in/a.txt': '001Grü\u{1f600}e  7\n  2Bob    8\n003\n004 much too long a line\n',
  })
  expect(found.rows).toEqual([
    { id: '001', name: 'Grü😀e', n: '7' },
    { id: '2', name: 'Bob', n: '8' },
  ])
  expect(found.broken.map(([line, error]) => [line, error])).toEqual([
    [3, '3 characters instead of 11'],
    [4, '24 characters instead of 11'],
  ])
})

describe('files that are packed or encoded', () => {
  const csv = 'id,name\n1,Müller\n2,Ada\n'

  it.each([
    ['gzip', 'in/a.csv.gz', gzipSync(csv), ''],
    ['zstd', 'in/a.csv.zst', zstd(csv), ''],
    ['latin1', 'in/a.csv', Buffer.from(csv, 'latin1'), ", { encoding: 'latin1' }"],
    [
      'latin1 in gzip',
      'in/a.csv',
      gzipSync(Buffer.from(csv, 'latin1')),
      ", { encoding: 'latin1' }",
    ],
    ['UTF-16', 'in/a.csv', Buffer.from(`\ufeff${csv}`, 'utf16le'), ''],
    ['UTF-16, big end first', 'in/a.csv', Buffer.from(`\ufeff${csv}`, 'utf16le').swap16(), ''],
    ['a byte order mark', 'in/a.csv', Buffer.from(`\ufeff${csv}`), ''],
  ])('are read as meant: %s', async (_, path, bytes, options) => {
    const { rows } = await rowsOf(`files('in/*.*'${options})`, { [path]: bytes })
    expect(rows).toEqual([
      { id: '1', name: 'Müller' },
      { id: '2', name: 'Ada' },
    ])
  })

  it('are each file of a zip, once', async () => {
    const archive = zip({ 'a.csv': csv, 'deep/b.csv': 'id,name\n3,Bob\n', '.hidden': 'x' })
    const source = "files('in/*.zip')"
    const { project } = await taken(source, { 'in/all.zip': archive })
    const rows = 'SELECT _source_file AS f, id FROM bronze.rows ORDER BY id'
    expect(await project.query(rows)).toEqual([
      { f: 'in/all.zip/a.csv', id: '1' },
      { f: 'in/all.zip/a.csv', id: '2' },
      { f: 'in/all.zip/deep/b.csv', id: '3' },
    ])
    expect(step(await project.run(), 'bronze.rows').outcome).toBe('unchanged')
    await writeFile(
      join(project.folder, 'in/all.zip'),
      zip({ 'a.csv': csv, 'deep/b.csv': 'id,name\n3,Bob\n4,Eve\n' }),
    )
    expect(step(await project.run(), 'bronze.rows').rows).toBe(2)
  })

  const pair = zip({ 'a.csv': 'id\n1\n', 'b.csv': 'id\n2\n' }).toString('latin1')
  const twins = Buffer.from(pair.replaceAll('b.csv', 'a.csv'), 'latin1')

  it.each([
    ['a name that leads out of it', zip({ '../../evil.csv': csv }), /invalid relative path/],
    ['cut off', zip({ 'a.csv': csv }).subarray(0, 60), /can't be unpacked/],
    ['encrypted', zip({ 'a.csv': csv }, 1), /a.csv is encrypted/],
    ['packed again', zip({ 'a.csv.gz': gzipSync(csv) }), /compressed with gzip, and in a zip/],
    ['two files of one name', twins, /it holds two files called a.csv/],
    ['a bomb', zip({ 'a.csv': 'a,b\n'.repeat(75_000_000) }), /more than 250 times its size/],
  ])('are refused clearly: %s', async (_, bytes, message) => {
    const { error } = await taken("files('in/*.zip')", { 'in/x.zip': bytes })
    expect(error?.message).toMatch(message)
  })

  it('in an encoding that they are not in are refused', async () => {
    const wrong = await taken("files('in/a.csv', { encoding: 'utf-16le' })", {
      'in/a.csv': 'id\n1\n',
    })
    expect(wrong.error?.message).toMatch(/bytes that are not valid utf-16le|none of|header/)
    const none = await taken("files('in/a.csv', { encoding: 'klingon' })", {
      'in/a.csv': 'id\n1\n',
    })
    expect(none.error?.message).toBe("in/a.csv: unknown encoding 'klingon'")
  })
})

it('raw keeps the file as it came, byte for byte, also when it is vacuumed and verified', async () => {
  const bytes = gzipSync('id,name\r\n1,"A\n"\n')
  const { project } = await taken("files('in')", { 'in/odd name; é.csv': bytes }, "format: 'raw'")
  expect(await project.query('SELECT id, name FROM bronze.rows')).toEqual([
    { id: '1', name: 'A\n' },
  ])
  const [batch] = (await project.state()).batches['bronze.rows'] ?? []
  const manifest = JSON.parse(
    await readFile(join(project.folder, 'lake', batch?.manifest ?? ''), 'utf8'),
  )
  const { path, sha256 } = manifest.files[0].original
  const there = join(project.folder, 'lake', path)
  expect(await readFile(there)).toEqual(bytes)
  expect(sha256).toBe(createHash('sha256').update(bytes).digest('hex'))
  // Long enough ago to be removed if nothing referred to it.
  await utimes(there, 0, 0)
  expect((await project.cli('vacuum', '--delete')).code).toBe(0)
  expect((await project.cli('verify', '--deep')).code).toBe(0)
  await writeFile(there, Buffer.from(bytes).fill(0, 12, 14))
  const verified = await project.cli('verify', '--deep')
  expect(verified.code).toBe(1)
  expect(verified.stdout + verified.stderr).toContain('its SHA-256 does not match')
})

/** zstd without compression: one frame of raw blocks (RFC 8878, 3.1.1). */
function zstd(text: string): Buffer {
  const bytes = Buffer.from(text)
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x20, bytes.length])
  const block = Buffer.alloc(3)
  block.writeUIntLE((bytes.length << 3) | 1, 0, 3)
  return Buffer.concat([header, block, bytes])
}
