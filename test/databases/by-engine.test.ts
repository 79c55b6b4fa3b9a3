import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { expect, it } from 'vitest'
import { Project } from '../support/project.js'
import { postgresPrograms, startPostgres } from '../support/servers.js'
import { withService } from '../support/services.js'

const extensions = process.env.DUCKDB_EXTENSIONS
const extension =
  extensions && join(extensions, 'v1.5.5/linux_amd64/postgres_scanner.duckdb_extension')

const columns = `id int PRIMARY KEY, n numeric, d numeric(30,5), f float8, b boolean, c char(5), t text, j jsonb, u uuid, y bytea,
  z timestamptz, s timestamp, s3 timestamp(3), dt date, m mood, a text[], i interval, p point, r thing, o name, "Mixed ""Name" varchar(20)`

const plain = `1.50, 1.5, 0.1, n % 2 = 0, 'ab', 'text ' || n, '{"a": "x,y"}', '6f9619ff-8b86-d011-b42d-00c04fc964ff', '\\x00ff',
  '2026-01-31 23:59:59+02'::timestamptz + n * interval '12.5 ms', timestamp '2026-01-31' + n * interval '1 ms', '2026-01-31 10:00:00.5', date '2026-01-01' + n % 365,
  'sad, or "so"', '{a,"b,c",NULL}', '1 day 02:00', '(1,2)', ROW(1, NULL)::thing, 'pg_name', 'q"' || n`

/** Values that the engine has no texts for, or others. */
const odd = `'NaN', 'NaN', 'Infinity', NULL, NULL, '', 'null', NULL, NULL,
  'infinity', '-infinity', '0044-03-15 12:00:00 BC', 'infinity', NULL, '{}', NULL, NULL, ROW(NULL, NULL)::thing, '', ''`

withService('PostgreSQL, read by the engine', [postgresPrograms, extension], () => {
  it('gives the same rows as otherwise, whatever is in them, and what it can without this process', async () => {
    const server = await startPostgres()
    const client = new pg.Client(server.url)
    client.on('error', () => {})
    await client.connect()
    try {
      await client.query(`
        CREATE TYPE mood AS ENUM ('happy', 'sad, or "so"'); CREATE TYPE thing AS (a int, b text);
        CREATE TABLE things (${columns});
        INSERT INTO things SELECT n, ${plain} FROM generate_series(1, 20000) n;
        INSERT INTO things SELECT 30000, ${odd};
        INSERT INTO things SELECT n, ${plain} FROM generate_series(30001, 30100) n`)
      const read = async (by?: string) => {
        const project = await Project.create(
          {
            'lake.ts': `
import { bronze, defineLake, silver, t, z } from 'moraine'
import { postgres } from 'moraine/sources'
const raw = bronze('things', { from: postgres('${server.url}').table('things', { key: 'id', cursor: 'id' }) })
const schema = z.object({ id: t.int(), d: t.decimal(30, 5).nullable(), s: t.timestamp().nullable(), s3: t.timestamp().nullable(), dt: t.date().nullable(), z: t.timestamptz().nullable() })
export default defineLake({ name: 'things', datasets: [silver('things', { from: raw, schema })] })
`,
          },
          by,
        )
        const record = await project.run({ partBytes: 1 << 20, valuesFrom: 0 })
        expect(record.steps.map(({ error }) => error).filter(Boolean)).toEqual([])
        const rows = await project.query(
          `SELECT * EXCLUDE (_batch, _source_file, _source_line, _error, _raw) FROM bronze.things ORDER BY CAST(id AS INT)`,
        )
        const kept = await project.query('SELECT * FROM silver.things ORDER BY id')
        const own = kept.map(({ _batch, _source_file, _loaded_at, ...row }) => row)
        return { rows, own, files: await filesOf(project) }
      }
      const [direct, other] = [await read(extensions), await read()]
      expect(direct.rows).toHaveLength(20_101)
      expect(direct.rows).toEqual(other.rows)
      expect(direct.own).toEqual(other.own)
      // What the engine read is not measured as text; the part with odd values came the other way.
      const byEngine = direct.files.filter(({ size, bytes }) => size === bytes)
      expect(byEngine.length).toBeGreaterThan(0)
      expect(byEngine.length).toBeLessThan(direct.files.length)
      expect(other.files.filter(({ size, bytes }) => size === bytes)).toEqual([])
    } finally {
      await client.end()
      await server.stop()
    }
  })
})

async function filesOf(project: Project): Promise<{ size: number; bytes: number }[]> {
  const bronze = join(project.folder, 'lake/bronze/things')
  const paths = await readdir(bronze, { recursive: true })
  const manifests = paths.filter((path) => path.endsWith('manifest.json'))
  const texts = await Promise.all(manifests.map((path) => readFile(join(bronze, path), 'utf8')))
  return texts.flatMap((text) => JSON.parse(text).files)
}
