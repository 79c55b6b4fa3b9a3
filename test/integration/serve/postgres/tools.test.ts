import type pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, type ServedShop, serveShop } from '../../../support/served-shop.js'

let shop: ServedShop
let client: pg.Client
beforeAll(async () => {
  shop = await serveShop()
  client = await connect(shop.port)
})
afterAll(async () => {
  await client?.end()
  await shop?.close()
})

const rows = async (sql: string, values?: unknown[]) => (await client.query(sql, values)).rows

const path = `quote_ident(table_schema) IN (
  SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
  FROM generate_series(
    array_lower(string_to_array(current_setting('search_path'),','),1),
    array_upper(string_to_array(current_setting('search_path'),','),1)) as i,
  string_to_array(current_setting('search_path'),',') s)`

/** The shapes of what tools ask, as far as they are known. */
describe('what tools ask of catalogs', () => {
  it('Grafana: its version, tables and columns', async () => {
    expect(await rows("SELECT current_setting('server_version_num')::int/100 as version")).toEqual([
      { version: 1400 },
    ])
    expect(await rows("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")).toEqual(
      [],
    )
    const tables = `SELECT CASE WHEN ${path} THEN quote_ident(table_name)
        ELSE quote_ident(table_schema) || '.' || quote_ident(table_name) END AS "table"
      FROM information_schema.tables
      WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog')
      ORDER BY CASE WHEN ${path} THEN 0 ELSE 1 END, 1`
    expect(await rows(tables)).toEqual([
      ...['daily', 'bronze.orders', 'discarded.orders', 'silver.orders'].map((table) => ({
        table,
      })),
    ])
    const columns = (
      name: string,
    ) => `SELECT quote_ident(column_name) AS "column", data_type AS "type"
      FROM information_schema.columns
      WHERE CASE WHEN array_length(parse_ident(${name}),1) = 2
        THEN quote_ident(table_schema) = (parse_ident(${name}))[1] AND quote_ident(table_name) = (parse_ident(${name}))[2]
        ELSE quote_ident(table_name) = ${name} AND ${path} END`
    const daily = [
      { column: 'day', type: 'date' },
      { column: 'revenue', type: 'numeric' },
      { column: 'orders', type: 'bigint' },
    ]
    expect(await rows(columns("'daily'"))).toEqual(daily)
    expect(await rows(columns("'gold.daily'"))).toEqual(daily)
    const points = `SELECT floor(extract(epoch from paid_at)/86400)*86400 AS "time", sum(amount) AS value
      FROM silver.orders WHERE paid_at BETWEEN '2024-01-01T00:00:00Z' AND '2024-12-31T00:00:00Z' GROUP BY 1 ORDER BY 1`
    expect(await rows(points)).toEqual([{ time: 1_706_745_600, value: '12.50' }])
  })

  it('DBeaver: databases, schemas, tables with comments, columns, types, sizes', async () => {
    await client.query("SET application_name = 'DBeaver'")
    expect(await rows('SELECT current_schema(),session_user')).toEqual([
      { current_schema: 'gold', session_user: 'ada' },
    ])
    expect(
      await rows(
        'SELECT db.oid,db.* FROM pg_catalog.pg_database db WHERE datallowconn AND NOT datistemplate ORDER BY db.datname',
      ),
    ).toMatchObject([{ datname: 'shop' }])
    const schemas = await rows(`SELECT n.oid,n.*,d.description FROM pg_catalog.pg_namespace n
      LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=n.oid AND d.objsubid=0 AND d.classoid='pg_namespace'::regclass
      ORDER BY nspname`)
    const gold = schemas.find(({ nspname }) => nspname === 'gold')
    const tables = await rows(
      `SELECT c.oid,c.*,d.description,pg_catalog.pg_get_expr(c.relpartbound, c.oid) as partition_expr, pg_catalog.pg_get_partkeydef(c.oid) as partition_key
       FROM pg_catalog.pg_class c
       LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0 AND d.classoid='pg_class'::regclass
       WHERE c.relnamespace=$1 AND c.relkind not in ('i','I','c')`,
      [gold.oid],
    )
    expect(tables).toMatchObject([
      { relname: 'daily', description: 'Revenue by day', partition_key: null },
    ])
    const columns = await rows(
      `SELECT c.relname,a.*,pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) as def_value,dsc.description,dep.objid
       FROM pg_catalog.pg_attribute a
       INNER JOIN pg_catalog.pg_class c ON (a.attrelid=c.oid)
       LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid=ad.adrelid AND a.attnum = ad.adnum)
       LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid=dsc.objoid AND a.attnum = dsc.objsubid)
       LEFT OUTER JOIN pg_depend dep on dep.refobjid = a.attrelid AND dep.deptype = 'i' and dep.refobjsubid = a.attnum and dep.classid = dep.refclassid
       WHERE NOT a.attisdropped AND c.oid=$1 ORDER BY a.attnum`,
      [tables[0].oid],
    )
    expect(columns.map(({ attname }) => attname)).toEqual(['day', 'revenue', 'orders'])
    const types =
      await rows(`SELECT t.oid,t.*,c.relkind,format_type(nullif(t.typbasetype, 0), t.typtypmod) as base_type_name, d.description
      FROM pg_catalog.pg_type t
      LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid=t.typelem
      LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid=t.typrelid
      LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid=d.objoid
      WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = 'c') AND (et.typcategory IS NULL OR et.typcategory <> 'C')`)
    expect(types).toContainEqual(expect.objectContaining({ typname: 'numeric', oid: '1700' }))
    expect(
      await rows(
        'select c.oid,pg_catalog.pg_total_relation_size(c.oid) as total_rel_size FROM pg_class c WHERE c.relnamespace=$1',
        [gold.oid],
      ),
    ).toMatchObject([{ total_rel_size: null }])
    expect(
      await rows(
        "select string_agg(word, ',') from pg_catalog.pg_get_keywords() where word <> ALL ('{a,abs,absolute}'::text[])",
      ),
    ).toHaveLength(1)
  })

  it('Metabase: what may be read, fields, foreign keys', async () => {
    const privileges = `with table_privileges as (
        select NULL as role, t.schemaname as schema, t.objectname as table,
          pg_catalog.has_any_column_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'update') as update,
          pg_catalog.has_any_column_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'select') as select
        from (
          select schemaname, tablename as objectname from pg_catalog.pg_tables
          union select schemaname, viewname as objectname from pg_catalog.pg_views
          union select schemaname, matviewname as objectname from pg_catalog.pg_matviews
        ) t
        where t.schemaname !~ '^pg_' and t.schemaname <> 'information_schema'
          and pg_catalog.has_schema_privilege(current_user, t.schemaname, 'usage')
      ) select t.* from table_privileges t order by schema`
    expect(await rows(privileges)).toMatchObject(
      ['bronze', 'discarded', 'gold', 'silver'].map((schema) => ({
        schema,
        update: false,
        select: true,
      })),
    )
    const fields = `SELECT c.column_name AS name, c.ordinal_position - 1 AS "database-position", c.table_schema AS "table-schema", c.table_name AS "table-name",
        CASE WHEN c.udt_schema IN ('public', 'pg_catalog') THEN FORMAT_TYPE(a.atttypid, -1) ELSE NULL END AS "database-type",
        pk.column_name IS NOT NULL AS "pk?", COL_DESCRIPTION(CAST(CAST(FORMAT_TYPE(0, 0) IS NOT NULL AS INT) AS BIGINT), c.ordinal_position) AS note
      FROM information_schema.columns AS c
      INNER JOIN pg_catalog.pg_namespace n ON n.nspname = c.table_schema
      INNER JOIN pg_catalog.pg_class r ON r.relnamespace = n.oid AND r.relname = c.table_name
      INNER JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid AND a.attname = c.column_name
      LEFT JOIN (SELECT tc.table_schema, tc.table_name, kc.column_name FROM information_schema.table_constraints AS tc
        INNER JOIN information_schema.key_column_usage AS kc ON tc.constraint_name = kc.constraint_name
        WHERE tc.constraint_type = 'PRIMARY KEY') AS pk ON c.table_schema = pk.table_schema AND c.table_name = pk.table_name AND c.column_name = pk.column_name
      WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' AND c.table_schema IN ('gold')
      ORDER BY "table-schema", "table-name", "database-position"`
    expect(await rows(fields)).toMatchObject([
      { name: 'day', 'database-type': 'date', 'pk?': false },
      { name: 'revenue', 'database-type': 'numeric' },
      { name: 'orders', 'database-type': 'bigint' },
    ])
    const keys = `SELECT fk_ns.nspname AS "fk-table-schema", fk_table.relname AS "fk-table-name", fk_column.attname AS "fk-column-name"
      FROM pg_constraint c JOIN pg_class fk_table ON c.conrelid = fk_table.oid
      JOIN pg_namespace fk_ns ON c.connamespace = fk_ns.oid
      JOIN pg_attribute fk_column ON c.conrelid = fk_column.attrelid
      WHERE fk_ns.nspname !~ '^information_schema|catalog_history|pg_' AND c.contype = 'f'::char AND fk_column.attnum = ANY(c.conkey)`
    expect(await rows(keys)).toEqual([])
    expect(
      await rows(
        'SELECT nspname, typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid IN (SELECT DISTINCT enumtypid FROM pg_enum e)',
      ),
    ).toEqual([])
  })
})
