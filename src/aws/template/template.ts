import type { Lake } from '../../define/lake.js'
import type { AwsDeploy } from '../options/aws.js'
import { contextOf } from './context.js'
import { catalog } from './functions/catalog.js'
import { projection } from './functions/projection.js'
import { jobResources } from './jobs/resources.js'
import type { OlderFolders } from './jobs/rights.js'
import type { Sizes } from './jobs/sizes.js'
import { deployedJobs } from './jobs.js'
import { checkLimits, checkStacks } from './limits.js'
import { checkDeployment } from './problems.js'
import { base, shared } from './shared.js'
import { type Group, SHARED, type Stack, stacksOf } from './stacks.js'

/** What is deployed of a lake. */
export interface Deployment {
  /** In the order in which they are made; they are removed in the opposite one. */
  readonly stacks: readonly Stack[]
}

export interface TemplateOptions {
  /**
   * In which stack a job lies already, by the job's name: a job that moved to another stack would
   * be made there before it is removed here, and names can't be given twice.
   */
  readonly placed?: ReadonlyMap<string, string>
  /** Memory and disk that functions of jobs need; what options of the lake say comes first. */
  readonly sizes?: ReadonlyMap<string, Sizes>
  /** Where objects of datasets lie that were renamed, or whose `folders` were others. */
  readonly olderFolders?: OlderFolders
}

/**
 * The CloudFormation of a lake. The same lake gives the same templates, byte for byte; nothing is
 * read or called.
 *
 * @throws DefinitionError with all that the services of AWS would refuse.
 */
export function template(
  lake: Lake,
  deploy: AwsDeploy,
  { placed = new Map(), sizes = new Map(), olderFolders = new Map() }: TemplateOptions = {},
): Deployment {
  const context = contextOf(lake, deploy, { jobs: deployedJobs(lake), sizes, olderFolders })
  checkDeployment(context)
  const groups: Group[] = [
    { name: 'base', phase: 'base', resources: base(context) },
    { name: SHARED, phase: 'rest', resources: shared(context) },
    { name: 'projection', phase: 'rest', resources: projection(context) },
    { name: 'catalog', phase: 'rest', resources: catalog(context) },
    ...context.jobs.map(
      (job): Group => ({ name: job.name, phase: 'rest', resources: jobResources(context, job) }),
    ),
  ]
  checkLimits(context, groups)
  const all = groups.filter(({ resources }) => Object.keys(resources).length > 0)
  const stacks = stacksOf(all, { prefix: context.prefix, lake: lake.name, placed })
  checkStacks(context, stacks)
  return { stacks }
}
