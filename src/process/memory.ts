import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { join } from 'node:path'
import { variable } from '../settings.js'

/**
 * What tells about control groups, and where they lie: arguments so that tests can have their own.
 */
const PROC = '/proc/self/cgroup'
const GROUPS = '/sys/fs/cgroup'

/** Bytes of memory that this machine has, or this container or function may use. */
export function machineMemory(): number {
  const limits = [groupMemory(), functionMemory()].filter((bytes) => bytes !== undefined)
  return Math.min(totalmem(), ...limits)
}

/** What Lambda gives a function. */
function functionMemory(): number | undefined {
  const mebibytes = Number(variable('AWS_LAMBDA_FUNCTION_MEMORY_SIZE'))
  return mebibytes > 0 ? mebibytes * 2 ** 20 : undefined
}

/**
 * The memory that the process's control group allows, or one that it lies in, which counts as well.
 *
 * @see https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files
 */
export function groupMemory(proc = PROC, groups = GROUPS): number | undefined {
  const limits = linesOf(proc).flatMap((line) => {
    const [, controllers, path = '/'] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
    // Where both versions are in use, the second lies in a folder of its own.
    if (controllers === '')
      return [groups, join(groups, 'unified')].flatMap((root) =>
        limitsAt(root, path, ['memory.max', 'memory.high']),
      )
    if (controllers?.split(',').includes('memory'))
      return limitsAt(join(groups, 'memory'), path, ['memory.limit_in_bytes'])
    return []
  })
  return limits.length > 0 ? Math.min(...limits) : undefined
}

/**
 * Limits of a group and of those around it. In a container the group may be seen as the topmost
 * one.
 */
function limitsAt(root: string, path: string, names: readonly string[]): number[] {
  const steps = path.split('/').filter((step) => step !== '' && step !== '..')
  const folders = steps.map((_, i) => join(root, ...steps.slice(0, i + 1)))
  return [root, ...folders]
    .flatMap((folder) => names.map((name) => Number(linesOf(join(folder, name))[0] || Number.NaN)))
    .filter((bytes) => Number.isFinite(bytes) && bytes > 0)
}

function linesOf(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n')
  } catch {
    return []
  }
}
