import type { BatchPointer } from '../log/commit.js'
import {
  byClass,
  classOf,
  columnName,
  compareKeys,
  type Key,
  type NamesOutside,
  namesOf,
} from '../source/text/names.js'

/** What is asked of a batch. */
interface Named {
  columns: readonly string[]
  files: readonly NamesOutside[]
}

/** Columns that are made of others: of those of a file, the first that has a value. */
export type MadeOf = Readonly<Record<string, readonly string[]>>

/**
 * The names of a dataset's columns where names fall together: by all that its batches ever had, so
 * that a column's name does not hang on which files came together, or first. Names that differ in
 * case alone are one column until a row has both.
 */
export class Naming {
  /** Names of columns by what they have in common, where rows have several. */
  private readonly apart: ReadonlyMap<string, [string, Key][]>

  private constructor(manifests: readonly Named[]) {
    const files = manifests.flatMap((manifest) => manifest.files)
    const classes = new Set(files.flatMap(({ apart = [] }) => apart))
    const keys = files.flatMap(({ names = {}, apart = [] }) =>
      Object.values(names).filter(([name]) => apart.includes(classOf(name))),
    )
    const others = manifests.flatMap((manifest) => ownColumns(manifest))
    const taken = others.map(classOf).filter((name) => !classes.has(name))
    const groups = byClass(keys)
    const sorted = [...groups.keys()].sort().flatMap((name) => groups.get(name) ?? [])
    const named = namesOf(sorted, taken)
    this.apart = new Map(
      [...groups.keys()].map((name) => [name, named.filter(([, [key]]) => classOf(key) === name)]),
    )
  }

  /** `undefined` where no names fall together, as in nearly all datasets. */
  static of(manifests: readonly Named[]): Naming | undefined {
    const some = manifests.some(({ files }) => files.some(isOdd))
    return some ? new Naming(manifests) : undefined
  }

  /** The columns that batches have. */
  columnsOf(manifests: readonly Named[]): string[] {
    const seen = new Map<string, string>()
    const add = (name: string) => {
      if (!seen.has(name.toLowerCase())) seen.set(name.toLowerCase(), name)
    }
    for (const manifest of manifests)
      for (const column of ownColumns(manifest)) {
        const apart = this.apart.get(classOf(column))
        if (apart) for (const [name] of apart) add(name)
        else add(column)
      }
    return [...seen.values()]
  }

  /** How a file's columns come to be the dataset's; `undefined` where they are those. */
  madeOf(manifest: Named, file: NamesOutside): MadeOf | undefined {
    const { names = {} } = file
    const groups = new Map<string, [column: string, key: Key][]>()
    for (const [column, key] of Object.entries(names)) {
      const name = classOf(key[0])
      groups.set(name, [...(groups.get(name) ?? []), [column, key]])
    }
    for (const column of ownColumns(manifest)) {
      const name = classOf(column)
      if (this.apart.has(name) && !groups.has(name)) groups.set(name, [[column, [column, 0]]])
    }
    const made: Record<string, string[]> = {}
    for (const [name, columns] of groups) {
      const apart = this.apart.get(name)
      if (!apart && columns.length === 1) continue
      columns.sort(([, a], [, b]) => compareKeys(a, b))
      const own = apart?.map(([column]) => column) ?? [
        columnName((columns[0] as [string, Key])[1][0]),
      ]
      for (const column of own) made[column] = []
      for (const [column, key] of columns)
        made[this.nameOf(key) ?? (own[0] as string)]?.push(column)
    }
    return Object.keys(made).length > 0 ? made : undefined
  }

  private nameOf(key: Key): string | undefined {
    const apart = this.apart.get(classOf(key[0]))
    return apart?.find(([, [name, nth]]) => name === key[0] && nth === key[1])?.[0]
  }

  /** Columns by names outside that are not theirs. */
  get spelt(): ReadonlyMap<string, string> {
    const all = [...this.apart.values()].flat()
    return new Map(all.flatMap(([column, [name, nth]]) => (nth === 0 ? [[name, column]] : [])))
  }

  /** What people should know. */
  get notes(): string[] {
    return [...this.apart.values()].map((columns) => {
      const said = columns.map(([column, [name, nth]]) => {
        return `${JSON.stringify(name)}${nth > 0 ? ` (number ${nth + 1} in its row)` : ''} is column ${column}`
      })
      return `ambiguous column names: ${said.join(', ')}`
    })
  }
}

/** Whether several columns of a file are one to the engine. */
function isOdd({ names = {}, apart = [] }: NamesOutside): boolean {
  if (apart.length > 0) return true
  const classes = Object.values(names).map(([name]) => classOf(name))
  return new Set(classes).size < classes.length
}

/** The columns of a batch, but for those whose names were made as others were there already. */
function ownColumns({ columns, files }: Named): string[] {
  const made = new Set<string>()
  for (const { names = {} } of files)
    for (const [column, [name]] of Object.entries(names))
      if (classOf(name) !== column.toLowerCase()) made.add(column.toLowerCase())
  const real = files.flatMap(({ names = {} }) =>
    Object.entries(names).flatMap(([column, [name]]) => (made.has(classOf(name)) ? [column] : [])),
  )
  const isReal = new Set(real.map((name) => name.toLowerCase()))
  return columns.filter((name) => !made.has(name.toLowerCase()) || isReal.has(name.toLowerCase()))
}

/**
 * What a batch's files say of names, where columns are spelt otherwise than the batch's are, or are
 * called as names that were made.
 */
export function namesInBatch<T extends NamesOutside & { columns: readonly string[] }>(
  files: readonly T[],
  columns: readonly string[],
): NamesOutside[] {
  const spelt = new Map(columns.map((name) => [name.toLowerCase(), name]))
  const made = new Set(
    files.flatMap(({ names = {} }) =>
      Object.entries(names).flatMap(([column, [name]]) =>
        classOf(name) !== column.toLowerCase() ? [column.toLowerCase()] : [],
      ),
    ),
  )
  return files.map(({ columns: own, names = {}, apart }) => {
    const more = own.filter((column) => {
      const lower = column.toLowerCase()
      return !Object.hasOwn(names, column) && (spelt.get(lower) !== column || made.has(lower))
    })
    const all = { ...names, ...Object.fromEntries(more.map((name) => [name, [name, 0] as const])) }
    return {
      ...(Object.keys(all).length > 0 ? { names: all } : {}),
      ...(apart ? { apart } : {}),
    }
  })
}

/** What a batch's pointer says of names that fall together. */
export function namesTogether(
  files: readonly NamesOutside[],
): Pick<BatchPointer, 'collidingNames'> {
  if (!files.some(isOdd)) return {}
  const keys = files.flatMap(({ names = {}, apart = [] }) =>
    Object.values(names).filter(([name]) => apart.includes(classOf(name))),
  )
  return { collidingNames: [...byClass(keys).values()].flat() }
}
