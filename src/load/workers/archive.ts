import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { MoraineError } from '../../errors.js'
import { packageFolder } from '../../home.js'

/*
 * What a worker needs where nothing is installed: Node, Moraine, and the packages that it imports
 * there.
 */

/** What a file of the archive is of. */
export type ArchivePart = 'Node' | 'DuckDB' | 'packages' | 'Moraine'

export interface ArchiveFile {
  /** Its path in the archive. */
  path: string
  source: string
  bytes: number
  isExecutable: boolean
  part: ArchivePart
}

/** Bundles definitions, which whoever starts a run has done. */
const NOT_NEEDED = ['esbuild']
/** For lakes in a bucket; other optional packages read sources, which workers don't. */
const OPTIONAL = ['@aws-sdk/client-s3', '@aws-sdk/credential-providers']
/** What nothing loads when it runs. */
const IGNORED = /\.(d\.[cm]?ts|map|md)$/i

/**
 * @param withNode whether executors get the Node that runs here.
 * @param more optional packages that are needed as well.
 */
export function archiveFiles(withNode: boolean, more: readonly string[] = []): ArchiveFile[] {
  const own = fileURLToPath(packageFolder)
  if (!existsSync(join(own, 'dist/cli/main.js')))
    throw new MoraineError('usage', 'Moraine is not built here', { hint: 'Run: npm run build' })
  const moraine = ['package.json', 'bin', 'dist'].flatMap((name) =>
    filesBelow(join(own, name), name, 'Moraine'),
  )
  const packages = packagesOf(own, more).flatMap(({ source, path }) =>
    filesBelow(source, path, path.includes('@duckdb/') ? 'DuckDB' : 'packages'),
  )
  const node = withNode ? filesBelow(realpathSync(process.execPath), 'node', 'Node') : []
  return [...node, ...moraine, ...packages]
}

function filesBelow(source: string, path: string, part: ArchivePart): ArchiveFile[] {
  const { size, mode } = lstatSync(source)
  if (!lstatSync(source).isDirectory())
    return IGNORED.test(source)
      ? []
      : [{ path, source, bytes: size, isExecutable: (mode & 0o100) !== 0, part }]
  return readdirSync(source)
    .filter((name) => name !== 'node_modules')
    .sort()
    .flatMap((name) => filesBelow(join(source, name), `${path}/${name}`, part))
}

interface Package {
  source: string
  path: string
}

interface Manifest {
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
}

/** The packages that a worker may import, where it finds them in the archive. */
function packagesOf(own: string, more: readonly string[]): Package[] {
  const placed = new Map<string, string>()
  const visit = (from: string, place: string, names: readonly string[], isTop = false) => {
    for (const name of names) {
      const source = findPackage(name, from)
      // A package for another system, or one that is optional.
      if (!source || (isTop && NOT_NEEDED.includes(name))) continue
      const usual = `node_modules/${name}`
      const path = [source, undefined].includes(placed.get(usual))
        ? usual
        : `${place}/node_modules/${name}`
      if (placed.get(path) === source) continue
      placed.set(path, source)
      visit(source, path, namesIn(source))
    }
  }
  visit(own, '.', [...namesIn(own), ...OPTIONAL, ...more], true)
  return [...placed].map(([path, source]) => ({ path, source }))
}

function namesIn(folder: string): string[] {
  const text = readFileSync(join(folder, 'package.json'), 'utf8')
  const { dependencies = {}, optionalDependencies = {} } = JSON.parse(text) as Manifest
  return Object.keys({ ...dependencies, ...optionalDependencies })
}

/** Where a package lies that a folder's code imports. */
function findPackage(name: string, from: string): string | undefined {
  const found = join(from, 'node_modules', name)
  if (existsSync(join(found, 'package.json'))) return realpathSync(found)
  return dirname(from) === from ? undefined : findPackage(name, dirname(from))
}

const BLOCK = 512

/** A file of an archive: its bytes, or where they lie. */
export type TarFile = Pick<ArchiveFile, 'path' | 'isExecutable'> &
  ({ content: Buffer } | { source: string })

/**
 * The bytes of a tar archive (POSIX ustar), the same for the same files.
 *
 * @see https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06
 */
export async function* tarOf(files: readonly TarFile[]): AsyncGenerator<Buffer> {
  for (const file of files) {
    const content = 'content' in file ? file.content : await readFile(file.source)
    yield tarHeader(file, content.length)
    yield content
    yield Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)
  }
  yield Buffer.alloc(2 * BLOCK)
}

function tarHeader(
  { path, isExecutable }: Pick<TarFile, 'path' | 'isExecutable'>,
  bytes: number,
): Buffer {
  const header = Buffer.alloc(BLOCK)
  const [prefix, name] = splitName(path)
  header.write(name, 0)
  const octal = (value: number, at: number, length: number) =>
    header.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at)
  octal(isExecutable ? 0o755 : 0o644, 100, 8)
  octal(0, 108, 8)
  octal(0, 116, 8)
  octal(bytes, 124, 12)
  octal(0, 136, 12)
  header.write(' '.repeat(8), 148)
  header.write('0', 156)
  header.write('ustar\0', 257)
  header.write('00', 263)
  header.write(prefix, 345)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

/** The format has 100 bytes for a name, and 155 for the folders before it. */
function splitName(path: string): [prefix: string, name: string] {
  if (Buffer.byteLength(path) <= 100) return ['', path]
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)]
    if (Buffer.byteLength(name) <= 100 && Buffer.byteLength(prefix) <= 155) return [prefix, name]
  }
  throw new MoraineError('usage', `${path} is too long a name for an archive`)
}
