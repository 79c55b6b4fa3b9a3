import type { Principal } from '../../../define/access/principal.js'
import { fullName } from '../../../define/dataset.js'
import { exportedAfter } from '../../../define/export/target.js'
import type { Lake } from '../../../define/lake.js'
import type { AnyDataset, Bronze } from '../../../define/model.js'
import type { Job } from '../../../plan/jobs.js'
import { awsSecretsIn, secretName } from '../../../source/declare/aws-secrets-in.js'
import type { AwsDeploy } from '../../options/aws.js'
import { upstreamOf } from '../jobs.js'

/**
 * What a job may do, as data: its role says nothing else. Prefixes are of objects of the lake and
 * end with `/`; those of other buckets are `s3://…` locations.
 */
export interface Rights {
  readonly job: string
  /** Objects that it reads and lists. */
  readonly reads: readonly string[]
  /** Objects that it creates, and so reads, too; of other buckets, files of exports. */
  readonly writes: readonly string[]
  /** Objects that it removes. */
  readonly removes: readonly string[]
  /** Objects of which it removes the one version that it has taken in. */
  readonly takes: readonly string[]
  /** Originals that it keeps from being removed: without an end, or for a time. */
  readonly holds: readonly string[]
  readonly locks: readonly string[]
  /** Tables that it builds, and tables that it reads beside. */
  readonly builds: readonly string[]
  readonly uses: readonly string[]
  /** Secrets whose values it gets, by name or ARN. */
  readonly secrets: readonly string[]
}

/** What each run does with the log: `docs/architecture.md` has its folders. */
const LOG = '_moraine/'
/** Never of `log/`: what was committed stays. */
const REMOVED_OF_LOG = ['checkpoints', 'coming', 'exports', 'leases', 'live', 'probe', 'reading']

/**
 * Folders in which objects of datasets lie beside those that their names say, by these names: a
 * table and a batch stay where they were made when a dataset is renamed, or `folders` changes.
 */
export type OlderFolders = ReadonlyMap<string, readonly string[]>

/** What a job may do, by the lineage of its datasets. */
export function rightsOf(
  lake: Lake,
  deploy: AwsDeploy,
  job: Job,
  olderFolders: OlderFolders = new Map(),
): Rights {
  const uses = upstreamOf(job)
  const foldersIn = (datasets: readonly AnyDataset[]) =>
    datasets.flatMap((dataset) => foldersOf({ lake, olderFolders }, dataset))
  const own = foldersIn(job.datasets)
  const bronze = job.datasets.filter(({ tier }) => tier === 'bronze')
  const { inside, outside } = sourcesOf(bronze)
  const externals = lake.externals.length > 0 ? ['external/'] : []
  const exported = exportsOf(lake, job)
  return {
    job: job.name,
    reads: sorted([
      ...foldersIn(uses),
      ...externals,
      ...outside,
      ...foldersIn(exported.tables),
      ...exported.places,
    ]),
    writes: sorted([LOG, ...own, ...inside, 'scratch/', ...exported.places]),
    removes: sorted([
      ...REMOVED_OF_LOG.map((folder) => `${LOG}${folder}/`),
      ...own.filter((folder) => folder.startsWith('bronze/')),
      ...inside,
      ...inboxesOf(bronze),
      'scratch/',
      ...exported.places,
    ]),
    takes: sorted([...inside, ...inboxesOf(bronze)]),
    holds: archivesOf(bronze.filter((one) => !isLocked(one))),
    locks: archivesOf(bronze.filter(isLocked)),
    builds: job.datasets.map(fullName),
    uses: uses.map(fullName),
    secrets: sorted([
      ...sharedSecrets(deploy),
      ...awsSecretsIn([lake.alerts, exported.targets]),
      ...bronze.flatMap((dataset) => awsSecretsIn((dataset as Bronze).from)),
    ]),
  }
}

/**
 * The same rights with whole layers in the place of all of their folders, for a job that has all of
 * these: they are no more, and fewer words.
 */
export function inLayers(of: OfFolders, rights: Rights): Rights {
  const { lake } = of
  const known = lake.datasets.flatMap((dataset) => [
    ...foldersOf(of, dataset),
    ...sourcesOf([dataset]).inside,
  ])
  const layers = ['bronze/', 'archive/', ...layersOf({ lake }).map((layer) => `${layer}/`)]
  const merged = (paths: readonly string[]) => {
    const whole = layers.filter((layer) => {
      const all = known.filter((folder) => folder.startsWith(layer))
      return all.length > 1 && all.every((folder) => paths.includes(folder))
    })
    const others = paths.filter((path) => !whole.some((layer) => path.startsWith(layer)))
    return sorted([...whole, ...others])
  }
  const { reads, writes, removes, takes, holds, locks } = rights
  // What is read beside what is written is one list.
  const seen = merged([...reads, ...writes])
  return {
    ...rights,
    reads: seen
      .filter((path) => !path.startsWith('s3://'))
      .concat(reads.filter((one) => one.startsWith('s3://'))),
    writes: merged(writes),
    removes: merged(removes),
    takes: merged(takes),
    holds: merged(holds),
    locks: merged(locks),
  }
}

const sorted = (texts: readonly string[]) => [...new Set(texts)].sort()

/** Secrets that each function needs, which loads `lake.ts` whole: those of variables. */
export const sharedSecrets = ({ secrets = {} }: AwsDeploy): string[] =>
  sorted(Object.values(secrets).map(secretName))

/** What a principal proves by who it is. */
export const proofsOf = (one: Principal) => {
  const { token, clientSecret, secretAccessKey, password } = one
  return [token, clientSecret, secretAccessKey, password]
}

/** Secrets that the catalog needs, by which it knows who asks. */
export const catalogSecrets = ({ lake, deploy }: { lake: Lake; deploy: AwsDeploy }): string[] =>
  sorted([...sharedSecrets(deploy), ...awsSecretsIn(lake.access?.map(proofsOf))])

interface OfFolders {
  readonly lake: Lake
  readonly olderFolders: OlderFolders
}

/** Folders in which a dataset's files lie. */
export function foldersOf({ lake, olderFolders }: OfFolders, dataset: AnyDataset): string[] {
  const older = olderFolders.get(fullName(dataset)) ?? []
  return [...new Set([...foldersByName(lake, dataset), ...older])]
}

/** Folders in which those files lie that a dataset's next runs make, if it is new. */
export function foldersByName(lake: Lake, dataset: AnyDataset): string[] {
  const { tier, name } = dataset
  if (tier === 'bronze')
    return [`bronze/${name}/`, ...(isArchived(dataset) ? [`archive/${name}/`] : [])]
  const folder = `${lake.folders[tier] ?? tier}/${name}/`
  // Tables stay where they were before `folders` said otherwise.
  const before = lake.folders[tier] === undefined ? [] : [`${tier}/${name}/`]
  if (tier === 'gold') return [folder, ...before]
  const beside = ['discarded', 'tombstones', 'deleted'].map((of) => `${of}/${name}/`)
  return [folder, ...before, ...beside, ...(dataset.history ? [`history/${name}/`] : [])]
}

/** Folders of all tables of silver and gold, and of what is beside them. */
export function layersOf({ lake }: { lake: Lake }): string[] {
  const named = Object.values(lake.folders).filter((folder) => folder !== undefined)
  const all = ['silver', 'gold', 'discarded', 'tombstones', 'deleted', 'history', ...named]
  // One that lies in another is reached by that.
  return sorted(all).filter((one) => !all.some((other) => one.startsWith(`${other}/`)))
}

const isArchived = (dataset: AnyDataset) => dataset.tier === 'bronze' && dataset.archive

/** Whether archived originals of a dataset can't be removed for a time. */
const isLocked = (dataset: AnyDataset) => dataset.tier === 'bronze' && dataset.lock !== undefined

/** Whether the bucket has object lock, in which whatever is archived gets at least a legal hold. */
export const locksObjects = ({ deploy, lake }: { deploy: AwsDeploy; lake: Lake }) =>
  deploy.archiveLock || lake.datasets.some(isLocked)

const archivesOf = (bronze: readonly AnyDataset[]) =>
  sorted(bronze.filter(isArchived).map(({ name }) => `archive/${name}/`))

/** Where rows arrive: in the lake, or elsewhere. */
function sourcesOf(bronze: readonly AnyDataset[]) {
  const inside: string[] = []
  const outside: string[] = []
  for (const dataset of bronze) {
    if (dataset.tier !== 'bronze') continue
    const { from, name } = dataset
    if (from.kind === 'ingest' || (from.kind === 'inbox' && from.path === undefined))
      inside.push(`bronze/landing/${name}/`)
    if (from.kind === 'inbox' && from.path) outside.push(...bucketFolder(from.path))
    if (from.kind === 'files') outside.push(...from.paths.flatMap(bucketPrefix))
  }
  return { inside, outside }
}

/** What is exported after runs of a job, and the places in buckets where files of it go. */
function exportsOf({ exports }: Lake, job: Job) {
  const chosen = exportedAfter(exports, (dataset) => job.datasets.includes(dataset))
  return {
    targets: chosen.map(({ target }) => target),
    tables: chosen.flatMap(({ tables }): AnyDataset[] => tables.map(({ dataset }) => dataset)),
    places: chosen.flatMap(({ target }) => {
      if (target.kind === 'folder') return bucketFolder(target.path)
      return target.kind === 'redshift' ? bucketFolder(target.via ?? '') : []
    }),
  }
}

/** The folder of a bucket that a location is; what only begins like it is none of it. */
const bucketFolder = (path: string) =>
  bucketPrefix(path).map((location) => `${location.replace(/\/+$/, '')}/`)

/** Places of buckets in which rows lie for as long as a warehouse copies them. */
export const placesOfCopies = ({ exports }: Lake): string[] =>
  exports.flatMap(({ target }) =>
    target.kind === 'redshift' && target.via !== undefined ? bucketFolder(target.via) : [],
  )

/** Inboxes of other buckets, which are emptied. */
function inboxesOf(bronze: readonly AnyDataset[]): string[] {
  return bronze.flatMap((dataset) =>
    dataset.tier === 'bronze' && dataset.from.kind === 'inbox' && dataset.from.path
      ? bucketFolder(dataset.from.path)
      : [],
  )
}

/** The part of a location before its first wildcard; nothing for folders of a machine. */
function bucketPrefix(path: string): string[] {
  const [, before = ''] = /^(s3:\/\/[^*?[\]{}]+)/.exec(path.split('?')[0] ?? '') ?? []
  return before === '' ? [] : [before]
}
