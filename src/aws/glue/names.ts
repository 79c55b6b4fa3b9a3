import type { Lake } from '../../define/lake.js'
import type { Deploy } from '../../define/model.js'
import type { AwsDeploy } from '../options/aws.js'

/** What is projected, each into a database of its own. */
export const layers = ['bronze', 'silver', 'gold', 'discarded', 'history'] as const

export type Layer = (typeof layers)[number]

/** Where lists of files lie that partitions of bronze lead to, each dataset's in a folder. */
export const LISTS = '_moraine/athena/'

/** How databases are called. */
export interface DatabaseNames {
  /** What the names of databases begin with. Default: the lake's name and `_`. */
  prefix?: string
  /** Other names for layers, as they are. */
  databases?: { readonly [L in Layer]?: string }
}

/**
 * Glue: https://docs.aws.amazon.com/glue/latest/webapi/API_DatabaseInput.html; Athena has no others
 * without quotes.
 */
const NAME = /^[a-z0-9_]{1,255}$/

/** Whether a database can have a name, in Glue and in Athena's SQL. */
export const isDatabaseName = (name: string): boolean => NAME.test(name)

/** What a deployment says of the names of databases. */
export function namesOf(deploy: Deploy | undefined): DatabaseNames {
  const { databases } = (deploy?.kind === 'aws' ? deploy : {}) as Partial<AwsDeploy>
  return databases === undefined ? {} : { prefix: `${databases}_` }
}

/** The database of each layer: `shop_silver`. */
export function databaseNames(
  { name }: Pick<Lake, 'name'>,
  { prefix = `${name.replaceAll('-', '_')}_`, databases = {} }: DatabaseNames = {},
): Record<Layer, string> {
  return Object.fromEntries(
    layers.map((layer) => [layer, databases[layer] ?? `${prefix}${layer}`]),
  ) as Record<Layer, string>
}
