import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { LakeState } from '../../../log/commit.js'
import { receiptsIn } from '../../../log/forgotten.js'

/** Records of executions, which quote rows in their texts, and have rows or lead to them. */
const EXECUTIONS = ['executions', 'athena-executions']

/** Records of queries that are not in the history yet, which has what is to be told of them. */
const BEGUN = 'begun'

/** What a person wrote down, which nobody but the person can judge. */
const WRITTEN: Readonly<Record<string, string>> = {
  named: 'named queries',
  'athena-named': "named queries of Athena's clients",
  'athena-prepared': 'prepared statements',
}

/** When rows were last forgotten, and in which commit; `undefined` where none ever were. */
export function lastForgotten(
  state: Pick<LakeState, 'forgotten'>,
): { time: number; commit: number } | undefined {
  const all = receiptsIn(state).map((one) => one.done ?? one)
  if (all.length === 0) return undefined
  return {
    time: Math.max(...all.map(({ at }) => Date.parse(at))),
    commit: Math.max(...all.map(({ commit }) => commit)),
  }
}

/**
 * Removes executions and results that a server kept from before rows were last forgotten; returns
 * how many executions.
 */
export async function removeForgotten(
  folder: string,
  state: Pick<LakeState, 'forgotten'>,
): Promise<number> {
  const last = lastForgotten(state)
  if (!last) return 0
  let removed = 0
  const later = new Set<string | undefined>()
  for (const kind of [...EXECUTIONS, BEGUN])
    for (const path of await filesIn(join(folder, kind))) {
      const { id, submitted } = await recordIn(path)
      if (submitted !== undefined && new Date(submitted).getTime() > last.time) {
        later.add(id)
        continue
      }
      if (id !== undefined) await rm(join(folder, 'results', `${id}.rows`), { force: true })
      await rm(path, { force: true })
      if (kind !== BEGUN) removed++
    }
  // Rows of which a server that was killed has left no whole record.
  for (const path of await filesIn(join(folder, 'results'))) {
    const modified = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => undefined,
    )
    const isOld = modified !== undefined && modified <= last.time
    if (isOld && !later.has(basename(path, '.rows'))) await rm(path, { force: true })
  }
  return removed
}

/** What is kept on this machine for servers of a project, and is not looked into. */
export async function keptBeside(moraine: string): Promise<string[]> {
  const found: string[] = []
  for (const [kind, said] of Object.entries(WRITTEN)) {
    const { length } = await filesIn(join(moraine, 'queries', kind))
    if (length > 0) found.push(`.moraine/queries/${kind}: ${said} (${length})`)
  }
  if ((await filesIn(join(moraine, 's3'))).length > 0)
    found.push(".moraine/s3: results that Athena's clients read, and files that they put there")
  return found
}

async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.map((name) => join(folder, name))
}

/** What is half written has neither. */
async function recordIn(path: string): Promise<{ id?: string; submitted?: string | number }> {
  try {
    return JSON.parse(await readFile(path, 'utf8'))
  } catch {
    return {}
  }
}
