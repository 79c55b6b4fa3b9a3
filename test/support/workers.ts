import { workers } from '../../src/define/index.js'
import { Lakehouse } from '../../src/load/lakehouse.js'
import { loadLake } from '../../src/load/load.js'
import { StepEngines } from '../../src/load/workers/step-engines.js'

/** Processes of this machine for the steps of a lake, as `--engine workers:2` starts them. */
export async function processesFor(
  file: string,
  root: string,
  { count = 2, log = () => {} }: { count?: number; log?: (text: string) => void } = {},
): Promise<StepEngines> {
  const { storage } = Lakehouse.at(root)
  const lake = await loadLake(file)
  const memory = 2 ** 29
  return new StepEngines({ lake, file, storage, instead: workers(count), memory, log })
}
