import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import {
  type LakeDeployment,
  openDeployment,
  openRemembered,
} from '../../../aws/deploy/lake-deployment.js'
import { planFor, stacksFor } from '../../../aws/deploy/plan-for.js'
import type { AwsDeploy } from '../../../aws/options/aws.js'
import type { Lake } from '../../../define/lake.js'
import { MoraineError } from '../../../errors.js'
import { findLakeFile, loadLake } from '../../../load/load.js'
import { hasAwsCredentials } from '../../../settings.js'
import { examples } from '../../examples.js'
import { deploymentLines } from '../../output/deployment.js'
import { toJson } from '../../output/format.js'
import { print } from '../../project.js'
import type { DeployOptions, Opened } from './options.js'

export function define(command: Command): Command {
  return command
    .option('--diff', 'show what would change, and change nothing')
    .option('--out <file>', 'write the CloudFormation templates to a file, or - for the output')
    .option('--yes', 'do not ask')
    .option('--revert-drift', 'also put back what was changed by hand in the account')
    .option('--no-drift', 'do not look for what was changed by hand')
    .option('--pause [names...]', 'pause jobs (default: all) until they are resumed')
    .option('--resume [names...]', 'resume jobs (default: all)')
    .option('--destroy', 'remove all that holds no data; buckets and keys stay')
    .addHelpText(
      'after',
      examples(
        ['what would change in AWS?', 'moraine deploy --diff'],
        ['deploy the lake, after a look at the plan', 'moraine deploy'],
        ['templates for other tools', 'moraine deploy --out template.json'],
        ['stop a job for a while', 'moraine deploy --pause bronze.orders'],
        ['remove the lake from AWS; its data stay', 'moraine deploy --destroy'],
      ),
    )
}

export async function run(command: Command): Promise<number> {
  const options = command.optsWithGlobals<DeployOptions>()
  refuseTogether(options)
  refuseElsewhere(options)
  const file = findLakeFile(resolve(options.directory))
  const opened = { ...deployable(await loadLake(file)), file, folder: dirname(file) }
  if (options.out !== undefined) {
    const { writeTemplates } = await import('./write-templates.js')
    return writeTemplates(opened, options)
  }
  if (options.diff) return diff(opened, options)
  const { change } = await import('./change.js')
  return change(opened, options)
}

/** One thing at a time. */
function refuseTogether(options: DeployOptions): void {
  const all = ['diff', 'out', 'pause', 'resume', 'destroy'] as const
  const given = all.filter((name) => options[name] !== undefined)
  if (given.length < 2) return
  throw new MoraineError(
    'usage',
    `${given.map((name) => `--${name}`).join(' and ')} cannot be given together`,
    { hint: 'Give one of them.' },
  )
}

/** Who deploys a trial would otherwise change the lake of production, which has the same names. */
function refuseElsewhere({ env, root, branch }: DeployOptions): void {
  const given = Object.entries({ env, root, branch }).filter(([, value]) => value !== undefined)
  const [[name, value] = []] = given
  if (name === undefined) return
  throw new MoraineError(
    'usage',
    `moraine deploy does not take --${name} ${value}: it deploys where aws({ … }) in lake.ts says, under the names that are given there`,
    {
      hint: "For a second deployment, choose the names by a variable of the environment: aws({ name: isTest ? 'shop-test' : 'shop', databases: isTest ? 'shop_test' : 'shop' })",
    },
  )
}

function deployable(lake: Lake): Pick<Opened, 'lake' | 'deploy'> {
  if (lake.deploy === undefined)
    throw new MoraineError('usage', `lake.ts does not say where ${lake.name} is deployed`, {
      hint: "Add it to defineLake({ … }): deploy: aws({ region: 'eu-central-1' }), with import { aws } from 'moraine/aws'",
    })
  return { lake, deploy: lake.deploy as AwsDeploy }
}

/** Shows what a deployment would change. Without credentials, since the last one from here. */
async function diff(opened: Opened, { json, drift }: DeployOptions): Promise<number> {
  const deployment: LakeDeployment = hasAwsCredentials()
    ? await openDeployment(opened, { wait: false, drift })
    : await openRemembered(opened)
  const plan = planFor(deployment, stacksFor(deployment), undefined)
  if (json) print(toJson(plan, 2))
  else for (const line of deploymentLines(plan)) print(line)
  return plan.dangers.length === 0 ? 0 : 1
}
