/** The full name, as in queries and commands: `silver.orders`, `ml.scores`. */
export function fullName({ tier, name, namespace }: Named): string {
  return [...(namespace ?? [tier]), name].join('.')
}

interface Named {
  tier: string
  name: string
  namespace?: readonly string[]
}

/** The schema that a dataset or a table of another engine has in SQL: `silver`, `ml`. */
export function schemaOf({ tier, namespace }: Pick<Named, 'tier' | 'namespace'>): string {
  return namespace ? namespace.join('.') : tier
}

/** Namespaces whose tables `lake.ts` defines, as engines are shown them. */
export const shownSchemas = ['bronze', 'silver', 'gold', 'discarded', 'history']

/** The same, with names that are or were such, and are shown to nobody. */
export const managedSchemas = [...shownSchemas, 'deleted', 'tombstones', 'ended']
/** The namespace of tables that tell of the lake itself, and these tables. */
export const SYSTEM = 'system'
export const systemNames = [
  'queries',
  'runs',
  'steps',
  'discarded_trend',
  'commits',
  'access',
] as const
/**
 * The schema in which an engine has them, as `system` is a catalog of its own. It is as long, so
 * that places in texts stay where they are.
 */
export const SYSTEM_SCHEMA = '_mrsys'

/** Schemas that an engine has anyway. */
export const engineSchemas = [
  'main',
  'memory',
  'temp',
  SYSTEM,
  SYSTEM_SCHEMA,
  'information_schema',
  'pg_catalog',
]

/** Under which name the log has how far the feed of an inbox has read: `bronze.orders_feed`. */
export const feedKey = (dataset: string): string => `${dataset}_feed`
