import { isPassing } from '../../storage/passing.js'
import { parseSealed } from '../../storage/sealed.js'
import type { Storage } from '../../storage/storage.js'
import { IDENTITY } from '../reading/identity.js'
import type { Part } from './damage.js'

/**
 * What no commit leads to, and says its own checksum: requests that have landed, and notes of who
 * did or does what.
 */
const FOLDERS: readonly { prefix: string; name: RegExp }[] = [
  // Files of an inbox are the user's, and have other names.
  { prefix: 'bronze/landing/', name: /\/\d{15}-\d{6}-[0-9a-f]{8}\.jsonl$/ },
  { prefix: '_moraine/runs/', name: /\.json$/ },
  { prefix: '_moraine/leases/', name: /\/\d{12}\.json$/ },
  { prefix: '_moraine/live/', name: /\/\d{12}\.json$/ },
  { prefix: '_moraine/reading/', name: /\.json$/ },
]

/** Those that are not what was written, or of which the storage does not say. */
export async function* lookAtSealed(
  storage: Storage,
): AsyncGenerator<{ path: string; part: Part; error?: unknown }> {
  for await (const path of sealedPaths(storage)) {
    const part = partOf(path)
    try {
      // They come and go: one that is gone by now was removed by who needs it no more.
      const bytes = await storage.readIfPresent(path)
      if (!bytes || parseSealed(bytes)) continue
      const again = await storage.readIfPresent(path)
      if (again && !parseSealed(again)) yield { path, part }
    } catch (error) {
      if (!isPassing(error)) throw error
      yield { path, part, error }
    }
  }
}

async function* sealedPaths(storage: Storage): AsyncGenerator<string> {
  yield IDENTITY
  for (const { prefix, name } of FOLDERS)
    for (const { path } of await storage.list(prefix)) if (name.test(path)) yield path
}

function partOf(path: string): Part {
  const [, dataset = ''] = /^bronze\/landing\/([^/]+)\//.exec(path) ?? []
  return dataset ? { kind: 'landed', dataset: `bronze.${dataset}` } : { kind: 'note' }
}
