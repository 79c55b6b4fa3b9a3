import { existsSync, statfsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Lake } from '../../define/lake.js'
import { MoraineError } from '../../errors.js'
import { packageFolder } from '../../home.js'
import { Lakehouse } from '../../load/lakehouse.js'
import { Threads } from '../../load/threads.js'
import { loadCopy, placedIn } from '../../load/workers/definition-file.js'
import { setVariable, variable } from '../../settings.js'
import type { RetryingStorage } from '../../storage/retrying.js'
import { removeScratch, scratchFolder } from '../../storage/scratch.js'
import { deployedJobs } from '../template/jobs.js'
import type { FunctionJob } from './jobs.js'
import { fetchSecrets } from './secrets.js'

/** Milliseconds for which storage is waited for where it does not answer. */
const PATIENCE = 30_000

/** What a function has of the lake; it stays while the process does. */
export interface FunctionLake {
  lake: Lake
  house: Lakehouse<RetryingStorage>
  jobs: readonly FunctionJob[]
  /** The definition's file, for threads and processes that load it as well. */
  file: string
  javascript: Threads
}

let opened: Promise<FunctionLake> | undefined

/** The lake of this function, loaded once; what could not be is tried again by the next event. */
export function functionLake(): Promise<FunctionLake> {
  opened ??= open().catch((error) => {
    opened = undefined
    throw error
  })
  return opened
}

async function open(): Promise<FunctionLake> {
  settle()
  await fetchSecrets()
  const root = variable('MORAINE_ROOT')
  if (!root)
    throw new MoraineError('usage', 'MORAINE_ROOT is not set', {
      hint: 'Set it to where the lake is stored: s3://bucket/prefix',
    })
  const file = await ownCopy()
  const lake = await loadCopy(file)
  const house = Lakehouse.at(root, { patience: { total: PATIENCE } })
  return {
    lake,
    house,
    jobs: deployedJobs(lake),
    file,
    javascript: new Threads(file, { isLaid: true }),
  }
}

/** Only the folder for temporary files can be written, and it may be small. */
function settle(): void {
  const temporary = tmpdir()
  const { blocks, bsize } = statfsSync(temporary)
  setVariable('HOME', temporary)
  setVariable('MORAINE_CACHE', join(temporary, 'moraine'))
  const size = `${Math.max(1, Math.floor((blocks * bsize) / 3 / 2 ** 20))}MiB`
  if (!variable('MORAINE_CACHE_SIZE')) setVariable('MORAINE_CACHE_SIZE', size)
  // Of a process before, which ended in the middle: /tmp outlives it, and numbers come again.
  removeScratch()
  const extensions = fileURLToPath(new URL('extensions', packageFolder))
  if (existsSync(extensions)) setVariable('MORAINE_EXTENSIONS', extensions)
}

/** The definition that was packed, for the folder in which it lies here. */
async function ownCopy(): Promise<string> {
  const packed = fileURLToPath(new URL('lake.mjs', packageFolder))
  const project = join(dirname(packed), 'project')
  const copy = join(await scratchFolder('definition'), 'lake.mjs')
  await mkdir(dirname(copy), { recursive: true })
  await writeFile(copy, placedIn(project, await readFile(packed, 'utf8')))
  return copy
}
