import { discover } from '../bronze/intake.js'
import { fullName } from '../define/dataset.js'
import type { AnyDataset, Bronze } from '../define/model.js'
import type { LakeState } from '../log/commit.js'
import type { Discovery } from '../plan/decision.js'
import { Databases } from '../source/database/open.js'
import { Batches } from '../step/batches.js'
import type { Storage } from '../storage/storage.js'

/** What all sources offer now; a source that can't be looked at is in `problems`. */
export async function discoverAll(
  storage: Storage,
  state: LakeState,
  datasets: readonly AnyDataset[],
): Promise<{ discoveries: Record<string, Discovery>; problems: Record<string, unknown> }> {
  const batches = new Batches(storage)
  const discoveries: Record<string, Discovery> = {}
  const problems: Record<string, unknown> = {}
  const bronze = datasets.filter((dataset): dataset is Bronze => dataset.tier === 'bronze')
  await using databases = Databases.of(bronze)
  for (const dataset of bronze) {
    try {
      const { discovery } = await discover({ dataset, state, batches, databases })
      discoveries[fullName(dataset)] = discovery
    } catch (error) {
      problems[fullName(dataset)] = error
    }
  }
  return { discoveries, problems }
}
