import { availableParallelism } from 'node:os'
import { type SparkEngine, tasksHere } from '../../define/engines/spark.js'
import { engineOf, type StepEngine, type WorkersEngine } from '../../define/engines/step-engine.js'
import type { Lake } from '../../define/lake.js'

/** Processes that the engines of a lake's datasets have at the same time, all together. */
export function processesOf(lake: Pick<Lake, 'datasets' | 'engine'>, instead?: StepEngine): number {
  return enginesOf(lake, instead).reduce((sum, engine) => sum + processesHere(engine), 0)
}

/** Engines that steps may run on beside the run's own process. */
export type OtherEngine = WorkersEngine | SparkEngine

function processesHere(engine: OtherEngine): number {
  if (engine.engine === 'workers') return engine.count
  const tasks = tasksHere(engine)
  return tasks === 'all' ? availableParallelism() : tasks
}

/** Whether steps run anywhere but in the run's own process. */
export function hasOthers(lake: Pick<Lake, 'datasets' | 'engine'>, instead?: StepEngine): boolean {
  return lake.datasets.some(
    (one) => one.tier !== 'bronze' && engineOf(one, lake, instead).engine !== 'duckdb',
  )
}

/** The engines that have workers. */
export function enginesOf(
  lake: Pick<Lake, 'datasets' | 'engine'>,
  instead: StepEngine | undefined,
): OtherEngine[] {
  const found = new Map<string, OtherEngine>()
  for (const dataset of lake.datasets) {
    const engine = engineOf(dataset, lake, instead)
    if (dataset.tier !== 'bronze' && engine.engine !== 'duckdb' && engine.engine !== 'trino')
      found.set(JSON.stringify(engine), engine)
  }
  return [...found.values()]
}
