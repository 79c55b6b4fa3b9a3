import { z } from 'zod'
import type {
  About,
  ArchiveOptions,
  BronzeOptions,
  ExternalOptions,
  GoldOptions,
  SilverOptions,
} from '../model.js'
import {
  columnName,
  columnNames,
  datasets,
  dialectList,
  engine,
  flag,
  interval,
  isType,
  listOf,
  number,
  object,
  oneOf,
  schedule,
  source,
  sqlTag,
  text,
  texts,
} from './expected.js'
import { type Expected, having, needed, type OptionList } from './options.js'

/*
 * The options of bronze(), silver() and gold(). A list is tied to the options' type: an option that
 * is added to one of them alone does not compile.
 */

type Shape = Record<string, z.ZodType>

const about: OptionList<About> = {
  description: text,
  owner: text,
  tags: texts,
  schedule,
  freshWithin: interval,
}

const partition: Expected = {
  is: "a list of columns or transforms such as month('…')",
  fits: (value) =>
    Array.isArray(value) &&
    value.every((item) => typeof item === 'string' || item?.kind === 'partition'),
  advise: (value) =>
    typeof value === 'string'
      ? `Wrap it in a list: ['${value}']`
      : 'Write [month(…)], imported from moraine',
}

const schema: Expected = {
  is: 'a z.object({ … })',
  fits: (value) => value instanceof z.ZodObject,
  advise: (value) => {
    if (isType(value)) return 'Its fields become the columns: z.object({ id: t.bigint() })'
    const zod3 = typeof value === 'object' && value !== null && '_def' in value
    return zod3
      ? "This schema is from Zod 3; Moraine uses Zod 4: import { z } from 'moraine'"
      : 'Write schema: z.object({ id: t.bigint() }), with t and z from moraine'
  },
}

const declaredColumns: Expected = {
  is: 'an object of types, such as { day: t.date() }',
  fits: (value) =>
    object.fits(value) && !isType(value) && Object.values(value as object).every(isType),
  advise: (value) =>
    isType(value)
      ? 'Write the object without z.object(…): columns: { day: t.date() }'
      : Array.isArray(value)
        ? 'Give each column a type: columns: { day: t.date() }'
        : 'Types are functions, so call them: t.date(), t.bigint(), t.decimal(12, 2)',
}

const select: Expected = {
  is: 'an object of column names and sql`…`',
  fits: (value) =>
    object.fits(value) &&
    Object.values(value as object).every(
      (item) => item === undefined || typeof item === 'string' || sqlTag.fits(item),
    ),
  advise: (value) =>
    Array.isArray(value)
      ? 'All columns of the schema are read anyway; select is only for columns that are renamed or computed.'
      : "Write select: { id: 'order_id', total: sql`price * quantity` }",
}

const severities = ['discard', 'warn', 'fail']
export const ruleList = listOf('rule', "rule('ships after it was ordered', sql`…`)")
const checks = listOf('check', "check.unique('id')")

export const bronzeOptions: OptionList<BronzeOptions<string>> = {
  ...about,
  from: needed(source),
  format: text,
  compression: text,
  archive: having<ArchiveOptions>(
    { lock: needed(interval) },
    "true, or { lock: '365 days' }",
    flag,
  ),
  keep: interval,
}

export const silverOptions: OptionList<SilverOptions<Shape>> = {
  ...about,
  from: needed(datasets),
  select,
  schema: needed(schema),
  key: columnNames,
  cursor: columnName,
  rules: {
    ...ruleList,
    fits: (value) => typeof value === 'function' || ruleList.fits(value),
  },
  severity: {
    is: "an object such as { amount: 'warn' }",
    fits: (value) =>
      object.fits(value) && Object.values(value as object).every(oneOf(...severities).fits),
  },
  partitionBy: partition,
  deleteWhen: sqlTag,
  onInvalidUpdate: oneOf('keep', 'remove'),
  identifies: columnNames,
  checks,
  history: flag,
  keep: having<Exclude<SilverOptions<Shape>['keep'], string | undefined>>(
    { for: needed(interval), by: columnName },
    "a duration such as '400 days', or { for: '400 days', by: 'ordered_at' }",
    interval,
  ),
  compression: oneOf('zstd', 'snappy'),
  writes: oneOf('allow'),
  engine,
}

export const externalOptions: OptionList<ExternalOptions<Shape>> = {
  columns: declaredColumns,
  description: text,
  owner: text,
  tags: texts,
}

export const goldOptions: OptionList<GoldOptions<Shape>> = {
  ...about,
  query: needed(sqlTag),
  dialects: dialectList,
  columns: declaredColumns,
  partitionBy: partition,
  incremental: having<NonNullable<GoldOptions<Shape>['incremental']>>(
    {
      by: needed(columnName),
      affects: having<{ before?: number; after?: number }>({ before: number, after: number }),
    },
    "an object such as { by: 'day' }",
    {
      is: '',
      fits: () => false,
      advise: (value) =>
        `Write incremental: { by: '${typeof value === 'string' ? value : 'day'}' }`,
    },
  ),
  checks,
  keep: having<NonNullable<GoldOptions<Shape>['keep']>>(
    { for: needed(interval), by: needed(columnName) },
    "an object such as { for: '3650 days', by: 'day' }",
  ),
  compression: oneOf('zstd', 'snappy'),
  writes: oneOf('allow'),
  view: flag,
  engine,
}
