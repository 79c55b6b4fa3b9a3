import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { MoraineError, messageOf } from '../../errors.js'
import { packageFolder } from '../../home.js'
import { environment } from '../../settings.js'
import { cacheFolder } from '../../storage/s3/cache.js'
import { integrity } from './integrity.js'
import { untar } from './untar.js'

const run = promisify(execFile)

export type Arch = 'arm64' | 'x64'

/** Files of DuckDB for the machine that is packed for, by their paths in the zip. */
export type NativeFiles = ReadonlyMap<string, Buffer>

const BINDINGS = '@duckdb/node-bindings'

/** What of DuckDB's package of a machine is needed there. */
const NEEDED = ['package.json', 'duckdb.node', 'libduckdb.so', 'LICENSE']

/**
 * DuckDB for Linux with glibc, which Lambda has: what is installed here, where this is such a
 * machine; otherwise npm is asked for it, and what it gives is compared with the checksum that this
 * version of Moraine was tested with.
 *
 * @throws MoraineError of kind `usage` where npm can't install it, `corrupt` where it is another
 *   one.
 */
export async function nativeFiles(arch: Arch): Promise<NativeFiles> {
  const name = `${BINDINGS}-linux-${arch}`
  const own = installed(BINDINGS)
  if (!own)
    throw new MoraineError('usage', `${BINDINGS} is not installed`, { hint: 'Run: npm install' })
  const { version } = JSON.parse(await readFile(join(own, 'package.json'), 'utf8'))
  const found = installed(name, own)
  const given = found ? undefined : await fetched(name, version)
  const read = async (file: string) => (found ? readFile(join(found, file)) : given?.get(file))
  const files = new Map<string, Buffer>()
  for (const file of ['package.json', 'duckdb.js'])
    files.set(`node_modules/${BINDINGS}/${file}`, await readFile(join(own, file)))
  for (const file of NEEDED) {
    const content = await read(file)
    if (!content)
      throw new MoraineError('corrupt', `${name}@${version} has no ${file}`, {
        hint: 'Report it: DuckDB packs its library otherwise than it did.',
      })
    files.set(`node_modules/${name}/${file}`, content)
  }
  return files
}

/** Where a package lies that a folder's code imports. */
function installed(name: string, from?: string): string | undefined {
  const require = createRequire(from ? join(from, 'x.js') : new URL('x.js', packageFolder))
  const folders = require.resolve.paths(name) ?? []
  return folders
    .map((folder) => join(folder, name))
    .find((folder) => existsSync(join(folder, 'package.json')))
}

/** A package from npm's registry, kept for the next time. */
async function fetched(name: string, version: string): Promise<Map<string, Buffer>> {
  const expected = integrity[`${name}@${version}`]
  if (expected === undefined)
    throw new MoraineError('usage', `The checksum of ${name}@${version} is not known`, {
      hint: `Install that package: npm install --force --no-save ${name}@${version}`,
    })
  const kept = join(cacheFolder(), 'npm', `${name.replace(/[@/]/g, '-')}-${version}.tgz`)
  const before = await readFile(kept).catch(() => undefined)
  if (before && integrityOf(before) === expected) return untar(gunzipSync(before))
  const bytes = await packed(name, version, kept)
  if (integrityOf(bytes) !== expected) {
    await rm(kept, { force: true })
    throw new MoraineError('corrupt', `npm gave another ${name}@${version} than was tested`, {
      hint: 'None of it was packed. Look at which registry npm is configured for.',
    })
  }
  return untar(gunzipSync(bytes))
}

const integrityOf = (bytes: Buffer) =>
  `sha512-${createHash('sha512').update(bytes).digest('base64')}`

/** `npm pack`, which goes by the user's own registry and keys. */
async function packed(name: string, version: string, kept: string): Promise<Buffer> {
  const folder = `${kept}-${process.pid}`
  await mkdir(folder, { recursive: true })
  try {
    const args = ['pack', `${name}@${version}`, '--json', '--pack-destination', folder]
    // On Windows npm is a script of its shell.
    const shell = process.platform === 'win32'
    const { stdout } = await run('npm', args, { shell, env: environment(), maxBuffer: 2 ** 24 })
    const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
    await mkdir(dirname(kept), { recursive: true })
    await rename(join(folder, filename.replace(/^@/, '').replace('/', '-')), kept)
    return await readFile(kept)
  } catch (cause) {
    const { stderr = '' } = cause as { stderr?: string }
    const said = /npm error (?!code)(.+)/.exec(stderr)?.[1] ?? messageOf(cause).split('\n')[0]
    throw new MoraineError('usage', `npm can't install ${name}@${version}: ${said}`, {
      cause,
      hint: `A function of another machine's kind needs DuckDB for it. Check the network, or install it: npm install --force --no-save ${name}@${version}`,
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
