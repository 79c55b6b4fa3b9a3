import { isObject, type Json } from '../../../iceberg/spec/updates/json.js'
import { ownValue } from '../../../own-value.js'

/** Why a client may not make an update of a table of `lake.ts`, and what to do instead. */
export function refusedUpdate(table: string, update: Json): string {
  return (ownValue(byAction, String(update.action)) ?? otherwise)(table, update)
}

export const refusedDrop = (table: string) =>
  `Cannot drop ${table}: lake.ts defines it. Remove it there, then run: moraine drop ${table}`

export const refusedRename = (table: string) =>
  `Cannot rename ${table}: lake.ts defines it. Rename it there, then run: moraine rename ${table} <new name>`

export const refusedBuiltDrop = (table: string) =>
  `Cannot drop ${table}: the lake has it. A run's engine drops only what it has created itself`

type Refusal = (table: string, update: Json) => string

/** The words for what a snapshot does. */
const operations: Readonly<Record<string, string>> = {
  append: 'append to',
  overwrite: 'change rows of',
  delete: 'delete from',
}

/** The same of a snapshot. */
export function refusedSnapshot(table: string, snapshot: unknown): string {
  const summary = isObject(snapshot) && isObject(snapshot.summary) ? snapshot.summary : {}
  const doing = ownValue(operations, String(summary.operation)) ?? 'write to'
  const allowed = /^(silver|gold)\./.test(table)
    ? `, or set writes: 'allow' on the dataset in lake.ts`
    : ''
  return `Cannot ${doing} ${table}: its rows are computed from its inputs, as lake.ts says, and a later run would not know of these. Write to a table in a namespace of your own instead${allowed}`
}

/** The same of a snapshot that says how many of those before it are kept. */
export const refusedRetention = (table: string) =>
  `Cannot set which snapshots of ${table} are kept: earlier states of the lake refer to their files. Leave min-snapshots-to-keep, max-snapshot-age-ms and max-ref-age-ms of main as they are, and run instead: moraine vacuum --history <time>`

const columns: Refusal = (table) =>
  `Cannot change the columns of ${table}: lake.ts defines them. Change them there, then run: moraine run`

const partitions: Refusal = (table) =>
  `Cannot change the partitions of ${table}: lake.ts defines them. Change partitionBy there, then run: moraine run`

const order: Refusal = (table) =>
  `Cannot change the sort order of ${table}: moraine run writes its files. To sort them, run: moraine optimize ${table} --order-by <columns>`

const properties: Refusal = (table) =>
  `Cannot change the properties of ${table}: lake.ts defines it. Its description, owner and compression are set there`

const expire: Refusal = (table) =>
  `Cannot remove snapshots of ${table}: earlier states of the lake refer to their files. Run instead: moraine vacuum --history <time>`

const branch: Refusal = (table, update) => {
  const name = String(update['ref-name'] ?? '')
  return name === 'main'
    ? `Cannot set ${table} to another snapshot: it would not match the other tables. To go back to an earlier state of the lake, run: moraine rollback`
    : `Cannot create or change the branch ${name} of ${table}: it can have tags, but no branches. Write to a table in a namespace of your own instead`
}

const otherwise: Refusal = (table) =>
  `Cannot change ${table}: lake.ts defines it. Change the definition, then run: moraine run`

const byAction: Readonly<Record<string, Refusal>> = {
  'add-snapshot': (table, { snapshot }) => refusedSnapshot(table, snapshot),
  'add-schema': columns,
  'set-current-schema': columns,
  'remove-schemas': columns,
  'add-spec': partitions,
  'set-default-spec': partitions,
  'remove-partition-specs': partitions,
  'add-sort-order': order,
  'set-default-sort-order': order,
  'set-properties': properties,
  'remove-properties': properties,
  'set-location': (table) =>
    `Cannot move ${table}: all tables of the lake lie below its root. To move the lake, run: moraine copy`,
  'upgrade-format-version': (table) =>
    `Cannot upgrade the format of ${table}: moraine run writes version 2. Tables in a namespace of your own may have version 3`,
  'remove-snapshots': expire,
  'set-snapshot-ref': branch,
  'remove-snapshot-ref': branch,
}
