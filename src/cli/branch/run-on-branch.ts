import type { Command } from 'commander'
import type { RunOptions } from '../../run/options.js'
import type { RunRecord } from '../../step/events.js'
import { openBranchEngines, workerOptions, workersOf } from '../commands/build/step-engines.js'
import type { Project } from '../project.js'

/** Builds on a branch what `lake.ts` defines, on the engines that it or the command names. */
export async function runOnBranch(
  command: Command,
  project: Project,
  branch: string,
  options: Pick<RunOptions, 'allowBreaking' | 'onEvent'>,
): Promise<RunRecord> {
  const { lake } = project
  const house = await project.house.onBranch(branch)
  await using engines = await openBranchEngines(command, project)
  return house.run(lake, {
    engine: await project.engine(engines ? { workers: workersOf(command, lake) } : {}),
    ownEngine: true,
    javascript: await project.javascript(),
    ...workerOptions(command, lake, engines),
    signal: project.stopped(),
    ...options,
  })
}
