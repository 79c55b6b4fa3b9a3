import { createOnce } from '../../storage/retry.js'
import type { Storage } from '../../storage/storage.js'
import type { Changes, Commit } from '../commit.js'
import { encodeCommit, parseEntry } from '../entry.js'

const FOLDER = '_moraine/coming/'

/** A commit that somebody is about to make on a branch, or was. */
export interface Announced {
  /** The branch's id. */
  branch: string
  /** The number that it is to have: once another one has it, this one will never be made. */
  number: number
  path: string
  bytes: Uint8Array
}

/** Whether a commit leads to files, so that a vacuum has to know of it. */
export const hasFiles = ({ tables, batches, watermarks, external }: Changes): boolean =>
  [tables, watermarks, external?.relations].some((of) =>
    Object.values(of ?? {}).some((value) => value !== null),
  ) || (batches ?? []).length > 0

/**
 * Says of commits to a branch that they are about to be made, before it is looked whether a vacuum
 * has removed their files. A vacuum keeps what they lead to from then on, so that one which is made
 * is whole from its beginning, whatever becomes of its writer (ADR 149).
 */
export class Coming {
  private path: string | undefined

  constructor(
    private readonly storage: Storage,
    private readonly branch: string,
    private readonly id: string,
  ) {}

  /** There is no moment between two attempts at which nothing is said. */
  async announce(commit: Commit): Promise<void> {
    const before = this.path
    const number = String(commit.number).padStart(12, '0')
    const path = `${FOLDER}${this.branch}/${number}-${this.id}.json`
    await createOnce(this.storage, path, encodeCommit(commit))
    this.path = path
    if (before) await this.remove(before)
  }

  /** The commit was made, or never will be. */
  async end(): Promise<void> {
    if (this.path) await this.remove(this.path)
  }

  /** Who may not remove anything leaves that to vacuum. */
  private remove(path: string): Promise<void> {
    return this.storage.remove(path).catch(() => {})
  }
}

/**
 * Commits that somebody may be about to make. Who looks for files reads all of them before the
 * branches: one that is gone by then was made, and is found there, or was given up.
 */
export async function announcedIn(storage: Storage): Promise<Announced[]> {
  const found: Announced[] = []
  for (const { path } of await storage.list(FOLDER)) {
    const [, branch, number] = /^_moraine\/coming\/([^/]+)\/(\d+)-[^/]+\.json$/.exec(path) ?? []
    const bytes = branch === undefined ? undefined : await storage.readIfPresent(path)
    if (branch !== undefined && bytes) found.push({ branch, number: Number(number), path, bytes })
  }
  return found
}

/** @throws MoraineError of kind `corrupt` for one that is not what was written. */
export const changesOf = ({ bytes, path }: Announced): Changes =>
  parseEntry(bytes, path).commit.changes
