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
/** Schemas that an engine has anyway. */
export const engineSchemas = [
  'main',
  'memory',
  'temp',
  'system',
  'information_schema',
  'pg_catalog',
]
