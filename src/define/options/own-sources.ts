import { shownUrl } from '../../secrets.js'
import type { AnyDataset, Bronze } from '../model.js'
import type { DatabaseSource, FilesSource, HttpSource, Source } from '../source.js'
import { fullName } from '../sql/name.js'
import { countOf } from '../thousands.js'
import type { Environment, Sample } from './environments.js'

/** What a dataset is read from in an environment, instead of its own source. */
export interface OwnSource {
  readonly source: Source
  /** In words: `data/dev/*.csv`, `the first 10,000 rows of its source`. */
  readonly from: string
  /** How many rows are read at most, once. */
  readonly sample?: number
  /** What tells it from others, without secrets: with another one the dataset begins anew. */
  readonly identity: string
}

/** By the full names of datasets. */
export type OwnSources = ReadonlyMap<string, OwnSource>

/** The sources that an environment names, of datasets that there are. */
export function ownSourcesOf(
  { sources = {} }: Pick<Environment, 'sources'>,
  datasets: readonly AnyDataset[],
): OwnSources {
  const given = new Map<string, Source | Sample>(Object.entries(sources))
  return new Map(
    datasets.flatMap((dataset) => {
      const said = dataset.tier === 'bronze' ? given.get(fullName(dataset)) : undefined
      const own = said && ownSource(dataset as Bronze, said)
      return own ? [[fullName(dataset), own] as const] : []
    }),
  )
}

export const isSample = (value: object): value is Sample => 'sample' in value

function ownSource({ from }: Bronze, said: Source | Sample): OwnSource | undefined {
  if (!isSample(said)) return { source: said, from: sourceText(said), identity: identityOf(said) }
  const { sample } = said
  const source = sampleOf(from, sample)
  return (
    source && {
      source,
      sample,
      from: `the first ${countOf(sample, 'row')} of its source`,
      identity: `${sample} ${identityOf(from)}`,
    }
  )
}

/** A source that gives the first rows of another one; `undefined` where that can't be. */
export function sampleOf(source: Source, most: number): Source | undefined {
  switch (source.kind) {
    case 'files':
      return source.follow ? undefined : { ...source, most }
    case 'http':
      return { ...source, most }
    case 'database':
      return sampleOfRows(source, most)
    default:
      // What arrives there is gone once it is read.
      return undefined
  }
}

/** It is read once and as a whole: without a cursor. Deletes are marked in a column that stays. */
function sampleOfRows({ reads, where, ...source }: DatabaseSource, most: number): DatabaseSource {
  const rows = 'table' in reads ? reads.table : `(${reads.query}) AS s`
  const of = where === undefined ? rows : `${rows} WHERE ${where}`
  const query =
    source.database === 'sqlserver'
      ? `SELECT TOP (${most}) * FROM ${of}`
      : `SELECT * FROM ${of} LIMIT ${most}`
  return { ...source, reads: { query }, where: undefined, cursor: undefined, lag: 0 }
}

/** A source in words, without what is secret of it. */
function sourceText(source: Source): string {
  switch (source.kind) {
    case 'files':
      return shownPaths(source).join(', ')
    case 'database':
      return `${'table' in source.reads ? `table ${source.reads.table}` : 'a query'} of ${placeOf(source)}`
    case 'http':
      return shownUrl(source.url)
    default:
      return `an ${source.kind}`
  }
}

const shownPaths = ({ paths }: FilesSource) =>
  paths.map((path) => (/^\w[\w+.-]+:\/\//.test(path) ? shownUrl(path) : path))

/** Which database, as far as that is no secret. */
function placeOf({ database, connection }: DatabaseSource): string {
  const { url, host, database: name } = connection
  const at = typeof url === 'string' && URL.canParse(url) ? new URL(url) : undefined
  const said = at ? `${at.host}${at.pathname}` : [host, name].filter(Boolean).join('/')
  return said === '' ? database : `${database} ${said}`
}

function identityOf(source: Source): string {
  switch (source.kind) {
    case 'files':
      return JSON.stringify(['files', ...shownPaths(source)])
    case 'database': {
      const { reads, columns, where, cursor } = source
      return JSON.stringify(['database', placeOf(source), reads, columns, where, cursor])
    }
    case 'http':
      return JSON.stringify(['http', ...asked(source)])
    default:
      return JSON.stringify([source.kind])
  }
}

/** Headers and tokens do not decide which rows there are, and parameters may be secret. */
const asked = ({ url, rows, cursor }: HttpSource) => [shownUrl(url), rows, cursor?.column]

/**
 * Has datasets of a definition that was just loaded read other sources: in their place, as SQL and
 * other datasets refer to them. For another lake; a branch keeps what main is defined by. Nothing
 * of it is exported: warehouses have rows of the lake's own sources.
 */
export function replaceSources(lake: Replaced, sources: OwnSources): void {
  for (const dataset of lake.datasets) {
    const own = sources.get(fullName(dataset))
    if (own) (dataset as { from: Source }).from = own.source
  }
  leaveInboxes(lake.datasets)
  lake.exports = []
}

/**
 * Has inboxes elsewhere be folders of the lake beside: who reads one empties it, and the real lake
 * would never have those files.
 *
 * @returns the datasets that have one.
 */
export function leaveInboxes(datasets: readonly AnyDataset[]): AnyDataset[] {
  return datasets.filter((dataset) => {
    if (dataset.tier !== 'bronze' || dataset.from.kind !== 'inbox') return false
    const { path, queue, ...others } = dataset.from
    if (path === undefined && queue === undefined) return false
    const own: { from: Source } = dataset
    own.from = { ...others, path: undefined, queue: undefined }
    return true
  })
}

/** What is changed of a lake that reads other sources. */
interface Replaced {
  datasets: readonly AnyDataset[]
  exports: readonly unknown[]
}
