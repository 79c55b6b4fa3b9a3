import type { Levels, Rights } from '../../define/access/rights.js'

/** Those that have one folder, or one below it, by their keys, and what is known of them. */
export class Owners {
  readonly levels = new Map<string, Levels>()
  private readonly known = new WeakMap<Rights, Map<string, unknown>>()

  /** What somebody's rights say of them: found out once, as they may be thousands. */
  judged<T>(rights: Rights, question: string, find: () => T): T {
    const answers = this.known.get(rights) ?? new Map<string, unknown>()
    this.known.set(rights, answers)
    if (!answers.has(question)) answers.set(question, find())
    return answers.get(question) as T
  }
}

/** A folder, and who has it: by a key, and by levels, of which rights speak. */
type OwnedFolder = readonly [folder: string, key: string, levels: Levels]

/**
 * Who has which folders. A commit may name thousands of files: of each, those are found around
 * whose folders it lies without looking at all of them.
 */
export class Folders {
  private readonly at = new Map<string, Owners>()
  private readonly within = new Map<string, Owners>()
  /** With a slash at the end, in order. */
  private readonly ordered: readonly string[]
  private readonly longest: number

  constructor(owned: Iterable<OwnedFolder>) {
    for (const [folder, key, levels] of owned) {
      const owners = this.at.get(folder) ?? new Owners()
      owners.levels.set(key, levels)
      this.at.set(folder, owners)
    }
    this.ordered = [...this.at.keys()].map((folder) => `${folder}/`).sort()
    this.longest = this.ordered.reduce((most, { length }) => Math.max(most, length), 0)
  }

  /** Those in whose folders a path lies, or that have it as their folder. */
  *around(path: string): Generator<Owners> {
    const whole = `${path}/`
    for (let end = whole.indexOf('/'); end >= 0; end = whole.indexOf('/', end + 1)) {
      if (end >= this.longest) return
      const owners = this.at.get(whole.slice(0, end))
      if (owners) yield owners
    }
  }

  /** Those, and those that have a folder below the path. */
  *overlapping(path: string): Generator<Owners> {
    yield* this.around(path)
    const first = `${path}/`
    const from = this.indexOf(first)
    if (!this.ordered[from]?.startsWith(first)) return
    const known = this.within.get(path) ?? this.below(first, from)
    this.within.set(path, known)
    yield known
  }

  private below(first: string, from: number): Owners {
    const all = new Owners()
    for (let i = from; this.ordered[i]?.startsWith(first); i++)
      for (const [key, levels] of this.at.get(this.ordered[i]?.slice(0, -1) ?? '')?.levels ?? [])
        all.levels.set(key, levels)
    return all
  }

  /** Where a text stands in the order, or would. */
  private indexOf(text: string): number {
    let [from, to] = [0, this.ordered.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((this.ordered[middle] as string) < text) from = middle + 1
      else to = middle
    }
    return from
  }
}

/** Folders of parts of a state, which are the same objects as long as nothing in them changes. */
export class KnownFolders<Part extends object> {
  private readonly known = new WeakMap<Part, Folders>()

  constructor(private readonly ownedIn: (part: Part) => Iterable<OwnedFolder>) {}

  of(part: Part): Folders {
    const folders = this.known.get(part) ?? new Folders(this.ownedIn(part))
    this.known.set(part, folders)
    return folders
  }
}
