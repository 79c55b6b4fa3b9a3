import { rightsOf } from '../../define/access/rights.js'
import { USUAL, type Workgroup } from '../../define/access/workgroup.js'
import { LEAST_MEMORY, type QueryLimits } from '../../define/limits.js'
import { sizeText } from '../../define/size.js'
import { MoraineError } from '../../errors.js'
import { machineMemory } from '../../process/memory.js'
import type { Estimate, TableEstimate } from '../estimate.js'
import { type Limits, limitsOf } from '../limits.js'
import { FairQueue } from './fair-queue.js'
import type { Caller } from './request.js'

/** What metadata and footers of files may add to what manifests say, in bytes. */
const BESIDE = 4 * 2 ** 20

/** The part of the machine's memory that queries have together, each as much as any other. */
const PART = 0.7

/** What changes the bytes of the day that a query counts with. */
export interface Admitted {
  takeBack: () => void
  /**
   * @param read bytes that it has read.
   * @returns those that it counts with.
   */
  ended: (read: number) => number
}

/** The workgroup of those for whom none is defined. */
const PRIMARY = 'primary'

const primary: Workgroup = {
  ...{ kind: 'workgroup', name: PRIMARY, members: undefined, tables: undefined, limits: {} },
  ...{ maxScan: undefined, maxScanPerDay: undefined, ...USUAL, partitionFilters: [] },
  ...{ output: undefined, enforced: true, place: undefined },
}

/** A workgroup while the service runs. */
interface Room {
  group: Workgroup
  queue: FairQueue
  /** Bytes of its queries of a day. */
  day: string
  bytes: number
}

/** Who may use what: each query is of one workgroup, and within its limits. */
export class Workgroups {
  private readonly rooms = new Map<string, Room>()

  constructor(
    private readonly defined: readonly Workgroup[],
    private readonly usual: QueryLimits | undefined,
    private readonly now: () => Date,
  ) {}

  /** The workgroups that somebody may use, the one of queries that name none first. */
  of({ name }: Caller): Workgroup[] {
    const own = this.defined.filter(({ members }) => !members || members.includes(name))
    return own.length > 0 ? own : [primary]
  }

  /** @throws MoraineError of kind `usage` for one that there is not for this principal. */
  find(caller: Caller, named: string | undefined): Workgroup {
    const own = this.of(caller)
    const found = named === undefined ? own[0] : own.find(({ name }) => name === named)
    if (found) return found
    throw new MoraineError('usage', `There is no workgroup ${named?.slice(0, 200)}`, {
      hint: `Use one of: ${own.map(({ name }) => name).join(', ')}`,
    })
  }

  limits({ limits, concurrency }: Workgroup): Limits {
    const own = limitsOf(limits, this.usual)
    if (!own.sharesMemory) return own
    // The same for each: an engine that was started with other memory would have to start again.
    const share = Math.floor((machineMemory() * PART) / concurrency)
    return {
      ...own,
      memory: Math.max(LEAST_MEMORY, Math.min(own.memory, share)),
      sharesMemory: false,
    }
  }

  /** Waits for a place; returns what gives it back. */
  enter(group: Workgroup, { name }: Caller, signal: AbortSignal | undefined) {
    return this.room(group).queue.enter(name, signal)
  }

  /**
   * Whether a query may read what it would.
   *
   * @returns what changes its bytes of the day: they are none again where it did not run, and more
   *   where it has read more than was estimated.
   * @throws MoraineError of kind `limit`, or `query` for a table that is not of the workgroup.
   */
  admit(group: Workgroup, { bytes, tables }: Pick<Estimate, 'bytes' | 'tables'>): Admitted {
    const { name, maxScan, maxScanPerDay } = group
    for (const table of tables) refuseTable(group, table)
    if (maxScan !== undefined && bytes > maxScan) throw tooMuch(name, bytes, maxScan)
    const room = this.room(group)
    if (maxScanPerDay !== undefined && room.bytes + bytes > maxScanPerDay)
      throw new MoraineError(
        'limit',
        `The queries of workgroup ${name} have read ${sizeText(room.bytes)} today; this one would read ${sizeText(bytes)}, and ${sizeText(maxScanPerDay)} are allowed in a day`,
        { hint: 'Select less, or run it tomorrow (days are those of UTC).' },
      )
    // Those that run at the same time count already.
    room.bytes += bytes
    const { day } = room
    const change = (by: number) => {
      if (room.day === day) room.bytes += by
    }
    return {
      takeBack: () => change(-bytes),
      ended: (read) => {
        // A table may be read again and again, as in the rounds of WITH RECURSIVE.
        const counted = Math.max(bytes, read - BESIDE)
        change(counted - bytes)
        return counted
      },
    }
  }

  /** Counts bytes of queries that ran before. */
  count(group: string, day: string, bytes: number): void {
    const known = this.defined.find(({ name }) => name === group)
    const room = known && this.room(known)
    if (room?.day === day) room.bytes += bytes
  }

  /**
   * What a query that was admitted may read, whatever was estimated; more stops it, with the error.
   */
  most(
    group: Workgroup,
    { bytes }: Pick<Estimate, 'bytes'>,
  ): { most: number; error: (read: number) => MoraineError } {
    const { name, maxScan, maxScanPerDay } = group
    const one = maxScan ?? Number.POSITIVE_INFINITY
    // It counts already.
    const rest = (maxScanPerDay ?? Number.POSITIVE_INFINITY) - this.room(group).bytes + bytes
    return {
      most: Math.max(bytes, Math.min(one, rest)) + BESIDE,
      error: (read) =>
        one <= rest
          ? tooMuch(name, read, one, true)
          : new MoraineError(
              'limit',
              `The query was stopped: it has read ${sizeText(read)}, and of what workgroup ${name} may read in a day, ${sizeText(rest)} were left`,
              { hint: 'Select less, or run it tomorrow (days are those of UTC).' },
            ),
    }
  }

  private room(group: Workgroup): Room {
    const day = this.now().toISOString().slice(0, 10)
    const known = this.rooms.get(group.name)
    if (known) {
      if (known.day !== day) Object.assign(known, { day, bytes: 0 })
      return known
    }
    const queue = new FairQueue(group.concurrency, group.waiting)
    const room = { group, queue, day, bytes: 0 }
    this.rooms.set(group.name, room)
    return room
  }
}

function refuseTable({ name, tables, partitionFilters }: Workgroup, table: TableEstimate): void {
  if (tables && table.isNamed && !rightsOf(tables, []).may('read', table.levels))
    throw new MoraineError('query', `Workgroup ${name} is not for ${table.name}`, {
      hint: `It is for: ${tables.map(({ text }) => text).join(', ')}`,
    })
  const needs = rightsOf(partitionFilters, []).may('read', table.levels)
  const has = table.partitions.some((column) => table.chosenBy.includes(column))
  if (needs && table.partitions.length > 0 && !has)
    throw new MoraineError(
      'limit',
      // What a view reads may be nothing that whoever asks may see.
      table.isNamed
        ? `Workgroup ${name} needs a condition on ${table.partitions.join(' or ')}, by which ${table.name} is partitioned`
        : `Workgroup ${name} needs a condition on the partitions of a table that a view of the query reads`,
      {
        hint: table.isNamed
          ? `Add it: WHERE ${table.partitions[0]} >= …`
          : 'Name the table itself with the condition, or use another workgroup.',
      },
    )
}

/** What is told of a query that would read too much, before it does, or that did. */
function tooMuch(group: string, bytes: number, most: number, isRead = false): MoraineError {
  return new MoraineError(
    'limit',
    isRead
      ? `The query was stopped: it has read ${sizeText(bytes)}, and workgroup ${group} lets it read ${sizeText(most)}`
      : `The query would read ${sizeText(bytes)}, and workgroup ${group} lets it read ${sizeText(most)}: nothing was read`,
    { hint: 'Select fewer columns, or add a condition on the column of the partitions.' },
  )
}
