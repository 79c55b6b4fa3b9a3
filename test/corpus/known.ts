/** Columns whose type in silver is wider than their writer's (`group/case.column`), and why. */
export const wider: Record<string, string> = {
  'duckdb/hive.year': 'folders are texts, as Hive, Spark and Trino disagree on their types',
  'pyarrow/partitions.day': 'folders are texts, as Hive, Spark and Trino disagree on their types',
  'spark/parquet_int96.moment': 'INT96 does not say that it is a moment: it is its time in UTC',
  'postgres/copy_csv.ok': 't and f may be letters',
  'postgres/copy_header.ok': 't and f may be letters',
  'postgres/copy_pipes.ok': 't and f may be letters',
  'postgres/copy_quoted.ok': 't and f may be letters',
  'postgres/copy_semicolons.ok': 't and f may be letters',
  'postgres/copy_text.ok': 't and f may be letters',
  'postgres/copy_text_header.ok': 't and f may be letters',
}

/** Cases whose values do not come back yet (`group/case`), and why. */
export const gaps: Record<string, string> = {
  'mariadb/xml': 'elements that are all called field, and named by an attribute, are one column',
  'tools/csv_escaped': 'an escape before a quote is seen inside of quotes only',
  'tools/elementtree': 'a crawl does not say which elements are lists, so one alone is no list',
}
