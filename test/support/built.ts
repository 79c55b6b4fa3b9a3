import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** What `npm run build` reads. */
const READ = [
  'src',
  'bundle.mjs',
  'package-lock.json',
  'package.json',
  'tsconfig.build.json',
  'tsconfig.json',
]
/** What it writes last but what it removes. */
const LAST = 'dist/engine/spark/runner.py'

/** Times of all in a folder, and its own: that of a folder tells of what is gone. */
function timesIn(path: string): number[] {
  const below = statSync(path).isDirectory()
    ? readdirSync(path, { recursive: true, encoding: 'utf8' }).map((name) => join(path, name))
    : []
  return [path, ...below].map((one) => statSync(one).mtimeMs)
}

/**
 * Whether a project's build went to its end, and all that it reads is older than all that it wrote:
 * `npm ci` builds, so most who begin with tests have it.
 */
export function isBuilt(project: string): boolean {
  if (!existsSync(join(project, LAST))) return false
  const read = READ.flatMap((name) => timesIn(join(project, name)))
  const written = readdirSync(join(project, 'dist'), { recursive: true, encoding: 'utf8' })
    .map((name) => statSync(join(project, 'dist', name)))
    .filter((found) => found.isFile())
    .map((found) => found.mtimeMs)
  return Math.max(...read) < Math.min(...written)
}
