import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Lake } from '../../define/lake.js'
import { sizeText } from '../../define/size.js'
import { engineVersion } from '../../engine/open.js'
import { MoraineError } from '../../errors.js'
import { portableDefinition } from '../../load/workers/definition-file.js'
import { variable } from '../../settings.js'
import { carriedFiles } from './carried-files.js'
import { codeOf } from './code.js'
import { type Arch, nativeFiles } from './native-package.js'
import { neededPeers } from './needed-peers.js'
import { type ZipEntry, zipOf } from './zip.js'

export interface PackOptions {
  /** The processors of the function. */
  arch: Arch
}

/** What parts of a package are. */
export type PackagePart = 'DuckDB' | 'extensions' | 'Moraine' | 'lake'

/** The package of a lake's functions. */
export interface LambdaPackage {
  zip: Buffer
  /**
   * SHA-256 of its files and their names, in hexadecimal: the same wherever it was packed, also
   * where another version of zlib gives another zip.
   */
  content: string
  arch: Arch
  /** Bytes of its files. */
  unpacked: number
  /** Bytes of each part, and what they take in the zip. */
  parts: ReadonlyMap<PackagePart, { unpacked: number; packed: number }>
  /** What should be known of it. */
  notes: readonly string[]
}

/** Limit of Lambda: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html */
const MOST = 250 * 2 ** 20

/**
 * Packs what a lake's functions need where nothing is installed: the definition as one file, the
 * files of the project that it reads, Moraine and the packages that it loads as one file, and
 * DuckDB for the function's processors. The same definition gives the same bytes.
 *
 * @param project its file that defines the lake, and that lake.
 * @throws DefinitionError, MoraineError for what can't be packed, or must not be.
 */
export async function packLambda(
  { file, lake }: { file: string; lake: Lake },
  { arch }: PackOptions,
): Promise<LambdaPackage> {
  const definition = await portableDefinition(file, lake)
  const carried = await carriedFiles(file, lake)
  const peers = await neededPeers(lake)
  const code = await codeOf(definition.entrances, peers)
  const native = await nativeFiles(arch)
  const { extensions, notes } = await extensionsFor(arch)
  const entries: (ZipEntry & { part: PackagePart })[] = [
    { path: 'lake.mjs', content: definition.bytes, part: 'lake' },
    ...[...carried].map(([path, content]) => ({
      path: `project/${path}`,
      content,
      part: 'lake' as const,
    })),
    ...[...code].map(([path, text]) => ({
      path,
      content: Buffer.from(text),
      part: 'Moraine' as const,
    })),
    ...[...native].map(([path, content]) => ({ path, content, part: 'DuckDB' as const })),
    ...[...extensions].map(([path, content]) => ({ path, content, part: 'extensions' as const })),
  ]
  const { bytes, packed } = await zipOf(entries)
  const parts = new Map<PackagePart, { unpacked: number; packed: number }>()
  for (const { path, content, part } of entries) {
    const before = parts.get(part) ?? { unpacked: 0, packed: 0 }
    parts.set(part, {
      unpacked: before.unpacked + content.length,
      packed: before.packed + (packed.get(path) ?? 0),
    })
  }
  const unpacked = entries.reduce((sum, { content }) => sum + content.length, 0)
  refuseTooLarge(unpacked)
  return { zip: bytes, content: hashOf(entries), arch, unpacked, parts, notes }
}

function hashOf(entries: readonly ZipEntry[]): string {
  const hash = createHash('sha256')
  for (const { path, content } of [...entries].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    hash.update(`${path}\0${content.length}\0`)
    hash.update(content)
  }
  return hash.digest('hex')
}

/** The extension that reads objects where they lie, for those who have it. */
async function extensionsFor(arch: Arch) {
  const home = variable('MORAINE_EXTENSIONS') ?? join(homedir(), '.duckdb', 'extensions')
  const version = await engineVersion()
  const system = arch === 'arm64' ? 'linux_arm64' : 'linux_amd64'
  const path = join(version, system, 'httpfs.duckdb_extension')
  const extensions = new Map<string, Buffer>()
  if (!existsSync(join(home, path)))
    return {
      extensions,
      notes: [
        `without httpfs: objects are copied to /tmp rather than read in place (put ${path} into ${home} to pack it)`,
      ],
    }
  extensions.set(`extensions/${path}`, await readFile(join(home, path)))
  return { extensions, notes: [] }
}

function refuseTooLarge(unpacked: number): void {
  if (unpacked <= MOST) return
  throw new MoraineError(
    'limit',
    `The package takes ${sizeText(unpacked)}, and a function may have ${sizeText(MOST)}`,
    { hint: 'Read large files of the project from a bucket instead.' },
  )
}
