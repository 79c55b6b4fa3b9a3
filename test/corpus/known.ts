/** Columns whose type in silver is wider than their writer's (`group/case.column`), and why. */
export const wider: Record<string, string> = {
  'duckdb/hive.year': 'folders are texts, as Hive, Spark and Trino disagree on their types',
  'pyarrow/partitions.day': 'folders are texts, as Hive, Spark and Trino disagree on their types',
  'spark/parquet_int96.moment': 'INT96 does not say that it is a moment: it is its time in UTC',
  'postgres/copy_csv.ok': 't and f may be letters',
  'postgres/copy_header.ok': 't and f may be letters',
  'postgres/copy_pipes.ok': 't and f may be letters',
  'postgres/copy_quoted.ok': 't and f may be letters',
}

/** What a crawl does not see yet: encodings, packed files, escapes, words for NULL, and headers of which a name is missing. */
const unseen = [
  'mariadb/batch',
  'mariadb/outfile',
  'mariadb/outfile_csv',
  'mariadb/outfile_semicolons',
  'pandas/nulls_said',
  'postgres/copy_semicolons',
  'postgres/copy_text',
  'postgres/copy_text_header',
  'spark/csv_nulls',
  'spark/csv_two_files',
]

/** Cases whose values do not come back yet (`group/case`), and why. */
export const gaps: Record<string, string> = {
  'mariadb/xml': 'elements that are all called field, and named by an attribute, are one column',
  'tools/csv_escaped': 'escapes without quotes are not told from backslashes',
  'tools/csv_unix': 'a quoted empty field is an empty text, and not NULL',
  'tools/go_csv': 'ends of lines within a field stay as they are in the file',
  'tools/json_nested': 'a crawl does not look for rows inside of a document',
  'tools/elementtree': 'an element that comes once in a row is no list: lists has to say so',
  ...Object.fromEntries(unseen.map((id) => [id, 'a crawl does not look at it closely enough'])),
}
