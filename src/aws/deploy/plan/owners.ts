import { fullName } from '../../../define/dataset.js'
import type { Lake } from '../../../define/lake.js'
import { deployedJobs } from '../../template/jobs.js'
import { jobId } from '../../template/names.js'
import type { OwnerOf } from './stack.js'

/** Which dataset or job a resource is for: its name in the template begins with theirs. */
export function ownersIn(lake: Lake): OwnerOf {
  const names = [...lake.datasets.map(fullName), ...deployedJobs(lake).map(({ name }) => name)]
  const all = [...new Set(names)]
    .map((name) => [jobId({ name }), name] as const)
    .sort(([a], [b]) => b.length - a.length)
  return (id) =>
    all.find(([own]) => id.startsWith(own) && !/^[a-z0-9]/.test(id.slice(own.length)))?.[1]
}
