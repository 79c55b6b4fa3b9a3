import { MoraineError } from '../../../errors.js'
import type { Caller } from '../../../query/service/request.js'
import type { QueryService } from '../../../query/service/service.js'
import { cursorOver } from '../../../sql/trino/parse/parse.js'
import { quote, text } from '../../../sql/trino/write/scope.js'
import { isManaged } from '../../rest/names.js'
import type { AthenaExecutions } from '../athena/executions.js'
import type { LakeAccess } from '../athena/lake-access.js'
import type { Relation } from '../athena/relations/relation.js'
import { CATALOG } from '../athena/tables.js'
import { workgroupOf } from '../athena/workgroups.js'
import { AwsError } from '../protocol/failure.js'
import type { Fields } from '../protocol/fields.js'

export interface PartitionParts {
  service: QueryService
  access: LakeAccess
  executions: AthenaExecutions
}

/** Hive's name for the partition of rows that have none. */
const NONE = '__HIVE_DEFAULT_PARTITION__'

/** Partitions of an answer. */
const MOST = 100_000

/** Types whose values have one text alone. */
const TYPES: Readonly<Record<string, string>> = {
  ...{ INTEGER: 'int', BIGINT: 'bigint', VARCHAR: 'string', DATE: 'date', BOOLEAN: 'boolean' },
  TIMESTAMP: 'timestamp',
}

/**
 * The columns that are partitions by themselves, as Hive has them; none where the table has no
 * partitions, or hides them.
 */
async function partitionColumns(
  { access }: Pick<PartitionParts, 'access'>,
  { schema, name, kind, columns }: Relation,
): Promise<string[]> {
  const identifier = await access.identifier({ schema, name })
  if (kind === 'view' || isManaged(identifier.namespace)) return []
  const metadata = await access.metadata(identifier).catch(() => undefined)
  const spec = metadata?.['partition-specs'].find(
    (one) => one['spec-id'] === metadata['default-spec-id'],
  )
  const fields = spec?.fields ?? []
  const schemas = metadata?.schemas ?? []
  const known = schemas.flatMap((one) => one.fields)
  if (fields.some(({ transform }) => transform !== 'identity')) return []
  return fields.flatMap((field) => {
    const found = known.findLast(({ id }) => id === field['source-id'])
    return columns.some((one) => one.name === found?.name) && found ? [found.name] : []
  })
}

/**
 * The values of partitions that an expression is true of: `(day='2026-01-01' and n=1) or …`.
 *
 * @throws AwsError for an expression over anything else than partitions.
 */
export async function partitionValues(
  parts: PartitionParts,
  caller: Caller,
  table: Relation,
  expression: string | undefined,
): Promise<string[][]> {
  const columns = await partitionColumns(parts, table)
  const isAll = expression === undefined || expression === ''
  if (isAll && columns.some((one) => typeIn(table, one) === undefined)) return []
  if (columns.length === 0) {
    if (isAll) return []
    throw strange(
      `${table.schema}.${table.name} has no columns that are its partitions by themselves: create it WITH (partitioned_by = ARRAY['column'])`,
    )
  }
  refuseTypes(table, columns)
  const where = isAll ? '' : ` WHERE ${conditionOf(expression, columns)}`
  const texts = columns.map((one) => `CAST(${quote(one)} AS VARCHAR)`)
  const from = `${quote(table.schema)}.${quote(table.name)}`
  await using answer = await parts.service.query({
    principal: caller,
    sql: `SELECT DISTINCT ${texts.join(', ')} FROM ${from}${where}`,
    maxRows: MOST + 1,
  })
  const found: string[][] = []
  for await (const rows of answer.rows)
    for (const row of rows) found.push(row.map((value) => (value === null ? NONE : String(value))))
  if (found.length > MOST)
    throw strange(
      `${table.schema}.${table.name} has more than ${MOST} partitions: choose some with Expression`,
    )
  return found
}

/**
 * A page of partitions. Each begins after the last of the page before, and not at its number:
 * clients delete the partitions of a page before they ask for the next.
 */
export function partitionPage(all: readonly string[][], sent: Fields) {
  const token = sent.optional('NextToken', { most: 8192 })
  const after = token ? Buffer.from(token, 'base64url').toString() : ''
  const keys = all.map((values) => JSON.stringify(values)).filter((key) => key > after)
  const size = sent.number('MaxResults', { least: 1, most: 1000, otherwise: 1000 })
  const shown = keys.sort().slice(0, size)
  const last = keys.length > shown.length ? shown.at(-1) : undefined
  return {
    items: shown.map((key) => JSON.parse(key) as string[]),
    next: last === undefined ? {} : { NextToken: Buffer.from(last).toString('base64url') },
  }
}

/** Deletes the rows of partitions, by a statement like all others. */
export async function deletePartitions(
  parts: PartitionParts,
  caller: Caller,
  table: Relation,
  partitions: readonly string[][],
): Promise<void> {
  if (partitions.length === 0) return
  const columns = await partitionColumns(parts, table)
  refuseTypes(table, columns)
  const conditions = partitions.map((values) => {
    if (values.length !== columns.length || values.length === 0)
      throw strange(
        `A partition of ${table.schema}.${table.name} has ${columns.length} values: ${columns.join(', ')}`,
      )
    const each = values.map((value, i) => {
      const name = columns[i] as string
      const column = quote(name)
      if (value !== NONE && typeIn(table, name) === 'timestamp')
        return `${column} = TIMESTAMP ${text(value)}`
      return value === NONE ? `${column} IS NULL` : `CAST(${column} AS varchar) = ${text(value)}`
    })
    return `(${each.join(' AND ')})`
  })
  const query = `DELETE FROM ${quote(table.schema)}.${quote(table.name)} WHERE ${conditions.join(' OR ')}`
  const asked = { query, parameters: [], catalog: CATALOG, database: undefined, folder: undefined }
  const { name: workgroup, group } = workgroupOf(parts.service, caller, undefined)
  const { id, done } = parts.executions.start(caller, {
    ...{ ...asked, workgroup, group, token: undefined },
    ...{ reuse: undefined, reuseMinutes: 60 },
  })
  await done
  const { state, reason } = parts.executions.get(caller, id)
  if (state !== 'SUCCEEDED') throw new MoraineError('query', reason ?? 'Its rows are not deleted')
}

/** Values of partitions as a client sends them. */
export function partitionsIn(sent: Fields): string[][] {
  const lists = sent.parts('PartitionsToDelete', { most: 25 })
  return lists.map((one) => one.list('Values', { most: 100 }))
}

function refuseTypes(table: Relation, partitions: readonly string[]): void {
  const other = partitions.find((one) => typeIn(table, one) === undefined)
  if (other !== undefined)
    throw strange(
      `Partitions of ${table.schema}.${table.name} are of the column ${other}, and partitions are listed here of ${Object.values(TYPES).join(', ')}`,
    )
}

/** The type of a column, if its values have one text alone. */
function typeIn({ columns }: Relation, name: string): string | undefined {
  const type = columns.find((column) => column.name === name)?.type.toUpperCase() ?? ''
  return Object.hasOwn(TYPES, type) ? TYPES[type] : undefined
}

const WORDS = ['AND', 'OR', 'NOT', 'IN', 'BETWEEN', 'LIKE', 'IS', 'NULL', 'TRUE', 'FALSE']
const SYMBOLS = ['(', ')', ',', '=', '<>', '!=', '<', '<=', '>', '>=']

/** A condition of Glue's as the engine has it: of columns, constants and comparisons alone. */
function conditionOf(expression: string, columns: readonly string[]): string {
  const cursor = cursorOver(expression)
  const pieces: string[] = []
  for (;;) {
    const { kind, text: word, raw } = cursor.next()
    if (kind === 'end') return `(${pieces.join(' ')})`
    const column = columns.find((one) => one.toLowerCase() === word.toLowerCase())
    if ((kind === 'word' || kind === 'quoted') && column !== undefined) pieces.push(quote(column))
    else if (kind === 'string') pieces.push(text(word))
    else if (kind === 'integer' || kind === 'decimal') pieces.push(word)
    else if (kind === 'word' && WORDS.includes(word)) pieces.push(word)
    else if (kind === 'symbol' && SYMBOLS.includes(word)) pieces.push(word)
    else
      throw strange(
        `'${raw.slice(0, 60)}' does not stand in an expression over partitions, which are: ${columns.join(', ')}`,
      )
  }
}

const strange = (why: string) => new AwsError('InvalidInputException', why)
