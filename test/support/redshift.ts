import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { DuckDBInstance } from '@duckdb/node-api'
import pg from 'pg'
import { startBuckets } from './buckets.js'
import { freePort, startPostgres } from './servers.js'

/*
 * A stand-in for Redshift: a real PostgreSQL and a bucket of MinIO, with a proxy between that
 * carries out what Redshift has and PostgreSQL has not: COPY by a manifest, types, functions, and
 * how tables are laid out. It proves transactions, waiting, records and comparing over the real
 * wire; of COPY it proves that manifest and files are there and have the rows. It can't prove that
 * Redshift takes the statements: those are held by goldens.
 */

const DEFINED = `
  CREATE DOMAIN super AS jsonb;
  CREATE FUNCTION json_parse(text) RETURNS jsonb LANGUAGE sql AS 'SELECT $1::jsonb';
  CREATE FUNCTION from_hex(text) RETURNS bytea LANGUAGE sql AS $$ SELECT decode($1, 'hex') $$;
  CREATE FUNCTION getdate() RETURNS timestamp LANGUAGE sql AS 'SELECT now()::timestamp';`

const COPY = /^COPY (\S+) FROM '(s3:[^']+)' IAM_ROLE default FORMAT AS PARQUET MANIFEST$/

export async function startRedshift() {
  const postgres = await startPostgres()
  const buckets = await startBuckets(['exports'])
  const admin = new pg.Client(postgres.url)
  await admin.connect()
  await admin.query(DEFINED)
  await admin.end()
  const open = new Set<Socket>()
  const server = createServer((client) => {
    const behind = connect(postgres.port, '127.0.0.1')
    for (const socket of [client, behind]) {
      open.add(socket)
      socket.on('error', () => {})
    }
    client.on('close', () => behind.destroy())
    behind.on('close', () => client.destroy())
    behind.pipe(client)
    const feed = queries(behind, (sql) => asPostgres(sql, buckets.client))
    client.on('data', feed)
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    via: `s3://exports/loads?endpoint=${buckets.server.url}`,
    client: buckets.client,
    stop: async () => {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      await postgres.stop()
      await buckets.server.stop()
    },
  }
}

/** Passes messages on as they come, with the text of queries translated. */
function queries(behind: Socket, translate: (sql: string) => Promise<string>) {
  let rest = Buffer.alloc(0)
  let started = false
  let line = Promise.resolve()
  return (bytes: Buffer) => {
    rest = Buffer.concat([rest, bytes])
    for (;;) {
      const head = started ? 1 : 0
      if (rest.length < head + 4) return
      const length = head + rest.readUInt32BE(head)
      if (rest.length < length) return
      const message = rest.subarray(0, length)
      rest = rest.subarray(length)
      // A wish for TLS comes before the startup, and is refused by the server.
      if (!started) started = message.readUInt32BE(4) !== 80_877_103
      const isQuery = head === 1 && message[0] === 'Q'.charCodeAt(0)
      line = line.then(async () => {
        if (!isQuery) return void behind.write(message)
        const sql = await translate(message.subarray(5, -1).toString('utf8')).catch(
          (error) => `DO $$ BEGIN RAISE EXCEPTION '%', ${literal(String(error))}; END $$`,
        )
        const text = Buffer.from(`${sql}\0`)
        const packet = Buffer.alloc(5)
        packet.write('Q')
        packet.writeUInt32BE(text.length + 4, 1)
        behind.write(Buffer.concat([packet, text]))
      })
    }
  }
}

const literal = (text: string) => `'${text.replaceAll("'", "''")}'`

async function asPostgres(sql: string, client: S3Client): Promise<string> {
  const [, table = '', manifest = ''] = COPY.exec(sql) ?? []
  if (table !== '') return insertOf(table, manifest, client)
  return sql
    .replace(/ (DISTKEY|SORTKEY) \([^)]*\)/g, '')
    .replace(/VARBYTE\(\d+\)/g, 'bytea')
    .replace(
      /DATEDIFF\(microsecond, TIMESTAMP '1970-01-01', ("[^"]+"(?: AT TIME ZONE 'UTC')?)\)/g,
      "(extract(epoch FROM $1 - TIMESTAMP '1970-01-01') * 1000000)::bigint",
    )
}

/** The rows that a manifest leads to, as a statement that adds them. */
async function insertOf(table: string, manifest: string, client: S3Client): Promise<string> {
  const bytesOf = async (url: string) => {
    const [, Bucket, Key] = /^s3:\/\/([^/]+)\/(.+)$/.exec(url) ?? []
    const { Body } = await client.send(new GetObjectCommand({ Bucket, Key }))
    return Buffer.from((await Body?.transformToByteArray()) ?? [])
  }
  const { entries } = JSON.parse((await bytesOf(manifest)).toString('utf8')) as {
    entries: { url: string; mandatory: boolean; meta: { content_length: number } }[]
  }
  const folder = await mkdtemp(join(tmpdir(), 'moraine-redshift-'))
  const instance = await DuckDBInstance.create(':memory:')
  const connection = await instance.connect()
  try {
    const rows: string[] = []
    for (const { url, meta } of entries) {
      const bytes = await bytesOf(url)
      // COPY of Parquet fails where a manifest does not say it.
      if (bytes.length !== meta.content_length) throw new Error(`${url}: ${bytes.length} bytes`)
      const file = join(folder, 'rows.parquet')
      await writeFile(file, bytes)
      const found = await connection.runAndReadAll(
        `SELECT CAST(COLUMNS(*) AS VARCHAR) FROM read_parquet('${file}')`,
      )
      for (const row of found.getRows())
        rows.push(`(${row.map((v) => (v === null ? 'NULL' : literal(String(v)))).join(', ')})`)
    }
    return rows.length === 0 ? 'SELECT 1' : `INSERT INTO ${table} VALUES ${rows.join(', ')}`
  } finally {
    connection.closeSync()
    instance.closeSync()
    await rm(folder, { recursive: true, force: true })
  }
}
