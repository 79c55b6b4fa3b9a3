import type { Lake } from '../../define/lake.js'
import type { AwsDeploy } from '../options/aws.js'
import { bucketNames, prefixOf } from '../template/names.js'
import { type Cloud, connect } from './cloud/cloud.js'
import type { Drift } from './cloud/drift.js'
import { isMade } from './cloud/settle.js'
import { lookAt, templateOf } from './cloud/status.js'
import { deafInboxes } from './deaf-inboxes.js'
import { type KnownOfBucket, knownOfBucket } from './known-of-lake.js'
import { ownersIn } from './plan/owners.js'
import type { OwnerOf } from './plan/stack.js'
import { baseOf, isOfAnother } from './plan/whose.js'
import { remembered } from './remembered.js'
import { silentAlarms } from './silent-alarms.js'
import { absent, type Before, type Surveying, survey } from './survey.js'

/** A lake, where it is deployed to, and what is there. */
export interface LakeDeployment {
  lake: Lake
  deploy: AwsDeploy
  /** The folder of the project, where the last deployment is remembered. */
  folder: string
  /** `undefined`: there are no credentials. */
  cloud: Cloud | undefined
  prefix: string
  ownerOf: OwnerOf
  before: Before[]
  /** The names of stacks that it would give as well, and that another lake has. */
  taken: readonly string[]
  drift: Drift[]
  /** What is compared with, in words. */
  comparedWith: string
  /** The account that it is in, or was. */
  account: string | undefined
  /** What its runs took, and where its objects lie. */
  known: KnownOfBucket
  /** What somebody has to do elsewhere. */
  notes: readonly string[]
}

export type Opening = Pick<LakeDeployment, 'lake' | 'deploy' | 'folder'>

/** Looks at what is deployed in the account. */
export async function openDeployment(
  opening: Opening,
  surveying: Omit<Surveying, 'ownerOf'>,
): Promise<LakeDeployment & { cloud: Cloud }> {
  const { lake, deploy } = opening
  const prefix = prefixOf(lake, deploy)
  const ownerOf = ownersIn(lake)
  const cloud = await connect(deploy)
  const { names, taken } = await namesOf(cloud, prefix)
  const [{ before, drift }, deaf] = await Promise.all([
    survey(cloud, names, { ...surveying, ownerOf }),
    deafInboxes(cloud, lake, deploy),
  ])
  const isThere = before.some(({ template: found }) => found !== undefined)
  const comparedWith = isThere
    ? `what account ${cloud.account} has in ${cloud.region}`
    : `account ${cloud.account} in ${cloud.region}, where the lake is not deployed`
  const { account } = cloud
  const bucket = bucketNames(lake, deploy)
    .lake.replace('{account}', account)
    .replace('{region}', deploy.region)
  const { known, notes: unread } = isThere
    ? await knownOfBucket(bucket, lake)
    : { known: {}, notes: [] }
  const notes = [...unread, ...deaf, ...silentAlarms(deploy, prefix, before)]
  const about = { known, account, prefix, ownerOf, taken, comparedWith }
  return { ...opening, ...about, cloud, before, drift, notes }
}

/** What was deployed last from the project's folder; nobody is asked. */
export async function openRemembered(opening: Opening): Promise<LakeDeployment> {
  const { lake, deploy, folder } = opening
  const prefix = prefixOf(lake, deploy)
  const last = await remembered(folder, prefix, deploy.region)
  return {
    ...opening,
    cloud: undefined,
    known: {},
    account: last?.account,
    prefix,
    ownerOf: ownersIn(lake),
    before: (last?.stacks ?? []).map((stack) => ({
      ...absent(stack.name),
      status: 'remembered',
      template: stack.template,
      parameters: stack.parameters,
    })),
    taken: [],
    drift: [],
    notes: [],
    comparedWith: last
      ? `what was deployed from this folder to account ${last.account} on ${last.at.slice(0, 16).replace('T', ' ')} UTC, as there are no credentials: changes by others are not seen`
      : 'nothing: there are no credentials, and the lake was not deployed from this folder',
  }
}

/**
 * A lake has a stack for what holds data, one for the others, and more where these are many. What
 * another lake has under such a name is left alone.
 */
async function namesOf(cloud: Cloud, prefix: string) {
  const names: string[] = []
  const taken: string[] = []
  for (const name of [baseOf(prefix), prefix])
    ((await isTaken(cloud, name, prefix)) ? taken : names).push(name)
  for (let n = 2; ; n++) {
    const name = `${prefix}-${n}`
    if (!(await lookAt(cloud, name))) return { names, taken }
    ;((await isTaken(cloud, name, prefix)) ? taken : names).push(name)
  }
}

async function isTaken(cloud: Cloud, name: string, prefix: string): Promise<boolean> {
  if (!isMade(await lookAt(cloud, name))) return false
  return isOfAnother(await templateOf(cloud, name), name, prefix)
}
