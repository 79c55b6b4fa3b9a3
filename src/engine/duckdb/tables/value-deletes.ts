import { quoteName, quoteText } from '../../../define/sql/sql.js'
import type { Staging } from '../../../storage/staging.js'
import type { DeleteFile, TableFile } from '../../engine.js'

/**
 * Deletes by values as they came, one after the other. A data file has those that came after it, so
 * that its list is the end of a longer one: what is said of each file is where that begins.
 */
export interface Chain {
  deletes: readonly DeleteFile[]
}

/** Where the deletes of a file begin in a chain. */
export interface Since {
  chain: Chain
  since: number
}

export const isPositions = ({ fields }: DeleteFile) => fields === undefined

/** The chains of files that have deletes by values. */
export function chainsOf(files: readonly TableFile[]): Map<TableFile, Since> {
  const lists = new Map<readonly DeleteFile[] | undefined, readonly DeleteFile[]>()
  for (const { deletes } of files)
    if (!lists.has(deletes))
      lists.set(
        deletes,
        (deletes ?? []).filter((one) => !isPositions(one)),
      )
  const found = new Map<TableFile, Since>()
  const byLast = new Map<string, Chain[]>()
  const listOf = ({ deletes }: TableFile) => lists.get(deletes) ?? []
  const having = files.filter((file) => listOf(file).length > 0)
  for (const file of having.sort((a, b) => listOf(b).length - listOf(a).length)) {
    const list = listOf(file)
    const last = list.at(-1)?.location as string
    const known = byLast.get(last) ?? []
    const chain = known.find((one) => isEnd(list, one.deletes)) ?? { deletes: list }
    if (!known.includes(chain)) byLast.set(last, [...known, chain])
    found.set(file, { chain, since: chain.deletes.length - list.length })
  }
  return found
}

function isEnd(list: readonly DeleteFile[], longer: readonly DeleteFile[]): boolean {
  const from = longer.length - list.length
  return list.every((one, i) => one.location === longer[from + i]?.location)
}

/** Deletes by the values of the same columns, and their places in the chain. */
interface OfColumns {
  fields: NonNullable<DeleteFile['fields']>
  files: { location: string; place: number }[]
}

function byColumns({ deletes }: Chain, from: number): OfColumns[] {
  const found = new Map<string, OfColumns>()
  for (const [place, { location, fields = [] }] of deletes.entries()) {
    if (place < from) continue
    const key = fields.map(({ id }) => id).join()
    const known = found.get(key) ?? { fields, files: [] }
    known.files.push({ location, place })
    found.set(key, known)
  }
  return [...found.values()]
}

/** How files are read. */
export interface Reading {
  /** What a column is called in `_d`. */
  nameOf(id: number, name: string): string
  /** SQL that reads files by field ids, with their names. */
  readSql(
    columns: readonly { id: number; name: string; sql: string }[],
    locations: readonly string[],
  ): string
}

/**
 * SQL that rows `_d` of files are joined with, so that those remain which deletes of their chain
 * are not about. Each file of deletes is read once, however many files it is about.
 */
export function valueJoins(
  staging: Staging,
  files: readonly TableFile[],
  chains: ReadonlyMap<TableFile, Since>,
  { nameOf, readSql }: Reading,
): { joins: string; locations: string[] } {
  const found = files.flatMap((file) => chains.get(file) ?? [])
  const [first] = found
  if (!first) return { joins: '', locations: [] }
  const from = found.reduce((least, { since }) => Math.min(least, since), first.since)
  const isSame = found.every(({ since }) => since === from)
  const placed = (pairs: readonly (readonly [location: string, place: number])[]) =>
    pairs.map(([one, place]) => `(${quoteText(staging.readPath(one))}, ${place})`).join(', ')
  const deleted = byColumns(first.chain, from).map(({ fields, files: deletes }, i) => {
    const columns = fields.map(({ id, type }) => ({ id, name: `c${id}`, sql: type }))
    const locations = deletes.map(({ location }) => location)
    const rows = readSql(columns, locations)
    const places = placed(deletes.map(({ location, place }) => [location, place]))
    const names = columns.map(({ name }) => quoteName(name)).join(', ')
    const last = `(SELECT ${names}, max(_a.place) AS place FROM ${rows} AS _r
      JOIN (VALUES ${places}) AS _a(file, place) ON _a.file = _r.filename GROUP BY ALL)`
    const equal = fields.map(
      ({ id, name }) =>
        `_e${i}.${quoteName(`c${id}`)} IS NOT DISTINCT FROM _d.${quoteName(nameOf(id, name))}`,
    )
    const met = isSame ? equal : [...equal, `_e${i}.place >= _s.since`]
    return ` ANTI JOIN ${isSame ? rows : last} AS _e${i} ON ${met.join(' AND ')}`
  })
  const sinces = placed(files.map(({ location }, i) => [location, found[i]?.since ?? 0]))
  const numbered = ` JOIN (VALUES ${sinces}) AS _s(file, since) ON _s.file = _d.filename`
  return {
    joins: [...(isSame ? [] : [numbered]), ...deleted].join(''),
    locations: first.chain.deletes.slice(from).map(({ location }) => location),
  }
}
