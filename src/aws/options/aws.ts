import { callSite } from '../../define/call-site.js'
import type { Deploy } from '../../define/model.js'
import { checked } from '../../define/options/options.js'
import { markBroken } from '../../define/problems/mistakes.js'
import type { SourceLocation } from '../../errors.js'
import { optionList } from './list.js'
import type { AwsOptions } from './options.js'

/** A lake's place in AWS, as data: what its templates are made of. */
export interface AwsDeploy extends Deploy, AwsOptions {
  readonly kind: 'aws'
  readonly region: string
  readonly place: SourceLocation | undefined
}

/**
 * Deploys a lake to AWS: `moraine deploy` makes CloudFormation templates of it. Nothing is loaded
 * or called before.
 *
 * @example defineLake({ name: 'shop', deploy: aws({ region: 'eu-central-1' }), datasets: [daily] })
 */
export function aws(options: AwsOptions): AwsDeploy {
  const good = checked<AwsOptions>('aws({ … })', options, optionList)
  const made: AwsDeploy = { ...good, kind: 'aws', region: good.region ?? '', place: callSite() }
  return good.region === undefined ? markBroken(made) : made
}

/** Whether Glue's catalog shows what is deployed so. */
export const isProjected = (deploy: Deploy | undefined): boolean =>
  deploy?.kind === 'aws' && (deploy as AwsDeploy).projection !== false

/** Whether functions hand over to Glue what they can't finish. */
export const handsOver = (deploy: Deploy | undefined): boolean =>
  deploy?.kind === 'aws' && (deploy as AwsDeploy).glue !== undefined
