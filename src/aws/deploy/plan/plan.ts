import type { LakeCost } from '../../prices/estimate.js'
import type { Drift } from '../cloud/drift.js'
import { absent, type Before } from '../survey.js'
import { type DataChange, type DeployedLake, dataChanges, lakeOf } from './definitions.js'
import { differences, type ResourceChange } from './difference.js'
import { type RightChange, rightChanges } from './rights.js'
import { type Danger, dangersOf } from './risk.js'
import { pausedIn, type ScheduleChange, scheduleChanges } from './schedules.js'
import { canonical, type OwnerOf, type Stack } from './stack.js'

/** What a deployment would do: data for people, programs, and the deployment itself. */
export interface DeployPlan {
  lake: string
  region: string
  /** `undefined`: nobody was asked. */
  account: string | undefined
  /** What the definition was compared with, in words. */
  comparedWith: string
  stacks: StackPlan[]
  data: DataChange[]
  schedules: ScheduleChange[]
  /** Jobs that are paused, and stay so. */
  paused: string[]
  rights: RightChange[]
  resources: ResourceChange[]
  drift: Drift[]
  dangers: Danger[]
  /** What somebody has to do elsewhere. */
  notes: string[]
  /**
   * Dollars a month by definition, as if no run had been measured: when it was deployed, and now;
   * and what it costs by what was measured.
   */
  cost: { before: number | undefined; defined: number; after: LakeCost }
}

export interface StackPlan {
  name: string
  action: 'create' | 'update' | 'none'
  /** What has to be done first, as an earlier deployment failed. */
  recovery: Before['recovery']
  status: string | undefined
  resources: number
  /** Whether the functions are given other code. */
  code: boolean
}

export interface Target {
  lake: string
  definition: DeployedLake
  cost: LakeCost
  region: string
  stacks: readonly Stack[]
  /** Values of the stacks' parameters. */
  parameters: Readonly<Record<string, string>>
  ownerOf: OwnerOf
}

export interface Found {
  account: string | undefined
  comparedWith: string
  before: readonly Before[]
  drift: readonly Drift[]
  notes: readonly string[]
}

/** Compares what is deployed with what is to be. */
export function planDeployment(target: Target, found: Found): DeployPlan {
  const pairs = target.stacks.map((stack) => ({
    stack,
    before: found.before.find(({ name }) => name === stack.name) ?? absent(stack.name),
  }))
  const compared = pairs.map(({ stack, before }) => {
    const changes = differences(before.template, stack.template, target.ownerOf)
    return {
      changes,
      plan: stackPlan(stack, before, changes, target.parameters),
      rights: rightChanges(changes, before.template, stack.template),
      schedules: scheduleChanges(changes, before.template, stack.template),
    }
  })
  const resources = compared.flatMap(({ changes }) => changes)
  const old = pairs.map(({ before }) => lakeOf(before.template)).find((lake) => lake !== undefined)
  return {
    lake: target.lake,
    region: target.region,
    account: found.account,
    comparedWith: found.comparedWith,
    stacks: compared.map(({ plan }) => plan),
    data: dataChanges(old, target.definition),
    schedules: compared.flatMap(({ schedules }) => schedules),
    paused: pausedJobs(target),
    rights: compared.flatMap(({ rights }) => rights),
    resources,
    drift: [...found.drift],
    dangers: dangersOf(resources),
    notes: [...found.notes],
    cost: { before: old?.month, defined: target.definition.month, after: target.cost },
  }
}

function stackPlan(
  stack: Stack,
  before: Before,
  changes: readonly ResourceChange[],
  parameters: Readonly<Record<string, string>>,
): StackPlan {
  const code = stack.parameters.some((name) => before.parameters[name] !== parameters[name])
  const isSame =
    changes.length === 0 &&
    !code &&
    canonical(before.template?.Outputs ?? {}) === canonical(stack.template.Outputs ?? {})
  return {
    name: stack.name,
    action: before.template === undefined ? 'create' : isSame ? 'none' : 'update',
    recovery: before.recovery,
    status: before.status,
    resources: Object.keys(stack.template.Resources).length,
    code,
  }
}

function pausedJobs({ stacks, ownerOf }: Target): string[] {
  const ids = stacks.flatMap(({ template }) => [...pausedIn(template)])
  return [...new Set(ids.map((id) => ownerOf(id) ?? id))]
}

/** Whether a deployment would do nothing at all. */
export const isIdle = ({ stacks }: DeployPlan): boolean =>
  stacks.every(({ action, recovery }) => action === 'none' && recovery === undefined)
