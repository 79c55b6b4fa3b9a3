import { describe, expect, it } from 'vitest'
import type { ExportTable } from '../../src/define/export/target.js'
import type { ColumnType, Field } from '../../src/define/types/column-type.js'
import { columnsFor } from '../../src/export/decide.js'
import type { TargetSession } from '../../src/export/dialect.js'
import { externalSchemaSql, readCatalog } from '../../src/export/redshift/catalog.js'
import { redshiftDialect } from '../../src/export/redshift/dialect.js'
import { layoutOf } from '../../src/export/redshift/layout.js'
import { copySql } from '../../src/export/redshift/session.js'
import { moraine, Project } from '../support/project.js'

const field = (name: string, type: ColumnType): Field => ({ name, type })
const columns = [
  field('id', { kind: 'bigint' }),
  field('note', { kind: 'string' }),
  field('amount', { kind: 'decimal', precision: 12, scale: 2 }),
  field('paid', { kind: 'boolean' }),
  field('day', { kind: 'date' }),
  field('at', { kind: 'timestamp' }),
]
const wide = [
  ...columns,
  field('seen', { kind: 'timestamptz' }),
  field('tags', { kind: 'list', element: { kind: 'string' } }),
  field('raw', { kind: 'binary' }),
]
const table = { schema: 'reports', name: 'orders' }
const laidOut = { as: 'orders', distKey: 'id', sortKey: ['day', 'at'] } as unknown as ExportTable
const dialect = redshiftDialect(layoutOf(laidOut, wide))
const manifest = 's3://lake/exports/redshift-1/2.manifest'

/** What no real Redshift has run: held to its documented grammar, statement by statement. */
describe('SQL for Redshift', () => {
  it('creates tables with its own types, how rows are spread and sorted, and a comment', () => {
    expect(dialect.create(table, columnsFor(dialect, 'gold.orders', wide), "it's \\ ours")).toEqual(
      [
        'CREATE TABLE "reports"."orders" ("id" BIGINT, "note" VARCHAR(65535), "amount" DECIMAL(12, 2), "paid" BOOLEAN, "day" DATE, "at" TIMESTAMP, "seen" TIMESTAMPTZ, "tags" SUPER, "raw" VARBYTE(32767)) DISTKEY ("id") SORTKEY ("day", "at")',
        `COMMENT ON TABLE "reports"."orders" IS 'it''s ' || CHR(92) || ' ours'`,
      ],
    )
    expect(dialect.create({ ...table, name: '_moraine_exports' }, ['"a" BIGINT'], 'x')[0]).toBe(
      'CREATE TABLE "reports"."_moraine_exports" ("a" BIGINT)',
    )
  })

  it('loads by a manifest: at once, or by way of a table of the types that Parquet brings', () => {
    const role = 'arn:aws:iam::123456789012:role/warehouse'
    expect(copySql('"reports"."orders"', columns, { manifest, role })).toEqual([
      `COPY "reports"."orders" FROM 's3://lake/exports/redshift-1/2.manifest' IAM_ROLE 'arn:aws:iam::123456789012:role/warehouse' FORMAT AS PARQUET MANIFEST`,
    ])
    expect(copySql('"reports"."orders"', wide, { manifest, role: 'default' })).toEqual([
      'CREATE TEMPORARY TABLE "moraine_copy" ("id" BIGINT, "note" VARCHAR(65535), "amount" DECIMAL(12, 2), "paid" BOOLEAN, "day" DATE, "at" TIMESTAMP, "seen" TIMESTAMP, "tags" VARCHAR(65535), "raw" VARCHAR(65535))',
      `COPY "moraine_copy" FROM 's3://lake/exports/redshift-1/2.manifest' IAM_ROLE default FORMAT AS PARQUET MANIFEST`,
      `INSERT INTO "reports"."orders" ("id", "note", "amount", "paid", "day", "at", "seen", "tags", "raw") SELECT "id", "note", "amount", "paid", "day", "at", "seen" AT TIME ZONE 'UTC', JSON_PARSE("tags"), FROM_HEX("raw") FROM "moraine_copy"`,
      'DROP TABLE "moraine_copy"',
    ])
  })

  it('deletes, counts, renames and grants', () => {
    const [id, note] = wide.filter(({ name }) => ['id', 'note'].includes(name)) as [Field, Field]
    // To Redshift 'A' and 'A ' are equal, and to a lake two keys.
    expect(dialect.deleteMatching('"reports"."orders"', '"moraine_keys"', [id, note])).toBe(
      'DELETE FROM "reports"."orders" USING "moraine_keys" WHERE "orders"."id" = "moraine_keys"."id" AND "orders"."note" = "moraine_keys"."note" AND OCTET_LENGTH("orders"."note") = OCTET_LENGTH("moraine_keys"."note")',
    )
    expect(dialect.figures('"reports"."orders"', columns)).toBe(
      `SELECT COUNT(*), COUNT("id"), CAST(SUM("id") AS VARCHAR), COUNT("note"), CAST(SUM(OCTET_LENGTH("note")) AS VARCHAR), COUNT("amount"), CAST(SUM("amount") AS VARCHAR), COUNT("paid"), CAST(SUM(CAST("paid" AS INTEGER)) AS VARCHAR), COUNT("day"), CAST(SUM("day" - DATE '1970-01-01') AS VARCHAR), COUNT("at"), CAST(SUM(DATEDIFF(microsecond, TIMESTAMP '1970-01-01', "at")) AS VARCHAR) FROM "reports"."orders"`,
    )
    expect(dialect.rename({ ...table, name: 'orders__moraine_new' }, 'orders')).toBe(
      'ALTER TABLE "reports"."orders__moraine_new" RENAME TO "orders"',
    )
    expect(dialect.grant('"reports"."orders"', 'analysts')).toBe(
      'GRANT SELECT ON "reports"."orders" TO "analysts"',
    )
  })

  it('refuses types and keys that it can not have, before anything is written', () => {
    const precise = field('share', { kind: 'decimal', precision: 38, scale: 38 })
    expect(() => columnsFor(dialect, 'gold.orders', [precise])).toThrow(
      'Redshift holds 37 digits behind the point, not 38',
    )
    const by = (distKey: string) => () =>
      layoutOf({ as: 'orders', distKey } as unknown as ExportTable, wide)
    expect(by('tags')).toThrow("orders has tags as a SUPER, which can't be a distKey or sortKey")
    expect(by('nope')).toThrow('orders has no column nope for its distKey or sortKey')
  })

  it("reads Glue's catalog in place of loading, and compares what it counts there", async () => {
    const said: string[] = []
    const session = (answers: Record<string, string[][]>): TargetSession => ({
      place: 'Redshift',
      secrets: [],
      ask: async (sql) => {
        said.push(sql)
        return Object.entries(answers).find(([part]) => sql.includes(part))?.[1] ?? []
      },
      change: async () => 0n,
      [Symbol.asyncDispose]: async () => {},
    })
    const target = {
      kind: 'redshift',
      connection: {},
      via: undefined,
      role: 'default',
      catalog: 'shop_gold',
    } as const
    const read = {
      ...{ schema: 'lake', name: 'daily', rows: 4, commit: 7 },
      ...{ grants: ['analysts'], dry: false },
    }
    const made = await readCatalog(session({ 'COUNT(*)': [['4']] }), target, read)
    expect(made.decision).toEqual({ action: 'replace', reason: 'lake reads shop_gold of Glue' })
    expect(said).toContain(
      `CREATE EXTERNAL SCHEMA IF NOT EXISTS "lake" FROM DATA CATALOG DATABASE 'shop_gold' IAM_ROLE default`,
    )
    expect(said).toContain('GRANT USAGE ON SCHEMA "lake" TO "analysts"')
    expect(externalSchemaSql('lake', 'shop_gold', 'default')).toHaveLength(1)
    const there = { svv_external_schemas: [['shop_gold']], 'COUNT(*)': [['3']] }
    const now = { ...read, patience: 0 }
    await expect(readCatalog(session(there), target, now)).rejects.toThrow(
      "lake.daily has 3 rows in Glue's catalog, the lake has 4",
    )
    // It follows a moment later.
    const behind = { ...there, 'COUNT(*)': [['3']] }
    setTimeout(() => Object.assign(behind, { 'COUNT(*)': [['4']] }), 50)
    const followed = await readCatalog(session(behind), target, { ...read, patience: 500 })
    expect(followed.decision.action).toBe('none')
    const other = { svv_external_schemas: [['sales']] }
    await expect(readCatalog(session(other), target, read)).rejects.toThrow(
      'The schema lake exists, and does not read shop_gold',
    )
  })

  it('says in lake.ts what is missing, and shows no secret', async () => {
    const lake = (options: string, table = 'daily') => `
import { bronze, defineLake, gold, redshift, sql, warehouse } from 'moraine'
import { files, secret } from 'moraine/sources'
const raw = bronze('one', { from: files('one.csv') })
const daily = gold('daily', { query: sql\`select count(*) as n from \${raw}\` })
export default defineLake({
  name: 'shop',
  datasets: [daily],
  exports: [warehouse(redshift({ url: secret('env:REDSHIFT_URL'), ${options} }), { tables: [${table}] })],
})`
    const project = await Project.create({ 'lake.ts': lake("role: 'admin'"), 'one.csv': 'a\n1\n' })
    const { stderr, code } = await project.cli('plan')
    expect(code).toBe(2)
    expect(stderr).toContain("'admin' is not a role")
    expect(stderr).toContain("via: 's3://bucket/prefix'")
    await project.write({
      'lake.ts': lake("catalog: 'shop_gold', via: 's3://a/b'", "{ dataset: daily, as: 'd' }"),
    })
    const other = await project.cli('plan')
    expect(other.stderr).toContain('with catalog nothing is loaded')
    expect(other.stderr).toContain('schema names the external schema')
    expect(other.stderr).toContain('with catalog, daily is read as it is in Glue')
    const named = lake("via: 's3://a/b'", "{ dataset: daily, as: 'Daily' }")
    await project.write({ 'lake.ts': named.replace('{ tables', "{ schema: 'Reports', tables") })
    const large = await project.cli('plan')
    expect(large.stderr).toContain("Redshift has names in lower case alone, and 'Daily' is none")
    expect(large.stderr).toContain("Write schema: 'reports'")
    await project.write({ 'lake.ts': lake("via: 's3://a/b'") })
    const ran = await moraine(['-C', project.folder, 'run'], {
      REDSHIFT_URL: 'postgres://admin:hidden-pass@127.0.0.1:1/dev',
    })
    expect(ran.stdout).toContain('Redshift at 127.0.0.1:1/dev: connection refused')
    expect(ran.stdout + ran.stderr).not.toContain('hidden-pass')
  })
})
