import { watchParent } from '../process/watchdog.js'
import type { Trial } from './trial.js'

/* A process that reads one object, and says when it is done. That it can end without a word is what it is for. */

watchParent()
process.on('message', async ({ file, root, dataset, id }: Trial) => {
  try {
    const [{ loadLake }, { openStorage }, { DuckDB }, { tryObject }] = await Promise.all([
      import('./load.js'),
      import('./root.js'),
      import('../engine/duckdb/duckdb.js'),
      import('../run/quarantine/trial.js'),
    ])
    const lake = await loadLake(file)
    const engine = await DuckDB.start({})
    process.send?.('ready')
    await tryObject(lake, openStorage(root), engine, dataset, id)
  } catch {
    // Whoever asked reads it as well, and sees the error for himself.
  }
  process.send?.('done')
})
