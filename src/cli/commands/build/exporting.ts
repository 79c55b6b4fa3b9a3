import type { ExportResult } from '../../../define/export/exported.js'
import type { ExportsOf } from '../../../export/export-lake.js'
import colors from '../../output/colors.js'
import { behindLines } from '../../output/exports.js'
import type { Project } from '../../project.js'

/** What exports to warehouses need of a project. */
export function exporting(project: Project): ExportsOf {
  const { lake, storage, log } = project
  return { lake, storage, log, startEngine: () => project.engine() }
}

/**
 * How far warehouses are behind, as they say it; nothing is changed.
 *
 * @param names of datasets; without them those of all.
 */
export async function exportsBehind(
  project: Project,
  names?: ReadonlySet<string>,
): Promise<{ json: { exports?: readonly ExportResult[] }; lines: readonly string[] }> {
  const told = project.leftByRuns.flatMap((line) => ['', colors.dim(line)])
  // What lies on a branch is exported by nobody.
  const isOnBranch = project.house.branch !== undefined
  if (isOnBranch || project.lake.exports.length === 0) return { json: {}, lines: told }
  const asked = await import('../../../export/export-lake.js')
  const exports = await asked.exportsBehind(exporting(project), names)
  return { json: exports.length > 0 ? { exports } : {}, lines: [...told, ...behindLines(exports)] }
}
