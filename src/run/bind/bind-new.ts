import { fullName } from '../../define/dataset.js'
import { checkedAgainst, inputsOf, isBuilt } from '../../define/inputs.js'
import type { AnyDataset, AnyInput, Bronze, Gold, Silver } from '../../define/model.js'
import type { Engine, Session } from '../../engine/engine.js'
import { DefinitionError } from '../../errors.js'
import { compareDefinitions } from '../../plan/changes.js'
import { changesOf } from '../../plan/decide.js'
import type { View } from '../../plan/decision.js'
import { definitionOf } from '../../plan/fingerprint.js'
import { hasSeen } from '../../plan/offsets.js'
import { Batches } from '../../step/batches.js'
import { hash } from '../../step/context.js'
import type { Storage } from '../../storage/storage.js'
import type { BindScope, BindState, Bound, SqlProblem } from './bind.js'

/**
 * Datasets whose checks and warnings were bound by this process: their definition in the log says
 * nothing of them.
 */
const bound = new WeakSet<AnyDataset>()

/**
 * The SQL that was not bound before, by the datasets whose it is: theirs changed, or what it reads
 * did.
 */
export function newSql(
  datasets: readonly AnyDataset[],
  view: View,
  portable?: BindState['portable'],
): ReadonlyMap<AnyDataset, BindScope> {
  const fresh = new Set<AnyDataset>()
  const wanted = new Map<AnyDataset, BindScope>()
  for (const dataset of datasets) {
    if (dataset.tier === 'bronze') continue
    const inputs = [...inputsOf(dataset), ...checkedAgainst(dataset)]
    const isFresh = (input: AnyInput) =>
      isBuilt(input)
        ? fresh.has(input)
        : !hasSeen(view.offsets[fullName(dataset)]?.[fullName(input)], input, view)
    if (isNew(dataset, view) || inputs.some(isFresh)) {
      fresh.add(dataset)
      wanted.set(dataset, 'all')
    } else if (dataset.tier === 'gold' && portable?.(dataset)) wanted.set(dataset, 'all')
    else if (hasOtherSql(dataset) && !bound.has(dataset)) wanted.set(dataset, 'checks')
  }
  return wanted
}

/** Whether a dataset has SQL of which its table's definition says nothing. */
function hasOtherSql({ checks, ...dataset }: Silver | Gold): boolean {
  const warns = dataset.tier === 'silver' && dataset.rules.some((r) => r.severity === 'warn')
  return warns || checks.some(({ check }) => check === 'sql')
}

/** Of a view there are no rows that could stay. */
const NO_ROWS = { discarded: 0, isNull: () => false }

function isNew(dataset: AnyDataset, { tables, views }: View): boolean {
  const table = tables[fullName(dataset)]
  const view = views?.[fullName(dataset)]
  if (view && dataset.tier === 'gold' && dataset.view)
    return compareDefinitions(view.definition, definitionOf(dataset, hash), NO_ROWS) !== undefined
  return !table || changesOf(dataset, table, hash) !== undefined
}

/** What is left to be bound once more of bronze has arrived. */
export interface SqlLeft {
  /** Mistakes that may be none then. */
  problems: readonly SqlProblem[]
  /** What could not be bound, by the bronze dataset whose columns nobody knows yet. */
  unbound: ReadonlyMap<AnyDataset, Bronze>
  columns: Bound['columns']
}

/**
 * Binds SQL, and refuses mistakes in it.
 *
 * @param arriving whether more of a bronze dataset may arrive before anything is built.
 * @throws DefinitionError with all mistakes that are mistakes whatever arrives.
 */
export async function bindNew(
  session: Session,
  wanted: ReadonlyMap<AnyDataset, BindScope>,
  on: BindState,
  arriving: (dataset: Bronze) => boolean,
): Promise<SqlLeft> {
  // Most commands find nothing that is new, and to load what binds takes longer than to find out.
  const { bindSql } = await import('./bind.js')
  const left = await bindSql(session, wanted, on)
  refuseMistakes(left, arriving)
  for (const [dataset] of wanted)
    if (!left.unbound.has(dataset) && left.problems.length === 0) bound.add(dataset)
  return left
}

/**
 * Refuses mistakes that are mistakes whatever arrives.
 *
 * @param arriving whether more of a bronze dataset may arrive before anything is built.
 * @throws DefinitionError with all of them.
 */
export function refuseMistakes(
  { problems }: Pick<SqlLeft, 'problems'>,
  arriving: (dataset: Bronze) => boolean,
): void {
  const certain = problems.filter(({ unsure }) => !unsure.some(arriving))
  if (certain.length > 0) throw mistakesIn(certain)
}

/** {@link bindNew} in a session of its own. */
export async function bindOn(
  { engine, storage }: { engine: Engine; storage: Storage },
  wanted: ReadonlyMap<AnyDataset, BindScope>,
  { view, externals, portable }: Omit<BindState, 'batches'>,
  arriving: (dataset: Bronze) => boolean,
): Promise<SqlLeft> {
  const session = await engine.open()
  try {
    return await bindNew(
      session,
      wanted,
      { view, externals, portable, batches: new Batches(storage) },
      arriving,
    )
  } finally {
    session.close()
  }
}

function mistakesIn(problems: readonly SqlProblem[]): DefinitionError {
  return new DefinitionError(
    problems.map(({ message, hint, place }) => ({
      message,
      ...(hint ? { hint } : {}),
      ...(place ? { place } : {}),
    })),
  )
}

/** The SQL that is to be bound once what was arriving has arrived. */
export function stillWanted(
  { problems, unbound }: SqlLeft,
  wanted: ReadonlyMap<AnyDataset, BindScope>,
): ReadonlyMap<AnyDataset, BindScope> {
  const datasets = new Set([...problems.map(({ dataset }) => dataset), ...unbound.keys()])
  return new Map([...wanted].filter(([dataset]) => datasets.has(dataset)))
}
