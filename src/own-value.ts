/**
 * What a record has under a name that data or people gave. Plain indexing also finds what every
 * object inherits: a column may be called `constructor` or `toString`.
 */
export function ownValue<V>(
  record: Readonly<Record<string, V>> | undefined,
  name: string,
): V | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined
}
