import { rm, writeFile } from 'node:fs/promises'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { DuckDBInstance } from '@duckdb/node-api'
import { minioKeys, startMinio } from '../test/support/servers.js'
import type { Contender, Measure } from './main.js'
import { measure } from './measure.js'
import { benchFolder, repository } from './tickit.js'

const ROWS = 4_000_000
/** Columns that no query asks for, as tables have them. */
const OTHERS = 8

const lake = `
import { bronze, defineLake, month, silver, t, z } from 'moraine'
import { files } from 'moraine/sources'
const raw = bronze('sales', { from: files('sales.parquet') })
const others = Object.fromEntries(Array.from({ length: ${OTHERS} }, (_, i) => ['c' + i, t.bigint()]))
export default defineLake({ name: 'sales', datasets: [silver('sales', {
  from: raw, key: 'id', partitionBy: [month('day')],
  schema: z.object({ id: t.int(), day: t.date(), shop: t.int(), amount: t.decimal(12, 2), ...others }),
})] })
`

const questions = {
  columns: 'SELECT shop, sum(amount) AS s FROM silver.sales GROUP BY 1 ORDER BY 1 LIMIT 5',
  part: "SELECT sum(amount) AS s FROM silver.sales WHERE day = DATE '2026-03-05'",
  all: 'SELECT count(*) AS n, bit_xor(hash(COLUMNS(*))) FROM silver.sales',
}

/**
 * A query over a table in a bucket, which a machine asks that has no copies: objects read where
 * they lie by DuckDB's httpfs, beside copies of whole objects. The bytes that either brings are
 * told on the error stream. The bucket is as far away as one in the same region: answers take 10
 * ms, and 100 MiB come in a second.
 *
 * @param question `columns` (two of twelve, the default), `part` (a day of a month's files), or
 *   `all`.
 */
export async function inBucket(
  scale: number,
  question = 'columns',
): Promise<[Contender, Contender]> {
  const extensions = process.env.DUCKDB_EXTENSIONS
  if (!extensions) throw new Error('Set DUCKDB_EXTENSIONS to the folder with httpfs')
  const sql = questions[question as keyof typeof questions]
  if (!sql) throw new Error(`There is: ${Object.keys(questions).join(', ')}`)
  const folder = await benchFolder()
  await writeFile(join(folder, 'lake.ts'), lake)
  await writeSales(join(folder, 'sales.parquet'), Math.round(ROWS * scale))
  const server = await startMinio()
  Object.assign(process.env, minioKeys)
  const client = new S3Client({ endpoint: server.url, region: 'us-east-1', forcePathStyle: true })
  await client.send(new CreateBucketCommand({ Bucket: 'lakes' }))
  const wire = await Wire.to(Number(new URL(server.url).port))
  const bin = join(repository, 'bin/moraine.js')
  const cli = (cache: string, reads: string, ...args: string[]): Promise<Measure> => {
    const root = `s3://lakes/sales?endpoint=${wire.url}${reads}`
    const env = { MORAINE_CACHE: join(folder, cache), MORAINE_EXTENSIONS: extensions }
    return measure(process.execPath, [bin, '-C', folder, '--root', root, ...args], env)
  }
  await cli('written', '', 'run')
  const contender = (name: string, reads: string): Contender => ({
    name,
    run: async () => {
      await rm(join(folder, 'cold'), { recursive: true, force: true })
      const before = wire.bytes
      const took = await cli('cold', reads, 'query', sql)
      console.error(`${name}: ${((wire.bytes - before) / 2 ** 20).toFixed(1)} MiB`)
      return took
    },
    close: async () => {
      wire.close()
      await server.stop()
    },
  })
  return [contender('as it costs less', ''), contender('copied first', '&reads=copies')]
}

async function writeSales(path: string, rows: number): Promise<void> {
  const others = Array.from(
    { length: OTHERS },
    (_, i) => `hash(i * ${i + 3}) % 1000000000 AS c${i}`,
  )
  const instance = await DuckDBInstance.create()
  const connection = await instance.connect()
  await connection.run(
    `COPY (SELECT i::int AS id, DATE '2026-01-01' + (i % 365)::int AS day, (i % 900)::int AS shop, ((i * 7919) % 100000) / 100::decimal(12,2) AS amount, ${others.join(', ')}
     FROM range(${rows}) AS r(i)) TO '${path}'`,
  )
  connection.closeSync()
  instance.closeSync()
}

const LATENCY = 10
/** Bytes in a millisecond. */
const RATE = (100 * 2 ** 20) / 1000

/** Stands before a server as a network would, and counts what the server sends. */
class Wire {
  bytes = 0
  private free = 0
  private readonly sockets = new Set<Socket>()
  private constructor(private readonly server: Server) {}

  static async to(port: number): Promise<Wire> {
    const server = createServer()
    const wire = new Wire(server)
    server.on('connection', (near) => {
      const far = dial(port, '127.0.0.1')
      for (const socket of [near, far]) {
        wire.sockets.add(socket)
        socket.on('error', () => {})
      }
      near.on('close', () => far.destroy())
      let sent = Promise.resolve()
      far.on('data', (chunk) => {
        wire.bytes += chunk.length
        const now = performance.now()
        wire.free = Math.max(now, wire.free) + chunk.length / RATE
        const due = wire.free + LATENCY
        sent = sent
          .then(() => sleep(Math.max(0, due - performance.now())))
          .then(() => void near.write(chunk))
      })
      far.on('end', () => void sent.then(() => near.end()))
      near.pipe(far)
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    return wire
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as { port: number }).port}`
  }

  close(): void {
    this.server.close()
    for (const socket of this.sockets) socket.destroy()
  }
}
