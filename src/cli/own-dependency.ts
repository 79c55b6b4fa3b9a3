import { readFile, realpath } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageFolder } from '../home.js'

interface Locked {
  packages?: Record<string, { version?: string; resolved?: string; link?: boolean } | undefined>
}

/**
 * How a package depends on the Moraine that is running, so that `npm install` finds the same one: a
 * version where it came from a registry, and otherwise the file or the folder that it came from.
 */
export async function ownDependency(project: string): Promise<string> {
  const home = fileURLToPath(packageFolder).replace(/[\\/]$/, '')
  const modules = dirname(home)
  if (!modules.endsWith(`${sep}node_modules`)) return fileTo(project, home)
  const lock = await readJson<Locked>(join(modules, '.package-lock.json'))
  const { resolved = '', version } = lock?.packages?.['node_modules/moraine'] ?? {}
  if (/^https?:/.test(resolved) && version) return `^${version}`
  if (resolved.startsWith('file:'))
    return fileTo(project, resolve(dirname(modules), resolved.slice('file:'.length)))
  return fileTo(project, home)
}

/** A path from one folder to another place, as packages write it. */
async function fileTo(project: string, target: string): Promise<string> {
  const from = await realpath(project).catch(() => resolve(project))
  const path = relative(from, await realpath(target).catch(() => target))
  return `file:${path.split(sep).join('/') || '.'}`
}

async function readJson<T>(path: string): Promise<T | undefined> {
  return readFile(path, 'utf8').then(
    (text) => JSON.parse(text) as T,
    () => undefined,
  )
}
