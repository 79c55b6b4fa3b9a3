import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { Lake } from '../define/lake.js'
import { MoraineError } from '../errors.js'
import { findLakeFile, loadLake } from '../load/load.js'
import { openStorage, rootOf } from '../load/root.js'
import { CommitLog } from '../log/log.js'
import { parsePoint } from '../log/point.js'
import { variable } from '../settings.js'
import type { Patience } from '../storage/retry.js'
import type { RetryingStorage } from '../storage/retrying.js'
import { show } from './output/terminal.js'

/** Options that every command takes. */
export interface GlobalOptions {
  directory: string
  root?: string
  json?: boolean
}

/** A project as commands use it: the definition and the storage behind it. */
export interface Project {
  lake: Lake
  storage: RetryingStorage
  log: CommitLog
  folder: string
  /** Where the lake lies, as it was said. */
  root: string
  json: boolean
}

/**
 * Loads the project that the command's options choose.
 *
 * @param patience how long its storage is waited for where it does not answer; ten seconds.
 */
export async function openProject(command: Command, patience?: Patience): Promise<Project> {
  const options = command.optsWithGlobals<GlobalOptions>()
  const folder = resolve(options.directory)
  const lake = await loadLake(findLakeFile(folder))
  const root = options.root ?? rootOf(lake, folder)
  const storage = openStorage(root, undefined, patience)
  const { json = false } = options
  return { lake, storage, log: new CommitLog(storage), folder, root, json }
}

/** The lake's storage; the definition is only read when the root is not given. */
export async function openLog(command: Command): Promise<Omit<Project, 'lake'> & { lake?: Lake }> {
  const options = command.optsWithGlobals<GlobalOptions>()
  const root = options.root ?? variable('MORAINE_ROOT')
  if (!root) return openProject(command)
  const storage = openStorage(root)
  const folder = resolve(options.directory)
  return { storage, log: new CommitLog(storage), folder, root, json: options.json ?? false }
}

export function print(text: string): void {
  show(`${text}\n`)
}

/** A commit's number or a time, as an option gives it. */
export function pointOf(option: string, text: string): number | Date {
  const point = parsePoint(text)
  if (point !== undefined) return point
  throw new MoraineError('usage', `${option} ${text} is neither a commit nor a time`, {
    hint: 'Give a commit number (see moraine history) or a time such as 2026-01-31T12:00:00Z.',
  })
}
