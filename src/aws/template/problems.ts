import { nearest } from '../../define/nearest.js'
import { DefinitionError, type Problem } from '../../errors.js'
import type { Context } from './context.js'
import { LONGEST_PREFIX } from './names.js'
import { reachProblems } from './reach.js'
import { scheduleProblems } from './services/schedules.js'

/**
 * Holds a lake against the limits of the services of AWS.
 *
 * @throws DefinitionError with all that they would refuse.
 */
export function checkDeployment(context: Context): void {
  const problems = [
    ...nameProblems(context),
    ...jobProblems(context),
    ...variableProblems(context),
    ...scheduleProblems(context),
    ...teamProblems(context),
    ...reachProblems(context),
    ...tagProblems(context),
    ...catalogProblems(context),
    ...networkProblems(context),
    ...warehouseProblems(context),
  ]
  if (problems.length > 0) throw new DefinitionError(problems)
}

type Report = Omit<Problem, 'place'> & { near?: string }

export function problem({ deploy }: Context, { near, ...report }: Report): Problem {
  const place = deploy.place && { ...deploy.place, ...(near === undefined ? {} : { near }) }
  return { ...report, place }
}

function nameProblems(context: Context): Problem[] {
  const { prefix } = context
  if (prefix.length <= LONGEST_PREFIX) return []
  return [
    problem(context, {
      message: `Names of buckets would be too long: '${prefix}' has ${prefix.length} characters, and S3 leaves ${LONGEST_PREFIX} beside an account and a region`,
      hint: "Give a shorter one: aws({ name: '…' })",
      near: 'name',
    }),
  ]
}

function jobProblems(context: Context): Problem[] {
  const known = context.jobs.map(({ name }) => name)
  const { jobs = {}, paused } = context.deploy
  const named = { jobs: Object.keys(jobs), paused: Array.isArray(paused) ? paused : [] }
  return Object.entries(named).flatMap(([option, names]) =>
    (names as string[])
      .filter((name) => !known.includes(name))
      .map((name) => {
        const similar = nearest(name, known)
        return problem(context, {
          message: `aws({ ${option} }): no job is named '${name}'`,
          hint: similar ? `Did you mean '${similar}'?` : `The jobs are: ${known.join(', ')}`,
          near: name,
        })
      }),
  )
}

/**
 * Tags that a resource of AWS has at most:
 * https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html
 */
const MOST_TAGS = 50

function tagProblems(context: Context): Problem[] {
  const count = Object.keys(context.deploy.tags ?? {}).length
  // The tag `lake` is beside them.
  if (count < MOST_TAGS) return []
  return [
    problem(context, {
      message: `aws({ tags }) has ${count} tags; a resource of AWS has at most ${MOST_TAGS}, and lake is one of them`,
      hint: 'Remove some of them.',
      near: 'tags',
    }),
  ]
}

function variableProblems(context: Context): Problem[] {
  const { environment = {}, secrets = {} } = context.deploy
  const names = Object.keys(environment)
  const reserved = [...names, ...Object.keys(secrets)].filter((name) =>
    /^(AWS_|LAMBDA_|_X_|_HANDLER$|MORAINE_(ROOT|JOB|SECRETS)$)/.test(name),
  )
  const twice = names.filter((name) => Object.hasOwn(secrets, name))
  return [
    ...reserved.map((name) =>
      problem(context, {
        message: `The variable ${name} is set by Moraine or by Lambda`,
        hint: 'Give it another name.',
        near: name,
      }),
    ),
    ...names
      .filter((name) => name === 'MORAINE_TOKEN')
      .map((name) =>
        problem(context, {
          message: `The value of ${name} would be in the template and in the settings of functions, where many can read it`,
          hint: `Put the token into Secrets Manager: aws({ secrets: { ${name}: 'lake/token' } })`,
          near: name,
        }),
      ),
    ...twice.map((name) =>
      problem(context, {
        message: `The variable ${name} is in environment and in secrets`,
        hint: 'Remove it from environment if it is a secret.',
        near: name,
      }),
    ),
  ]
}

/** Tables that teams would read and that there are not. */
function teamProblems(context: Context): Problem[] {
  const { lake, deploy } = context
  const known = lake.datasets.flatMap(({ tier, name }) =>
    tier === 'silver'
      ? [`silver.${name}`, `discarded.${name}`, `history.${name}`]
      : [`${tier}.${name}`],
  )
  return Object.entries(deploy.teams ?? {}).flatMap(([team, { read }]) =>
    read
      .filter((text) => text.includes('.') && !known.includes(text))
      .map((text) => {
        const similar = nearest(text, known)
        return problem(context, {
          message: `aws({ teams }): ${team} would read ${text}, which is not in this lake`,
          hint: similar ? `Did you mean '${similar}'?` : 'Name a layer or a dataset of the lake.',
          near: text,
        })
      }),
  )
}

/** A catalog that anybody could read who finds its address. */
function catalogProblems(context: Context): Problem[] {
  const { catalog, secrets = {} } = context.deploy
  if (!catalog || context.lake.access || Object.hasOwn(secrets, 'MORAINE_TOKEN')) return []
  return [
    problem(context, {
      message: 'aws({ catalog }): anybody who finds the address of the catalog could read the lake',
      hint: "Define access in lake.ts, or name a secret with a token: secrets: { MORAINE_TOKEN: 'lake/token' }",
      near: 'catalog',
    }),
  ]
}

/** Jobs of Glue that would not reach what the functions of the same jobs reach. */
function networkProblems(context: Context): Problem[] {
  const { glue, vpc } = context.deploy
  if (!glue || !vpc || vpc.zone !== undefined) return []
  return [
    problem(context, {
      message:
        'aws({ vpc }): jobs of Glue would not be in the network: its availability zone is not set',
      hint: "Add the zone of the first subnet: vpc: { zone: 'eu-central-1a', … }. One of its security groups must let in all TCP from itself.",
      near: 'vpc',
    }),
  ]
}

function warehouseProblems(context: Context): Problem[] {
  const { capacity = 8, maxCapacity = capacity } = context.deploy.redshift ?? {}
  if (maxCapacity >= capacity) return []
  return [
    problem(context, {
      message: `aws({ redshift }): its maxCapacity of ${maxCapacity} RPUs is less than its capacity of ${capacity}`,
      hint: 'Set maxCapacity to the capacity or more.',
      near: 'maxCapacity',
    }),
  ]
}
