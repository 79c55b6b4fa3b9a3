import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'

/** DuckDB with its tpcds extension. */
export async function withTpcds(extensions: string): Promise<DuckDBConnection> {
  const instance = await DuckDBInstance.create(':memory:', {
    extension_directory: extensions,
    autoinstall_known_extensions: 'false',
  })
  const connection = await instance.connect()
  await connection.run('LOAD tpcds')
  return connection
}

/** A query of the specification with each table named by its layer. */
export async function inSilver(
  connection: DuckDBConnection,
  sql: string,
  tables: ReadonlySet<string>,
): Promise<string> {
  const text = (value: string) => `'${value.replaceAll("'", "''")}'`
  const one = async (query: string) =>
    String((await connection.runAndReadAll(query)).getRows()[0]?.[0])
  const tree = await one(`SELECT json_serialize_sql(${text(sql)})::VARCHAR`)
  const named = JSON.parse(tree, (key, node) => {
    // Beyond what a number holds, and of no use.
    if (key === 'query_location') return 0
    const isTable = node?.type === 'BASE_TABLE' && tables.has(node.table_name) && !node.schema_name
    return isTable ? { ...node, schema_name: 'silver' } : node
  })
  return one(`SELECT json_deserialize_sql(${text(JSON.stringify(named))}::JSON)`)
}

/** The 99 queries of the specification over a lake's silver tables. */
export async function tpcdsQueries(extensions: string): Promise<string[]> {
  const connection = await withTpcds(extensions)
  const rows = async (sql: string) => (await connection.runAndReadAll(sql)).getRowObjectsJson()
  await connection.run('CALL dsdgen(sf = 0)')
  const tables = (await rows('SELECT table_name AS n FROM duckdb_tables()')).map(({ n }) =>
    String(n),
  )
  const found = await rows('SELECT query FROM tpcds_queries() ORDER BY query_nr')
  return Promise.all(
    found.map(({ query }) =>
      inSilver(connection, String(query).replace(/;\s*$/, ''), new Set(tables)),
    ),
  )
}
