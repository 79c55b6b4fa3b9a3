import { MoraineError } from '../../src/errors.js'
import { Table } from '../../src/iceberg/table.js'
import { Checkpoints } from '../../src/log/checkpoints.js'
import { CommitLog } from '../../src/log/log.js'
import { filesSource } from '../../src/source/declare/files.js'
import { ingestFile } from '../../src/source/files/ingest-file.js'
import { inspectFile } from '../../src/source/files/inspect-file.js'
import { settleKind } from '../../src/source/files/kind.js'
import { eventsOf } from '../../src/source/follow/events.js'
import { readPairs } from '../../src/source/formats/lines.js'
import { contentOf } from '../../src/source/http/content.js'
import { withUnpacked } from '../../src/source/unpack/unpack.js'
import { MemoryStorage } from '../../src/storage/memory.js'
import { postgres } from './postgres-targets.js'
import { asFile, drain, openSession, scratchOf, type Target, target } from './target.js'

const { signal } = new AbortController()

/** What is said of objects of the lake that can't be read. */
const isTold = (error: unknown) => error instanceof MoraineError

/** Pages of an API, whatever it says that they are. */
const answer = (type: string, seeds: readonly string[]) =>
  target(
    () => seeds.map((text) => Buffer.from(text)),
    async (body) => {
      const rows = type.includes('json') ? 'items' : type.includes('xml') ? 'row' : undefined
      const source = { kind: 'http', rows, lists: [], format: undefined } as never
      const url = new URL('https://example.com/x')
      const content = await contentOf({ url, status: 200, type, headers: {}, body }, source, 'x')
      content.document()
      content.last()
    },
  )

const folder = '_moraine/log/main/'

/**
 * Objects of a log as programs write them, entries without the sums that would refuse every other
 * byte.
 */
async function objects(is: RegExp): Promise<Buffer[]> {
  const storage = new MemoryStorage()
  const effects = { now: () => new Date(0), id: () => 'x', pause: async () => {}, interval: 2 }
  const log = new CommitLog(storage, 'main', effects)
  const info = { author: 'me', message: 'take in', run: 'r' }
  for (let n = 0; n < 3; n++) {
    const changes = {
      tables: { 'silver.x': { metadata: `silver/x/metadata/${n}.json`, definition: {} } },
      watermarks: { 'bronze.x': { modified: n } },
    }
    await log.commit(await log.head(), changes as never, info)
  }
  const found: Buffer[] = []
  for (const { path } of await storage.list('_moraine')) {
    if (!is.test(path)) continue
    const text = new TextDecoder().decode(await storage.read(path))
    found.push(Buffer.from(text.replace(/,\n "sha256": "\w{64}"\n\}$/, '\n}')))
  }
  return found
}

const texts: Readonly<Record<string, string>> = {
  'x.csv': 'id,name\n1,"a"\n2,b\n',
  'x.jsonl': '{"id":1,"n":1e5}\n{"id":2}\n',
  'x.json': '[{"id":1},{"id":2}]',
  'x.xml': '<r><x><id>1</id></x></r>',
  'x.tsv': 'id\tname\n1\ta\n',
  x: 'id;n\n1;2\n',
}

/** A file of any kind, as a run takes it in. The first byte says what it is called. */
async function intake(bytes: Buffer): Promise<void> {
  const names = Object.keys(texts)
  const name = names[(bytes[0] ?? 0) % names.length] as string
  await asFile(bytes.subarray(1), name, async (file) => {
    const source = filesSource([name], {})
    const session = await openSession()
    try {
      await withUnpacked(file, source, signal, async (readable) => {
        const settled = settleKind(readable, source)
        const requested = new Map([['id', 'BIGINT']])
        const inspection = await inspectFile(readable, settled, {
          signal,
          requested,
          valuesFrom: 64,
        })
        const location = `${await scratchOf()}/taken.parquet`
        const large = bytes.length > 64
        const target = { session, location, batch: 'b', requested, large, signal }
        const { rows, broken } = await ingestFile({
          file: readable,
          source: settled,
          inspection,
          target,
        })
        const [found] = await session.rows(`SELECT count(*) AS n FROM read_parquet('${location}')`)
        if (Number(found?.n) !== rows || broken > rows) throw new Error('Rows were lost')
      })
    } finally {
      session.close()
    }
  })
}

export const others: Record<string, Target> = {
  'answer-json': answer('application/json', [
    '{"items":[{"id":1,"n":12345678901234567890},{"id":"2"}],"next":"/x?page=2"}',
    '{"items":[]}',
  ]),
  'answer-lines': answer('application/x-ndjson', ['{"id":1}\n\u001e{"id":2}\n\n']),
  'answer-csv': answer('text/csv', ['id,name\n1,"a ""b"""\n2,\n']),
  'answer-xml': answer('text/xml; charset=utf-8', [
    '<rows><row><id>1</id></row><next>/2</next></rows>',
  ]),
  log: target(
    () => objects(/\/log\/main\/\d+\.json$/),
    async (bytes) => {
      const storage = new MemoryStorage()
      await storage.write(`${folder}${'1'.padStart(20, '0')}.json`, bytes)
      await new CommitLog(storage).head()
    },
    isTold,
  ),
  checkpoint: target(
    () => objects(/checkpoint/),
    async (bytes) => {
      const storage = new MemoryStorage()
      const checkpoints = new Checkpoints(storage, 'main')
      await storage.write(checkpoints.pathOf(1), bytes)
      await checkpoints.read(1)
    },
    isTold,
  ),
  metadata: target(
    () => {
      const { metadata } = Table.create(new MemoryStorage(), 'silver/x') as never as {
        metadata: object
      }
      return [Buffer.from(JSON.stringify(metadata))]
    },
    async (bytes) => {
      const storage = new MemoryStorage()
      await storage.write('1.json', bytes)
      await Table.load(storage, '1.json')
    },
    isTold,
  ),
  pairs: target(
    () => [Buffer.from('level=info msg="a \\"b\\"" at=2026-01-01 alone')],
    (bytes) => readPairs(bytes.toString()),
    () => false,
  ),
  events: target(
    () => [Buffer.from('{"id":1}\n{"id":2}\n{"id":'), Buffer.from('a=1 b="x"\nc=2\n')],
    (bytes) =>
      asFile(bytes, 'x.log', (file) => {
        const source = { ...filesSource(['x.jsonl'], {}), follow: { event: /^[{a]/ } }
        const end = { end: bytes.length, eventsEnd: true, linesEnd: bytes.length % 2 === 0 }
        const part = { file, source, offset: 0, line: 0, ...end, signal }
        return drain(eventsOf(part, { offset: 0, line: 0 }))
      }),
  ),
  intake: target(
    () => Object.values(texts).map((text, i) => Buffer.from(String.fromCharCode(i) + text)),
    intake,
  ),
  ...postgres,
}
