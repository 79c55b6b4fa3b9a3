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
  const { lake, deploy } = context
  const bronze = lake.datasets.filter((one) => one.tier === 'bronze')
  return [
    ...bronze.flatMap(folderProblems),
    ...lake.exports.filter(({ afterRuns }) => afterRuns).flatMap(exportProblems),
    ...bronze.flatMap((dataset) =>
      secretProblems(context, `bronze.${dataset.name}`, dataset.from, dataset.place),
    ),
    ...lake.exports.flatMap(({ name, target, place, afterRuns }) =>
      afterRuns ? secretProblems(context, `warehouse '${name}'`, target, place) : [],
    ),
    ...secretProblems(context, 'alerts', lake.alerts, lake.place),
    // Its address answers nobody as long as one of them is missing.
    ...(deploy.catalog ? (lake.access ?? []) : []).flatMap((one) =>
      secretProblems(context, `principal '${one.name}'`, proofsOf(one), one.place),
    ),
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

/** Secrets in variables and files that the functions would not have. */
function secretProblems(
  { deploy }: Context,
  of: string,
  part: unknown,
  place: Problem['place'],
): Problem[] {
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
