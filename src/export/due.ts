import type { Warehouse } from '../define/export/target.js'
import type { Storage } from '../storage/storage.js'

/*
 * Which warehouses lack what runs have published: an object for each run whose export has not
 * ended well, so that a later run that publishes nothing knows without asking the warehouses.
 */
const FOLDER = '_moraine/exports/'

type Named = Pick<Warehouse, 'name'>

/** An export that a run owes to a warehouse. */
const dueOf = ({ name }: Named, run: string) => `${FOLDER}${name}/${run}.json`

const isOf = (path: string, { name }: Named) => path.startsWith(`${FOLDER}${name}/`)

/** Exports that are due, as paths of objects. */
export async function dueExports(storage: Storage): Promise<string[]> {
  return (await storage.list(FOLDER)).map(({ path }) => path)
}

export const isDue = (due: readonly string[], warehouse: Named): boolean =>
  due.some((path) => isOf(path, warehouse))

/** Notes before an export that it is due; a process that is killed leaves it so. */
export async function noteDue(storage: Storage, warehouse: Named, run: string): Promise<void> {
  await storage.createIfAbsent(dueOf(warehouse, run), new TextEncoder().encode('{}\n'))
}

/**
 * Forgets what was due before an export, which has done it or is due itself.
 *
 * @param own the run's, if the export has ended well.
 */
export async function forgetDue(
  storage: Storage,
  warehouse: Named,
  due: readonly string[],
  own: string | undefined,
): Promise<void> {
  const before = due.filter((path) => isOf(path, warehouse))
  const done = own === undefined ? [] : [dueOf(warehouse, own)]
  await Promise.all([...before, ...done].map((path) => storage.remove(path)))
}
