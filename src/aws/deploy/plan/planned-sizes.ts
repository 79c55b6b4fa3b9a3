import { fullName } from '../../../define/dataset.js'
import type { Lake } from '../../../define/lake.js'
import { keptSizes, type Sizes, sizesFor } from '../../template/jobs/sizes.js'
import { deployedJobs, upstreamOf } from '../../template/jobs.js'
import { jobId } from '../../template/names.js'
import type { Template } from './stack.js'

/**
 * Memory and disk of each job's function, by the bytes of its tables; where nobody knows these,
 * what the function has.
 *
 * @param tables bytes of tables by their datasets.
 */
export function plannedSizes(
  lake: Lake,
  tables: ReadonlyMap<string, number> | undefined,
  before: readonly (Template | undefined)[],
): Map<string, Sizes> {
  const found = new Map<string, Sizes>()
  for (const job of deployedJobs(lake)) {
    const there = sizesIn(before, `${jobId(job)}Function`)
    const used = [...job.datasets, ...upstreamOf(job)].map(
      (dataset) => tables?.get(fullName(dataset)) ?? 0,
    )
    const all = used.reduce((sum, bytes) => sum + bytes, 0)
    const sizes = tables
      ? keptSizes(sizesFor({ all, largest: Math.max(0, ...used) }), there)
      : there
    if (sizes) found.set(job.name, sizes)
  }
  return found
}

function sizesIn(before: readonly (Template | undefined)[], id: string): Sizes | undefined {
  const found = before.map((template) => template?.Resources[id]).find(Boolean)
  const { MemorySize, EphemeralStorage } = (found?.Properties ?? {}) as {
    MemorySize?: unknown
    EphemeralStorage?: { Size?: unknown }
  }
  const disk = EphemeralStorage?.Size
  if (typeof MemorySize !== 'number' || typeof disk !== 'number') return undefined
  return { memory: MemorySize, disk }
}
