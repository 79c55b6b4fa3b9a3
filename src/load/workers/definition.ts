import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Lake } from '../../define/lake.js'
import { MoraineError } from '../../errors.js'
import { sha256 } from '../../storage/checksum.js'
import { createOnce } from '../../storage/retry.js'
import type { Storage } from '../../storage/storage.js'
import {
  type Definitions,
  definitionFile,
  definitionsOf,
  environmentOf,
  loadCopy,
} from './definition-file.js'

/** A definition that lies in the lake's storage. */
export interface LaidDefinition {
  /** Where it lies, relative to the lake's root. */
  path: string
  sha256: string
  definitions: Definitions
  /** Names of the variables that it reads of the environment. */
  environment: readonly string[]
  /** Writes it where it is not there any more: a vacuum removes those that no run uses. */
  lay: () => Promise<void>
}

/** Where definitions are laid, each named by its SHA-256. */
const DEFINITIONS = '_moraine/definitions/'

/**
 * Puts the definition of a run into one file, and that into the lake's storage.
 *
 * @param file that defines the lake.
 * @throws DefinitionError where something of it can't be in one file, or must not be.
 * @throws MoraineError of kind `conflict` where the file is another one by now.
 */
export async function layDefinition(
  storage: Storage,
  file: string,
  running: Lake,
): Promise<LaidDefinition> {
  const { bytes, definitions } = await definitionFile(file, running)
  return laid(storage, bytes, definitions)
}

/** The same of a file that was made before, and that the running lake was loaded from. */
export async function layCopy(
  storage: Storage,
  copy: string,
  running: Lake,
): Promise<LaidDefinition> {
  return laid(storage, await readFile(copy), definitionsOf(running))
}

async function laid(
  storage: Storage,
  bytes: Buffer,
  definitions: Definitions,
): Promise<LaidDefinition> {
  const sum = sha256(bytes)
  const path = `${DEFINITIONS}${sum}.mjs`
  const lay = async () => void (await createOnce(storage, path, bytes))
  await lay()
  return { path, sha256: sum, definitions, environment: environmentOf(bytes), lay }
}

/** A definition that was laid, once it is here. */
export interface FetchedDefinition {
  lake: Lake
  /** A copy of the file, for threads that load it as well. */
  copy: string
}

/**
 * Loads a definition from the lake's storage; not before it is known to be the one that was laid.
 *
 * @param folder for the copy.
 */
export async function fetchDefinition(
  storage: Storage,
  { path, sha256: sum }: Pick<LaidDefinition, 'path' | 'sha256'>,
  folder: string,
): Promise<FetchedDefinition> {
  const bytes = await storage.readIfPresent(path)
  if (!bytes)
    throw new MoraineError('storage', `The definition of the run, ${path}, is not in the lake`, {
      path,
      retryable: true,
      hint: 'A vacuum may have removed it, or workers see another storage than the run.',
    })
  if (sha256(bytes) !== sum)
    throw new MoraineError('corrupt', `${path} is not the definition that the run has written`, {
      path,
      hint: 'None of it was executed. Run again, which replaces it. If this is reported again, something else changes files of the lake.',
    })
  const copy = join(folder, 'definition.mjs')
  await mkdir(dirname(copy), { recursive: true })
  await writeFile(copy, bytes)
  return { lake: await loadCopy(copy), copy }
}
