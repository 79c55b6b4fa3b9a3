import { deployLake, planRemoval, removeLake, setPaused } from '../../../aws/deploy/carry-out.js'
import type { Cloud } from '../../../aws/deploy/cloud/cloud.js'
import type { ResourceEvent } from '../../../aws/deploy/cloud/follow.js'
import { type LakeDeployment, openDeployment } from '../../../aws/deploy/lake-deployment.js'
import { isIdle } from '../../../aws/deploy/plan/plan.js'
import { planFor, stacksFor } from '../../../aws/deploy/plan-for.js'
import { packLambda } from '../../../aws/package/pack-lambda.js'
import { packSpark } from '../../../aws/package/pack-spark.js'
import { isPaused } from '../../../aws/template/names.js'
import { MoraineError } from '../../../errors.js'
import { stopSignal } from '../../../process/stop-signal.js'
import colors from '../../output/colors.js'
import { confirm } from '../../output/confirm.js'
import { deploymentLines, eventLine, removalLines } from '../../output/deployment.js'
import { toJson } from '../../output/format.js'
import { show } from '../../output/terminal.js'
import { print } from '../../project.js'
import type { DeployOptions, Opened } from './options.js'

type There = LakeDeployment & { cloud: Cloud }

/** What is told on the way goes beside the result. */
const tell = (text: string) => show(`${text}\n`, process.stderr)
const tellEvent = (event: ResourceEvent) => {
  if (!event.status.endsWith('_IN_PROGRESS')) tell(eventLine(event))
}

/** Changes what is in the account: deploys, pauses, resumes or removes the lake. */
export async function change(opened: Opened, options: DeployOptions): Promise<number> {
  using stop = stopSignal()
  const { signal } = stop
  const there = await openDeployment(opened, {
    wait: true,
    drift: options.drift && options.destroy !== true,
    signal,
    tell: tellEvent,
  })
  try {
    if (options.destroy) return await remove(there, options, signal)
    if (options.pause !== undefined || options.resume !== undefined)
      return await pauseOrResume(there, options, signal)
    return await deploy(opened, there, options, signal)
  } catch (error) {
    if (!signal.aborted) throw error
    throw new MoraineError('cancelled', 'Stopped', {
      hint: 'CloudFormation finishes what it has begun. To go on from there: moraine deploy',
    })
  }
}

async function deploy(
  { file, lake, deploy: to }: Opened,
  there: There,
  options: DeployOptions,
  signal: AbortSignal,
): Promise<number> {
  const { revertDrift = false, json } = options
  const packed = await packLambda({ file, lake }, { arch: to.architecture ?? 'arm64' })
  for (const note of packed.notes) tell(`${colors.yellow('!')} ${note}`)
  const stacks = stacksFor(there)
  const plan = planFor(there, stacks, packed.content)
  const show = () => {
    if (json) print(toJson(plan, 2))
    else for (const line of deploymentLines(plan)) print(line)
  }
  const nothing = isIdle(plan) && !(revertDrift && plan.drift.length > 0)
  if (plan.dangers.length > 0 || nothing || !json) show()
  if (plan.dangers.length > 0)
    throw new MoraineError('usage', 'Refused: it could cost data. Nothing was changed', {
      hint: 'The plan says what, and what to do instead.',
    })
  if (nothing) return 0
  const spark = to.glue ? await packSpark({ file, lake }) : undefined
  await agreed(options, `Deploy this to account ${there.cloud.account}?`)
  const changed = await deployLake(there, stacks, plan, {
    package: packed,
    spark,
    revertDrift: revertDrift && plan.drift.length > 0,
    signal,
    tell: tellEvent,
  })
  if (json) show()
  else if (changed.length === 0) print('CloudFormation found nothing to change')
  else print(`${colors.green('✔')} Deployed ${lake.name}: ${changed.join(', ')} changed`)
  return 0
}

async function pauseOrResume(
  there: There,
  options: DeployOptions,
  signal: AbortSignal,
): Promise<number> {
  const { pause, resume, json } = options
  const given = pause ?? resume ?? []
  const asked = { jobs: given === true ? [] : given, pause: pause !== undefined }
  const word = asked.pause ? 'paused' : 'resumed'
  const jobs = asked.jobs.length === 0 ? 'all jobs' : asked.jobs.join(', ')
  await agreed(options, `${asked.pause ? 'Pause' : 'Resume'} ${jobs}?`)
  const changed = await setPaused(there, asked, { signal, tell: tellEvent })
  if (json) print(toJson({ [word]: changed }, 2))
  else
    print(
      changed.length === 0 ? `Nothing to do: all are ${word}` : `${word}: ${changed.join(', ')}`,
    )
  const again = asked.pause ? [] : changed.filter((job) => isPaused(there.deploy, job))
  if (again.length > 0)
    tell(
      `${colors.yellow('!')} lake.ts has ${again.join(', ')} in aws({ paused }): the next deployment pauses what is there again. Take it out there, too`,
    )
  return 0
}

async function remove(there: There, options: DeployOptions, signal: AbortSignal): Promise<number> {
  const { stacks, kept } = await planRemoval(there)
  if (!options.json) for (const line of removalLines(there.cloud.account, stacks, kept)) print(line)
  if (stacks.length > 0) await agreed(options, `Remove ${stacks.join(', ')}?`)
  const removed = await removeLake(there, stacks, { signal, tell: tellEvent })
  if (options.json) print(toJson({ removed, kept }, 2))
  else if (removed.length > 0)
    print(`${colors.green('✔')} Removed ${removed.join(', ')}; the data are kept`)
  return 0
}

/** Asks before something is changed. */
async function agreed({ yes }: DeployOptions, question: string): Promise<void> {
  if (yes) return
  if (!process.stdin.isTTY)
    throw new MoraineError(
      'usage',
      'The plan needs a confirmation, and there is no terminal to ask on. Nothing was changed',
      {
        hint: 'Look at the plan with --diff, then add --yes.',
      },
    )
  if (await confirm(question, process.stdin, process.stderr)) return
  throw new MoraineError('cancelled', 'Nothing was changed')
}
