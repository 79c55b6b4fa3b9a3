import { DefinitionError, type Problem, type SourceLocation } from '../errors.js'
import {
  accessProblems,
  type Oidc,
  oidcProblems,
  type Principal,
  type Workgroup,
  workgroupProblems,
} from './access/index.js'
import type { Alert } from './alert.js'
import { callSite } from './call-site.js'
import { fullName } from './dataset.js'
import type { StepEngine } from './engines/step-engine.js'
import type { Warehouse } from './export/target.js'
import { warehouseProblems } from './export/warehouse-problems.js'
import { checkedAgainst, inputsOf, isBuilt, viewsOf } from './inputs.js'
import type { QueryLimits, StepLimits } from './limits.js'
import type { AnyDataset, AnyInput, Deploy, External } from './model.js'
import type { Environment, ReviewPolicy } from './options/environments.js'
import { type LakeOptions, lakeOptions } from './options/lake-options.js'
import { checked } from './options/options.js'
import { problemsAround } from './problems/environment-problems.js'
import { externalProblems } from './problems/external-problems.js'
import { inOrderOfPlace, takeMistakes } from './problems/mistakes.js'
import { problemsOf } from './problems/problems.js'

export type { LakeOptions }

/** A checked definition. `datasets` holds inputs before those that read them. */
export interface Lake {
  readonly kind: 'lake'
  readonly name: string
  readonly root: string
  readonly publish: NonNullable<LakeOptions['publish']>
  readonly alerts: readonly Alert[]
  readonly queries: QueryLimits
  readonly steps: StepLimits
  readonly folders: { readonly silver?: string; readonly gold?: string }
  readonly datasets: readonly AnyDataset[]
  /** The tables of other engines that datasets read. */
  readonly externals: readonly External<any>[]
  readonly quarantineAfter: number
  /** `undefined`: nothing was said of it. */
  readonly access: readonly Principal[] | undefined
  /** Whose tokens stand for principals, beside their own. */
  readonly oidc: Oidc | undefined
  readonly workgroups: readonly Workgroup[]
  /** What runs steps of datasets that say nothing else. */
  readonly engine: StepEngine | undefined
  readonly exports: readonly Warehouse[]
  /** Where `moraine deploy` puts it. */
  readonly deploy: Deploy | undefined
  readonly environments: Readonly<Record<string, Environment>>
  readonly review: ReviewPolicy
  readonly place: SourceLocation | undefined
}

/**
 * Defines a lake from its datasets. Datasets that others read are added automatically.
 *
 * @throws DefinitionError with all mistakes, each with its place in the user's file.
 */
export function defineLake(options: LakeOptions): Lake {
  const place = callSite()
  const good = checked<LakeOptions>('defineLake', options, lakeOptions)
  const { name, root = 'lake', publish = 'passed', alerts = [], folders = {} } = good
  const { quarantineAfter = 3, queries = {}, steps = {}, access } = good
  const problems: Problem[] = []
  if (name !== undefined && !/^[a-z][a-z0-9_-]*$/.test(name))
    problems.push({
      message: `The lake's name '${name}' may contain only lower-case letters, digits, '_' and '-'`,
      place: place && { ...place, near: name },
    })
  for (const [layer, folder] of Object.entries(folders))
    if (!new RegExp(`^${layer}(/[a-z0-9][a-z0-9_-]*)+$`).test(folder ?? ''))
      problems.push({
        message: `The folder '${folder}' of ${layer} must be below ${layer}/, and its names may contain only lower-case letters, digits, '_' and '-'`,
        place: place && { ...place, near: `'${folder}'` },
      })
  const { ordered, cycle } = inOrder(good.datasets ?? [])
  if (cycle) problems.push({ message: `These datasets form a cycle: ${cycle}`, place })
  problems.push(
    ...duplicates(ordered),
    ...ordered.flatMap((one) => (isBuilt(one) ? problemsOf(one, ordered) : externalProblems(one))),
    ...accessProblems(access ?? [], ordered.filter(isBuilt)),
    ...oidcProblems(access ?? [], good.oidc),
    ...workgroupProblems(good.workgroups ?? [], access),
    ...warehouseProblems(good.exports ?? [], ordered),
    ...problemsAround(good, ordered.filter(isBuilt), place),
    ...takeMistakes(),
  )
  if (problems.length > 0) throw new DefinitionError(inOrderOfPlace(problems))
  return {
    kind: 'lake',
    name,
    root,
    publish,
    alerts,
    queries,
    steps,
    folders,
    datasets: ordered.filter(isBuilt),
    externals: ordered.filter((input) => input.tier === 'external'),
    quarantineAfter,
    access,
    oidc: good.oidc,
    workgroups: good.workgroups ?? [],
    ...surroundings(good),
    place,
  }
}

/** What stands around the datasets: where they are built, exported, deployed, tried out. */
function surroundings({
  engine,
  exports = [],
  deploy,
  environments = {},
  review = {},
}: Partial<LakeOptions>): Pick<Lake, 'engine' | 'exports' | 'deploy' | 'environments' | 'review'> {
  return { engine, exports, deploy, environments, review }
}

function duplicates(datasets: readonly AnyInput[]): Problem[] {
  const seen = new Map<string, AnyInput>()
  const problems: Problem[] = []
  for (const dataset of datasets) {
    const name = fullName(dataset).toLowerCase()
    const first = seen.get(name)
    if (first)
      problems.push({
        message:
          dataset.tier === 'external'
            ? `external('${fullName(dataset)}') is called twice`
            : `Two ${dataset.tier} datasets are named '${dataset.name}'`,
        hint: first.place
          ? `The first is on line ${first.place.line}; ${dataset.tier === 'external' ? 'use its variable in both places' : 'rename one of them'}.`
          : undefined,
        place: dataset.place && { ...dataset.place, near: dataset.name },
      })
    else seen.set(name, dataset)
  }
  return problems
}

/** All datasets that are reachable, inputs first; the first circle found, in words. */
function inOrder(datasets: readonly AnyInput[]) {
  const ordered: AnyInput[] = []
  const done = new Set<AnyInput>()
  const path: AnyInput[] = []
  let cycle: string | undefined
  const visit = (dataset: AnyInput) => {
    if (done.has(dataset)) return
    const start = path.indexOf(dataset)
    if (start >= 0) {
      cycle ??= [...path.slice(start), dataset].map(fullName).join(' → ')
      return
    }
    path.push(dataset)
    const others = isBuilt(dataset)
      ? [...inputsOf(dataset), ...viewsOf(dataset), ...checkedAgainst(dataset)]
      : []
    others.forEach(visit)
    path.pop()
    done.add(dataset)
    ordered.push(dataset)
  }
  datasets.forEach(visit)
  return { ordered, cycle }
}
