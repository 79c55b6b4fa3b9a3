import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import { DefinitionError, MoraineError } from '../../errors.js'
import type { Definition } from '../../log/commit.js'
import { definitionOf } from '../../plan/fingerprint.js'
import { starred } from '../../secrets.js'
import { carryFiles, readingFiles } from '../../sql-file.js'
import { hash } from '../../step/context.js'
import { sha256 } from '../../storage/checksum.js'
import type { Storage } from '../../storage/storage.js'
import { bundleOf, withMoraine } from '../bundle.js'
import { evaluate } from '../evaluate.js'
import { lakeOf } from '../load.js'

/*
 * The definition as one file that stands for itself: workers load it also where neither the project
 * nor the packages that it imports are installed. Its first line says where it was defined, and has
 * the files with SQL.
 */

/** A definition that lies in the lake's storage. */
export interface LaidDefinition {
  /** Where it lies, relative to the lake's root. */
  path: string
  sha256: string
  /**
   * Its datasets' definitions, as whoever loads it finds them: functions are compared by their
   * text, and one whose packages were put into the same file may spell other names.
   */
  definitions: ReadonlyMap<string, Definition>
  /** Writes it where it is not there any more: a vacuum removes those that no run uses. */
  lay: () => Promise<void>
}

/** Where definitions are laid, each named by its SHA-256. */
const DEFINITIONS = '_moraine/definitions/'

interface Head {
  /** The file that it was made of, where it was made. */
  file: string
  /** Files with SQL, by their paths there. */
  files: Record<string, string>
}

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
  const sources = new Map<string, string>()
  const code = await bundleOf(file, 'inside', (path, text) => sources.set(path, text)).catch(
    firstProblem,
  )
  for (const [path, text] of sources) refuseSecrets(path, text)
  const { found: lake, files } = await readingFiles(() => evaluated(code, file))
  const definitions = definitionsOf(lake)
  if (!isSame(definitions, definitionsOf(running))) await refuseChanged(file, running, sources)
  const head: Head = { file, files: Object.fromEntries([...files].sort()) }
  const bytes = Buffer.from(`// ${JSON.stringify(head)}\n${code}`)
  const sum = sha256(bytes)
  const path = `${DEFINITIONS}${sum}.mjs`
  const lay = async () => void (await storage.createIfAbsent(path, bytes))
  await lay()
  return { path, sha256: sum, definitions, lay }
}

type Definitions = ReadonlyMap<string, Definition>

const definitionsOf = ({ datasets }: Lake): Definitions =>
  new Map(datasets.map((one) => [fullName(one), definitionOf(one, hash)]))

const isSame = (a: Definitions, b: Definitions) => JSON.stringify([...a]) === JSON.stringify([...b])

/**
 * Makes sure that only the text of functions is another one where packages are in the same file.
 */
async function refuseChanged(
  file: string,
  running: Lake,
  sources: ReadonlyMap<string, string>,
): Promise<void> {
  const again = new Map<string, string>()
  const code = await bundleOf(file, 'outside', (path, text) => again.set(path, text))
  const isUnchanged = [...sources].every(([path, text]) => again.get(path) === text)
  if (isUnchanged && isSame(definitionsOf(await evaluated(code, file)), definitionsOf(running)))
    return
  throw new MoraineError('conflict', `${file} was changed while a run was building by it`, {
    hint: 'Run again.',
  })
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

/** Loads a copy of a definition that was fetched. */
export async function loadCopy(copy: string): Promise<Lake> {
  const text = await readFile(copy, 'utf8')
  const end = text.indexOf('\n')
  const { file, files } = JSON.parse(text.slice('// '.length, end)) as Head
  carryFiles(files)
  return evaluated(text.slice(end + 1), file)
}

async function evaluated(code: string, file: string): Promise<Lake> {
  return lakeOf(await evaluate(withMoraine(code), file), file)
}

/** A step fails by one error, with its place. */
function firstProblem(error: unknown): never {
  if (!(error instanceof DefinitionError)) throw error
  const [{ message, place, hint } = { message: error.message }] = error.problems
  throw new MoraineError('definition', message, { place, ...(hint ? { hint } : {}) })
}

/** What is written in a definition would be copied into the lake, where others may read it. */
function refuseSecrets(path: string, text: string): void {
  for (const [i, line] of text.split('\n').entries()) {
    const hidden = starred(line)
    if (hidden === line) continue
    throw new MoraineError('definition', 'This looks like a password or a token', {
      place: { file: path, line: i + 1, column: hidden.indexOf('*') + 1 },
      hint: "Workers load the definition from the lake's storage, so that it must not contain secrets: write secret('env:NAME').",
    })
  }
}
