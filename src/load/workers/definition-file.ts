import { readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fullName } from '../../define/dataset.js'
import type { Lake } from '../../define/lake.js'
import { DefinitionError, MoraineError } from '../../errors.js'
import type { Definition } from '../../log/commit.js'
import { definitionOf } from '../../plan/fingerprint.js'
import { starredCertain } from '../../secrets.js'
import { carryFiles, readingFiles } from '../../sql-file.js'
import { hash } from '../../step/context.js'
import { bundleOf, withMoraine } from '../bundle.js'
import { evaluate } from '../evaluate.js'
import { lakeOf } from '../load.js'

/*
 * The definition as one file that stands for itself: it is loaded also where neither the project
 * nor the packages that it imports are installed. Its first line says where it was defined, and has
 * the files with SQL.
 */

export type Definitions = ReadonlyMap<string, Definition>

/** A definition as one file. */
export interface DefinitionFile {
  bytes: Buffer
  /**
   * Its datasets' definitions, as whoever loads it finds them: functions are compared by their
   * text, and one whose packages were put into the same file may spell other names.
   */
  definitions: Definitions
  /** The entrances of Moraine that it imports, such as `source/index`. */
  entrances: readonly string[]
  /** Names of the variables that its own files read of the environment. */
  environment: readonly string[]
}

interface Head {
  /** The file that it was made of, where it was made. */
  file: string
  /** Files with SQL, by their paths there. */
  files: Record<string, string>
  /** Names of the variables that it reads. */
  environment: readonly string[]
}

/** Stands for the project's folder in a file that is the same wherever it is made. */
const ANYWHERE = '/moraine-project'

/**
 * Puts the definition of a run into one file.
 *
 * @param file that defines the lake.
 * @throws DefinitionError where something of it can't be in one file, or must not be.
 * @throws MoraineError of kind `conflict` where the file is another one by now.
 */
export async function definitionFile(file: string, running: Lake): Promise<DefinitionFile> {
  const sources = new Map<string, string>()
  const code = await bundleOf(file, 'inside', (path, text) => sources.set(path, text)).catch(
    firstProblem,
  )
  for (const [path, text] of sources) refuseSecrets(path, text)
  const { found: lake, files } = await readingFiles(() => evaluated(code, file))
  for (const [path, text] of files) refuseSecrets(path, text)
  const definitions = definitionsOf(lake)
  if (!isSame(definitions, definitionsOf(running))) await refuseChanged(file, running, sources)
  const environment = variablesIn(sources.values())
  const head: Head = { file, files: Object.fromEntries([...files].sort()), environment }
  return { bytes: bytesOf(head, code), definitions, entrances: entrancesIn(code), environment }
}

/**
 * The same, as a file that names no folder of this machine: see {@link placedIn}.
 */
export async function portableDefinition(file: string, running: Lake): Promise<DefinitionFile> {
  const here = await definitionFile(file, running)
  const folder = dirname(file)
  const placed = (path: string) => join(ANYWHERE, relative(folder, path).replaceAll('..', '_up'))
  const code = await bundleOf(file, 'inside', undefined, placed)
  const { environment, entrances } = here
  const { files } = headOf(here.bytes.toString()).head
  const carried = Object.entries(files).map(([path, text]) => [placed(path), text] as const)
  const head: Head = { file: placed(file), files: Object.fromEntries(carried), environment }
  carryFiles(head.files)
  // What it reads of the project's folder when it is loaded is not there.
  const definitions = definitionsOf(await evaluated(code, head.file))
  return { bytes: bytesOf(head, code), definitions, entrances, environment }
}

const bytesOf = (head: Head, code: string) => Buffer.from(`// ${JSON.stringify(head)}\n${code}`)

const entrancesIn = (code: string) => [
  ...new Set([...code.matchAll(/"moraine-entrance:([^"]+)"/g)].map(([, name = '']) => name)),
]

/** Names that stand in code, as far as they are written there. */
function variablesIn(texts: Iterable<string>): string[] {
  const found = new Set<string>()
  for (const text of texts) {
    for (const [, dotted, quoted] of text.matchAll(READ)) found.add((dotted ?? quoted) as string)
    for (const [, names = ''] of text.matchAll(/\{([^{}]*)\}\s*=\s*process\.env\b/g))
      for (const [name] of names.matchAll(/(?<=^|,)\s*[A-Za-z_$][\w$]*/g)) found.add(name.trim())
  }
  return [...found].sort()
}

const READ = /\bprocess\.env(?:\??\.([A-Za-z_$][\w$]*)|(?:\?\.)?\[\s*['"`]([^'"`$]+)['"`]\s*\])/g

/** Definitions of a lake's datasets, by their names. */
export const definitionsOf = ({ datasets }: Lake): Definitions =>
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

/** The variables that a file of {@link definitionFile} reads. */
export const environmentOf = (bytes: Buffer): readonly string[] =>
  headOf(bytes.toString()).head.environment ?? []

/** A file of {@link portableDefinition}, for a project's folder of this machine. */
export const placedIn = (folder: string, text: string): string =>
  text.replaceAll(ANYWHERE, JSON.stringify(folder).slice(1, -1))

/** Loads a copy of a definition that was fetched. */
export async function loadCopy(copy: string): Promise<Lake> {
  const { head, code } = headOf(await readFile(copy, 'utf8'))
  carryFiles(head.files)
  return evaluated(code, head.file)
}

function headOf(text: string): { head: Head; code: string } {
  const end = text.indexOf('\n')
  return { head: JSON.parse(text.slice('// '.length, end)) as Head, code: text.slice(end + 1) }
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

/** What is written in a definition would be copied to where others may read it. */
function refuseSecrets(path: string, text: string): void {
  for (const [i, line] of text.split('\n').entries()) {
    const hidden = starredCertain(line)
    if (hidden === line) continue
    throw new MoraineError('definition', 'This looks like a password or a token', {
      place: { file: path, line: i + 1, column: hidden.indexOf('*') + 1 },
      hint: "The definition is copied to where it runs, so that it must not contain secrets: write secret('env:NAME').",
    })
  }
}
