/** The full name, as in queries and commands: `silver.orders`, `ml.scores`. */
export function fullName(dataset: Named): string {
  return `${schemaOf(dataset)}.${dataset.name}`
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
