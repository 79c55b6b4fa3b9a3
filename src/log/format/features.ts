import { type ErrorDetails, MoraineError } from '../../errors.js'
import type {
  BatchPointer,
  Changes,
  Commit,
  ExternalChanges,
  ExternalState,
  FeatureUse,
  FeatureUses,
  Forgotten,
  LakeState,
  NamespaceState,
  OwnSourceState,
  TableState,
  ViewState,
} from '../commit.js'
import { program } from '../program.js'
import { WORDS } from './earlier-words.js'
import { any, fieldsByFeature, inspect, list, map, object, type Shape, since } from './shape.js'

/*
 * How to add to the format: add the field to its type in commit.ts, and below as
 * `since('its-feature')`. Name the feature here: the version of Moraine that is the first to know
 * it, and what a program can't do that does not.
 */
const features: Readonly<Record<string, Omit<FeatureUse, 'fields'>>> = {
  // The vacuum of a program that does not know it would remove what is to be put back.
  quarantine: { since: '0.1.0', needed: 'write' },
  // A writer that does not know them would leave them with files that they are not of.
  checksums: { since: '0.1.0', needed: 'write' },
  // A writer that passes over it would refer to files that are gone.
  'vacuum-cutoff': { since: '0.1.0', needed: 'write' },
  // A vacuum or a rollback of a program that does not know them would lose them.
  external: { since: '0.1.0', needed: 'write' },
  // Folded by a program that does not know them, their names would be lost.
  branches: { since: '0.1.0', needed: 'write' },
  // The same: a request that comes again would be carried out again.
  'request-keys': { since: '0.1.0', needed: 'write' },
  // A run that does not know of them would find rows missing, or drop them in silence.
  'adopted-rows': { since: '0.1.0', needed: 'write' },
  // Who passes over it computes more than needed, or asks before it does.
  'part-column': { since: '0.1.0', needed: 'none' },
  // A step that passes over it would compute partitions of gold again whose rows are gone.
  'earlier-retention': { since: '0.1.0', needed: 'write' },
  // A rollback or a rebuild of a program that does not know it would bring the rows back.
  forgotten: { since: '0.1.0', needed: 'write' },
  // Who does not know it would publish rows of a sample. Only branches have it.
  'own-sources': { since: '0.1.0', needed: 'read' },
  definitions: { since: '0.1.0', needed: 'none' },
  // Who passes over it says less exactly what changed of a definition.
  computed: { since: '0.1.0', needed: 'none' },
  // Who passes over it rolls back to damaged files, as if nobody had found them.
  repairs: { since: '0.1.0', needed: 'none' },
  // Who does not know the words would take batches that are gone for ones that are there.
  [WORDS]: { since: '0.1.0', needed: 'read' },
}

const retention = object<NonNullable<TableState['retention']>>({
  column: any,
  oldest: any,
  expiredBefore: any,
  earlier: since('earlier-retention'),
})

const table = object<TableState>({
  metadata: any,
  sha256: since('checksums'),
  definition: any,
  computed: since('computed'),
  rows: any,
  bytes: any,
  files: any,
  rebuild: any,
  counts: any,
  inputColumns: since(WORDS),
  sameRowsAs: since(WORDS),
  drivingInputs: since(WORDS),
  expiringInputs: since(WORDS),
  partColumn: since('part-column'),
  adopted: since('adopted-rows'),
  retention: since(WORDS, retention),
})

const view = object<ViewState>({ sql: any, columns: any, definition: any })

const batch = object<BatchPointer>({
  dataset: any,
  number: any,
  batch: any,
  manifest: any,
  sha256: since('checksums'),
  archived: since('checksums'),
  rows: any,
  bytes: any,
  replaces: any,
  discarded: any,
  forgotten: since('forgotten'),
  quarantined: since('quarantine'),
  fullExtract: since(WORDS),
  collidingNames: since(WORDS),
})

const external = object<ExternalChanges>({
  namespaces: map(object<NamespaceState>({ properties: map(any) })),
  relations: map(object<ExternalState>({ kind: any, metadata: any, sha256: any })),
})

const changes = object<Changes>({
  tables: map(table),
  views: map(view),
  batches: list(batch),
  cut: map(any),
  expire: since(WORDS, map(any)),
  renamed: map(any),
  horizon: any,
  vacuumed: since('vacuum-cutoff'),
  repaired: since('repairs'),
  rollback: any,
  offsets: map(any),
  watermarks: map(any),
  external: since('external', external),
  ownSources: since(
    'own-sources',
    map(object<OwnSourceState>({ from: any, sample: any, sha256: any })),
  ),
  branches: since('branches', map(any)),
  requests: since('request-keys', map(any)),
  forgotten: since('forgotten', object<Forgotten>({ id: any, rows: map(any), done: any })),
})

const commit: Shape = object<Commit>({
  format: any,
  id: any,
  number: any,
  time: any,
  previous: any,
  author: any,
  run: any,
  message: any,
  program: any,
  definition: since('definitions'),
  features: map(any),
  sha256: since('checksums'),
  changes,
})

const fields = fieldsByFeature(commit)

/** The features of what this program writes, and of what it took over from commits of others. */
export function featuresOf(written: Commit, known: FeatureUses = {}): FeatureUses {
  const found = inspect(written, commit)
  // Also what has none of its fields is read by the words of now.
  const own = [...found.features.add(WORDS)].map((name) => [name, useOf(name)])
  const others = Object.entries(known).filter(([, use]) =>
    use.fields.some((field) => found.unknown.has(field)),
  )
  // What no one could read must not be written: it is a field that commit.ts does not know.
  refuseUnexplained([...found.unknown], Object.fromEntries(others), 'What is to be committed')
  return Object.fromEntries([...own, ...others])
}

function useOf(name: string): FeatureUse {
  const feature = isKnownFeature(name) ? features[name] : undefined
  if (!feature) throw new Error(`the feature ${name} is not listed`)
  return { ...feature, fields: fields.get(name) ?? [] }
}

/**
 * Parts of a state that belong to one dataset: who reads another one need not know what they hold.
 */
const OF_DATASETS = /^changes\.(tables|views|batches)\.\*\./

/**
 * Makes sure that a commit can be folded: all that it holds is known, or it says itself which
 * features brought it, and these do not change what the other datasets are.
 *
 * @throws MoraineError of kind `version` for a feature that readers must know, `corrupt` for what
 *   nothing explains.
 */
export function refuseUnknown(entry: Commit, path: string): void {
  const { features: uses = {} } = entry
  if (!Object.values(uses).every(isUse))
    throw new MoraineError('corrupt', `${path} is damaged: its list of features is malformed`, {
      path,
    })
  for (const [name, use] of Object.entries(uses)) {
    if (isOfLake(name, use)) throw tooOld(`Commit ${entry.number}`, name, use, entry.number - 1)
  }
  const hint = entry.program
    ? `It was made by Moraine ${entry.program}: use that version, or a newer one.`
    : 'Use a newer version of Moraine, or restore this object from a backup. Nothing was changed.'
  refuseUnexplained([...inspect(entry, commit).unknown], uses, path, { path, hint })
}

function refuseUnexplained(
  unknown: readonly string[],
  uses: FeatureUses,
  what: string,
  details: ErrorDetails = {},
): void {
  const explained = new Set(Object.values(uses).flatMap(({ fields }) => fields))
  const left = unknown.filter((field) => !covers(explained, field))
  if (left.length > 0)
    throw new MoraineError(
      'corrupt',
      `${what} contains fields that this version of Moraine (${program}) does not know: ${left.join(', ')}`,
      details,
    )
}

/**
 * Whether commits so far have what this program can't read, and that concerns more than single
 * datasets.
 */
export function needsNewer({ features: uses = {} }: LakeState): boolean {
  return Object.entries(uses).some(([name, use]) => isOfLake(name, use))
}

/** Whether a feature keeps a program that does not know it from reading the lake at all. */
function isOfLake(name: string, { needed, fields }: FeatureUse): boolean {
  const ofDatasets = fields.length > 0 && fields.every((field) => OF_DATASETS.test(field))
  return needed === 'read' && !isKnownFeature(name) && !ofDatasets
}

function isUse(use: Partial<FeatureUse> | null): boolean {
  return typeof use?.since === 'string' && Array.isArray(use.fields)
}

function covers(explained: ReadonlySet<string>, field: string): boolean {
  const parts = field.split('.')
  return parts.some((_, i) => explained.has(parts.slice(0, i + 1).join('.')))
}

/** @throws MoraineError of kind `version` when the lake uses a feature that writers must know. */
export function refuseWriting({ features: uses = {} }: LakeState): void {
  for (const [name, use] of unknownOf(uses))
    if (use.needed !== 'none')
      throw new MoraineError(
        'version',
        `This lake uses ${name}, which this version of Moraine (${program}) cannot write`,
        {
          hint: `Use Moraine ${use.since} or newer. Datasets that do not use it can still be read with this version.`,
        },
      )
}

/**
 * Whether all that commits have used so far is known, so that a state that was folded is all of it.
 */
export function isKnown({ features: uses = {} }: LakeState): boolean {
  return unknownOf(uses).length === 0
}

/**
 * Makes sure that a dataset can be read.
 *
 * @throws MoraineError of kind `version` when its part of the state has what its readers must know.
 */
export function refuseReading(state: LakeState, name: string): void {
  const needed = unknownOf(state.features ?? {}).filter(([, use]) => use.needed === 'read')
  if (needed.length === 0) return
  const { unknown } = inspect({ changes: partOf(state, name) }, commit)
  for (const [feature, use] of needed)
    if ([...unknown].some((field) => covers(new Set(use.fields), field)))
      throw tooOld(name, feature, use)
}

function partOf(state: LakeState, name: string): Changes {
  const [table, view] = [state.tables[name], state.views?.[name]]
  return {
    ...(table ? { tables: { [name]: table } } : {}),
    ...(view ? { views: { [name]: view } } : {}),
    batches: [...(state.batches[name] ?? [])],
  }
}

const isKnownFeature = (name: string) => Object.hasOwn(features, name)

function unknownOf(uses: FeatureUses): [string, FeatureUse][] {
  return Object.entries(uses).filter(([name]) => !isKnownFeature(name))
}

function tooOld(what: string, name: string, use: FeatureUse, before?: number): MoraineError {
  const rest =
    before === undefined
      ? ' The other datasets can still be read with this version.'
      : before > 0
        ? ` Earlier states of the lake can still be read with this version: moraine query --at ${before}`
        : ''
  return new MoraineError(
    'version',
    `${what} uses ${name}, which this version of Moraine (${program}) cannot read`,
    { hint: `Use Moraine ${use.since} or newer.${rest}` },
  )
}
