import type { Task } from './clients.js'
import type { Tables } from './lake.js'

/** What clients do to a catalog, and what is expected of it. */
export interface Scenario {
  name: string
  /** What it is called in full. */
  title: string
  task(tables: Tables): Omit<Task, 'url' | 'token' | 'seconds' | 'clients' | 'namespace'>
  /** Operations a second at least. */
  rate?: number
  /** Milliseconds of the slowest in a hundred at most. */
  p99?: number
}

export const CLIENTS = 8
/** Tables on a page, as clients ask that ask for pages. */
export const PAGE = 1000

const parted = <T>(all: readonly T[]): T[][] =>
  Array.from({ length: CLIENTS }, (_, i) => all.filter((_, at) => at % CLIENTS === i))
/** Each client begins elsewhere. */
export const turned = <T>(all: readonly T[]): T[][] =>
  Array.from({ length: CLIENTS }, (_, i) => {
    const first = Math.floor((all.length * i) / CLIENTS)
    return [...all.slice(first), ...all.slice(0, first)]
  })

export const scenarios: readonly Scenario[] = [
  {
    name: 'commits',
    title: 'commits to 64 tables',
    task: ({ busy }) => ({ doing: 'commit', tables: parted(busy) }),
    rate: 300 / 60,
    p99: 500,
  },
  {
    name: 'table',
    title: 'commits to one table',
    task: ({ busy }) => ({ doing: 'commit', tables: turned(busy.slice(0, 1)) }),
    rate: 100 / 60,
  },
  {
    name: 'loads',
    title: 'loads of 20 KB',
    task: ({ small }) => ({ doing: 'load', tables: turned(small) }),
    rate: 300,
  },
  {
    name: 'large',
    title: 'loads of 200 KB',
    task: ({ large }) => ({ doing: 'load', tables: turned(large) }),
    rate: 300,
  },
  {
    name: 'again',
    title: 'loads of what is known (ETag)',
    task: ({ small }) => ({ doing: 'ask-again', tables: turned(small.slice(0, 50)) }),
    rate: 300,
  },
  {
    name: 'pages',
    title: `pages of ${PAGE} tables`,
    task: () => ({ doing: 'list', tables: [], pageSize: PAGE }),
    p99: 100,
  },
]
