import type { Warehouse } from '../../define/export/target.js'
import type { Bronze } from '../../define/model.js'
import type { Problem } from '../../errors.js'
import { secretFilesIn, variablesIn } from '../../source/declare/aws-secrets-in.js'
import type { Context } from './context.js'
import { proofsOf } from './jobs/rights.js'

/**
 * What a definition names and functions on AWS do not reach: they have neither folders nor files of
 * this machine, and of its variables those that the deployment gives them.
 */
export function reachProblems(context: Context): Problem[] {
  const { lake } = context
  const bronze = lake.datasets.filter((one) => one.tier === 'bronze')
  return [
    ...bronze.flatMap(folderProblems),
    ...lake.exports.filter(({ afterRuns }) => afterRuns).flatMap(exportProblems),
    ...partsOf(context, bronze).flatMap((part) => [
      ...plainProblems(context, part),
      ...(part.isNeeded ? secretProblems(context, part) : []),
    ]),
  ]
}

/** A part of a definition that may name secrets. */
interface Part {
  of: string
  part: unknown
  place: Problem['place']
  /** Whether functions use it. */
  isNeeded: boolean
}

function partsOf({ lake, deploy }: Context, bronze: readonly Bronze[]): Part[] {
  return [
    ...bronze.map(({ name, from, place }) => ({
      ...{ of: `bronze.${name}`, part: from, place, isNeeded: true },
    })),
    ...lake.exports.map(({ name, target, place, afterRuns }) => ({
      ...{ of: `warehouse '${name}'`, part: target, place, isNeeded: afterRuns },
    })),
    { of: 'alerts', part: lake.alerts, place: lake.place, isNeeded: true },
    ...(lake.access ?? []).map((one) => ({
      ...{ of: `principal '${one.name}'`, part: proofsOf(one), place: one.place },
      // Its address answers nobody as long as one of them is missing.
      isNeeded: deploy.catalog === true,
    })),
  ]
}

const isBucket = (path: string) => path.startsWith('s3://')
function folderProblems({ name, from, place }: Bronze): Problem[] {
  if (from.kind === 'inbox' && from.path !== undefined && !isBucket(from.path))
    return [
      {
        message: `bronze.${name}: functions on AWS do not reach the folder '${from.path}'`,
        hint: "Leave path out for the lake's own inbox, or give a prefix of a bucket: path: 's3://drop/orders'",
        place: place && { ...place, near: from.path },
      },
    ]
  return []
}

function exportProblems({ name, target, place }: Warehouse): Problem[] {
  if (target.kind === 'duckdb')
    return [
      {
        message: `warehouse '${name}': functions on AWS have no place to keep the file '${target.path}'`,
        hint: "Export to a database or to folder('s3://bucket/prefix'), or set afterRuns: false and run moraine export on a machine.",
        place: place && { ...place, near: target.path },
      },
    ]
  if (target.kind !== 'folder' || isBucket(target.path)) return []
  return [
    {
      message: `warehouse '${name}': functions on AWS do not reach the folder '${target.path}'`,
      hint: "Give a prefix of a bucket: folder('s3://bucket/prefix')",
      place: place && { ...place, near: target.path },
    },
  ]
}

/** Secrets whose values would be read in templates, and in what the account shows of functions. */
function plainProblems({ deploy }: Context, { of, part, place }: Part): Problem[] {
  const { environment = {} } = deploy
  return variablesIn(part)
    .filter((name) => Object.hasOwn(environment, name))
    .map((name) => ({
      message: `${of}: the value of the secret ${name} would be in the template and in the settings of functions, where many can read it`,
      hint: `Put it into Secrets Manager, and name it in secrets, not in environment: aws({ secrets: { ${name}: 'shop/name' } }).`,
      place,
    }))
}

/** Secrets in variables and files that the functions would not have. */
function secretProblems({ deploy }: Context, { of, part, place }: Part): Problem[] {
  const { environment = {}, secrets = {} } = deploy
  const files = secretFilesIn(part).map((path) => ({
    message: `${of}: functions on AWS would not have the file ${path}`,
    hint: "Put the secret into Secrets Manager, and write secret('aws-secrets:shop/name').",
    place: place && { ...place, near: path },
  }))
  const variables = variablesIn(part)
    .filter((name) => !Object.hasOwn(environment, name) && !Object.hasOwn(secrets, name))
    .map((name) => ({
      message: `${of}: functions on AWS would not have the variable ${name}`,
      hint: `Name a secret of Secrets Manager for it: aws({ secrets: { ${name}: 'shop/name' } }), or write secret('aws-secrets:shop/name').`,
      place,
    }))
  return [...variables, ...files]
}
