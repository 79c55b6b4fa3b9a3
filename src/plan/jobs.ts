import { fullName } from '../define/dataset.js'
import { inputsOf, isBuilt } from '../define/inputs.js'
import type { Lake } from '../define/lake.js'
import type { AnyDataset, Schedule } from '../define/model.js'

/** Datasets that are run together, and what makes them run. */
export interface Job {
  /** The dataset that has the schedule: `bronze.orders`. */
  name: string
  schedule: Schedule | undefined
  /** Whether something that arrives makes it run. */
  event: boolean
  /** In order. */
  datasets: readonly AnyDataset[]
}

const arrives = (dataset: AnyDataset) =>
  dataset.tier === 'bronze' && (dataset.from.kind === 'inbox' || dataset.from.kind === 'ingest')

/** Whether a dataset is a job by itself, rather than part of others'. */
const leads = (dataset: AnyDataset) => dataset.about.schedule !== undefined || arrives(dataset)

/**
 * The jobs of a lake. A schedule runs its dataset, those downstream that have none of their own,
 * and what these read beside it and nobody else runs.
 */
export function jobsOf(lake: Lake): Job[] {
  const roots = lake.datasets.filter(leads)
  const led = new Map(roots.map((root) => [root, downFrom(root, lake)]))
  const run = new Set([...led.values()].flatMap((datasets) => [...datasets]))
  return roots.map((root) => {
    const chosen = new Set(led.get(root))
    const others = (dataset: AnyDataset) => {
      for (const input of inputsOf(dataset).filter(isBuilt)) {
        if (run.has(input) || chosen.has(input)) continue
        chosen.add(input)
        others(input)
      }
    }
    for (const dataset of led.get(root) ?? []) others(dataset)
    return {
      name: fullName(root),
      schedule: root.about.schedule,
      event: arrives(root),
      datasets: lake.datasets.filter((dataset) => chosen.has(dataset)),
    }
  })
}

/** A dataset and those downstream that are no jobs by themselves. */
function downFrom(root: AnyDataset, lake: Lake): Set<AnyDataset> {
  const found = new Set<AnyDataset>([root])
  // Inputs come before those that read them.
  for (const dataset of lake.datasets)
    if (!leads(dataset) && inputsOf(dataset).some((input) => isBuilt(input) && found.has(input)))
      found.add(dataset)
  return found
}

/** Datasets that no job runs. */
export function unscheduled(lake: Lake, jobs: readonly Job[]): AnyDataset[] {
  const run = new Set(jobs.flatMap(({ datasets }) => datasets))
  return lake.datasets.filter((dataset) => !run.has(dataset))
}
