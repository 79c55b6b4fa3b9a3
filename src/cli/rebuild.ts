import type { Command } from 'commander'
import { type AnyDataset, type Bronze, fullName } from '../define/dataset.js'
import { inputsOf } from '../define/inputs.js'
import { MoraineError } from '../errors.js'
import { findLakeFile } from '../load/load.js'
import { Threads } from '../load/threads.js'
import { named } from '../plan/graph.js'
import { currentUser } from '../run/context.js'
import { runLake } from '../run/execute.js'
import { rebuildBronze } from '../run/rebuild.js'
import { startEngine, withMemory } from './engine.js'
import { examples } from './examples.js'
import { plural, toJson } from './output/format.js'
import { PlainView } from './output/plain.js'
import { openProject, print } from './project.js'

export function define(command: Command): Command {
  return withMemory(command)
    .argument('<dataset>', 'a dataset; what it is made from must be archived')
    .requiredOption('--from <where>', 'archive: what ever landed, as it came')
    .addHelpText(
      'after',
      examples([
        'silver and what was discarded, from all that ever landed',
        'moraine rebuild orders --from archive',
      ]),
    )
}

/** Makes bronze anew from the archive, and builds all that reads it. */
export async function run(command: Command): Promise<number> {
  const { lake, storage, log, folder, json } = await openProject(command)
  const from = command.opts<{ from: string }>().from
  if (from !== 'archive')
    throw new MoraineError('usage', `--from ${from} is not known`, {
      hint: 'Choose --from archive. To build from bronze, use: moraine run DATASET --full',
    })
  const chosen = named(lake, command.args[0] as string)
  const sources = [...new Set(chosen.flatMap(sourcesOf))]
  const engine = await startEngine(command)
  const javascript = new Threads(findLakeFile(folder))
  const view = json ? undefined : new PlainView()
  const stop = new AbortController()
  process.once('SIGINT', () => stop.abort())
  try {
    for (const source of sources) {
      const started = new Date()
      const { batches, files, rows } = await rebuildBronze(
        {
          lake,
          storage,
          log,
          engine,
          run: `rebuild-${started.toISOString().replace(/[-:.]/g, '')}`,
          author: currentUser(),
          signal: stop.signal,
          started,
          valuesFrom: 1 << 20,
          progress: () => {},
        },
        source,
      )
      if (!json)
        print(
          `✔ ${fullName(source)}  ${plural(rows, 'row')} of ${plural(files, 'file')} in ${batches} ${batches === 1 ? 'batch' : 'batches'} from the archive`,
        )
    }
    const record = await runLake(lake, {
      storage,
      engine,
      javascript,
      full: true,
      select: sources.map((source) => `${fullName(source)}+`),
      signal: stop.signal,
      onEvent: (event) => view?.event(event),
    })
    if (json) print(toJson(record, 2))
    return record.outcome === 'done' ? 0 : 1
  } finally {
    await javascript.close()
    await engine.close()
  }
}

/** The archived sources that a dataset is made from, directly or not. */
function sourcesOf(dataset: AnyDataset): Bronze[] {
  if (dataset.tier === 'bronze') return [dataset]
  return inputsOf(dataset).flatMap(sourcesOf)
}
