import { createHash } from 'node:crypto'
import { fullName } from '../../../define/dataset.js'
import type { Lake } from '../../../define/lake.js'
import type { Definition } from '../../../log/commit.js'
import { compareDefinitions } from '../../../plan/changes.js'
import { definitionOf } from '../../../plan/fingerprint.js'
import type { AwsDeploy } from '../../options/aws.js'
import { lakeCost } from '../../prices/lake-cost.js'
import type { OlderFolders } from '../../template/jobs/rights.js'
import type { Template } from './stack.js'

/** What a deployed template says of the lake that it was made from. */
export interface DeployedLake {
  /** By the dataset's name, what its rows depend on. */
  datasets: Readonly<Record<string, Definition>>
  /** Dollars a month that it was to cost. */
  month: number
  /** Where objects of datasets lie that were renamed, where some were. */
  olderFolders?: Readonly<Record<string, readonly string[]>>
}

/** What becomes of a dataset's rows with the new definition. */
export interface DataChange {
  dataset: string
  /** `added`, `removed`, or what differs: `column 'a' was added`. */
  changes: string[]
  /** What the next run does, or what stays. */
  effect: string
}

const short = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 8)

export function deployedLake(
  lake: Lake,
  deploy: AwsDeploy,
  olderFolders: OlderFolders = new Map(),
): DeployedLake {
  return {
    ...(olderFolders.size > 0 ? { olderFolders: Object.fromEntries(olderFolders) } : {}),
    month: Number(lakeCost(lake, deploy).month.usd.toFixed(4)),
    datasets: Object.fromEntries(
      lake.datasets.map((dataset) => [fullName(dataset), definitionOf(dataset, short)]),
    ),
  }
}

/** A template that says which lake it was made from. */
export function withLake(template: Template, lake: DeployedLake): Template {
  return { ...template, Metadata: { ...template.Metadata, Lake: lake } }
}

export function lakeOf(template: Template | undefined): DeployedLake | undefined {
  return template?.Metadata?.Lake as DeployedLake | undefined
}

/** What the definition changes in the lake's data, dataset by dataset. */
export function dataChanges(before: DeployedLake | undefined, after: DeployedLake): DataChange[] {
  const old = before?.datasets ?? {}
  const names = [...new Set([...Object.keys(after.datasets), ...Object.keys(old)])]
  return names.flatMap((dataset): DataChange[] => {
    const [was, is] = [old[dataset], after.datasets[dataset]]
    if (was === undefined)
      return [{ dataset, changes: ['added'], effect: 'built by the next run of its job' }]
    if (is === undefined)
      return [
        {
          dataset,
          changes: ['removed'],
          effect: 'its data stay in the bucket, until moraine drop',
        },
      ]
    const compared = compareDefinitions(was, is, { discarded: 0, isNull: () => true })
    if (compared === undefined) return []
    return [
      {
        dataset,
        changes: compared.said,
        effect: compared.harmless
          ? 'its rows stay, unless some of them were discarded'
          : 'rebuilt by the next run of its job',
      },
    ]
  })
}
