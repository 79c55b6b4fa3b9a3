import type { SourceLocation } from '../../errors.js'
import { callSite } from '../call-site.js'
import { type QueryLimits, queryLimits } from '../limits.js'
import { counting, flag, text, texts } from '../options/expected.js'
import { checked, checkedArguments, type Expected, type OptionList } from '../options/options.js'
import { mistake } from '../problems/mistakes.js'
import { bytesOf } from '../size.js'
import { type Granted, grantsIn, grantsList, type WrittenGrant } from './principal.js'

/**
 * Limits of the queries of some principals on `moraine serve --query`; and of the team of the same
 * name on Athena, if the lake is deployed. `maxRows`, `timeout` and so on are those of one query.
 */
export interface WorkgroupOptions extends QueryLimits {
  /** Names of the principals that may use it. Default: all. */
  members?: readonly string[]
  /** Tables that its queries may name, of those that the principal may read. Default: all. */
  tables?: readonly Granted[]
  /**
   * Data that one query may read, such as `10GB`. It is known from the tables' manifests before
   * anything is read: a query that would read more is refused. Default: no limit.
   */
  maxScan?: string
  /** Data that all of its queries may read in a day (UTC), such as `1TB`. Default: no limit. */
  maxScanPerDay?: string
  /** Queries that run at the same time; others wait, each principal in turn. Default: 8. */
  concurrency?: number
  /** Queries that may wait; more are refused. Default: 100. */
  waiting?: number
  /** Tables that need a condition on the column that they are partitioned by. */
  partitionFilters?: readonly Granted[]
  /**
   * Where results of Athena's clients are written, such as `s3://results/bi/`. The bucket is a
   * name below `.moraine/s3`, on the machine that serves, also where the lake is in a bucket.
   */
  output?: string
  /** Whether settings of the workgroup replace those of clients. Default: true. */
  enforced?: boolean
}

/** A checked workgroup. */
export interface Workgroup {
  readonly kind: 'workgroup'
  readonly name: string
  readonly members: readonly string[] | undefined
  readonly tables: readonly WrittenGrant[] | undefined
  readonly limits: QueryLimits
  /** Bytes. */
  readonly maxScan: number | undefined
  readonly maxScanPerDay: number | undefined
  readonly concurrency: number
  readonly waiting: number
  readonly partitionFilters: readonly WrittenGrant[]
  readonly output: string | undefined
  readonly enforced: boolean
  readonly place: SourceLocation | undefined
}

const size: Expected = {
  is: "a size such as '10GB' or '1TB'",
  fits: (value) => typeof value === 'string' && bytesOf(value) !== undefined,
}

const workgroupOptions: OptionList<WorkgroupOptions> = {
  ...queryLimits,
  members: texts,
  tables: grantsList,
  maxScan: size,
  maxScanPerDay: size,
  concurrency: counting,
  waiting: counting,
  partitionFilters: grantsList,
  output: text,
  enforced: flag,
}

const workgroupName: Expected = {
  is: 'a name of 1 to 128 letters, digits, and . _ -',
  fits: (value) => typeof value === 'string' && /^[A-Za-z0-9._-]{1,128}$/.test(value),
}

/** Queries that run at the same time, and that wait, where nothing is said. */
export const USUAL = { concurrency: 8, waiting: 100 }

/**
 * Limits of the queries of some principals on `moraine serve --query`.
 *
 * @example workgroup('bi', { members: ['analysts'], maxScan: '10GB', timeout: '2m' })
 */
export function workgroup(name: string, options: WorkgroupOptions = {}): Workgroup {
  const named = checkedArguments('workgroup(…)', { name }, { name: workgroupName }).name ?? ''
  const of = `workgroup '${named}'`
  const good = checked<WorkgroupOptions>(of, options, workgroupOptions)
  const { memory, timeout, spill, maxRows, maxBytes, threads } = good
  const limits = Object.fromEntries(
    Object.entries({ memory, timeout, spill, maxRows, maxBytes, threads }).filter(
      ([, value]) => value !== undefined,
    ),
  )
  if (good.members?.length === 0)
    mistake(`${of} has no members`, 'members:', 'Name principals, or leave members out.')
  return {
    kind: 'workgroup',
    name: named,
    members: good.members,
    tables: good.tables && grantsIn(of, good.tables),
    limits,
    maxScan: bytesOf(good.maxScan ?? ''),
    maxScanPerDay: bytesOf(good.maxScanPerDay ?? ''),
    concurrency: good.concurrency ?? USUAL.concurrency,
    waiting: good.waiting ?? USUAL.waiting,
    partitionFilters: grantsIn(of, good.partitionFilters ?? []),
    output: good.output,
    enforced: good.enforced ?? true,
    place: callSite(),
  }
}

export const isWorkgroup = (value: unknown): value is Workgroup =>
  typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'workgroup'
