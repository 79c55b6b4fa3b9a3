import { isEngineLost } from '../engine/sql-error.js'
import { watchParent } from '../process/watchdog.js'
import type { Trial } from './trial.js'

/*
 * A process that reads one object, and says when it is done. That it can end without a word is what
 * it is for.
 */

watchParent()
process.on('message', async ({ file, isLaid, root, dataset, id }: Trial) => {
  try {
    const [load, { Lakehouse }, { tryObject }] = await Promise.all([
      isLaid
        ? import('./workers/definition-file.js').then(({ loadCopy }) => loadCopy)
        : import('./load.js').then(({ loadLake }) => loadLake),
      import('./lakehouse.js'),
      import('../bronze/quarantine/trial.js'),
    ])
    const lake = await load(file)
    const house = Lakehouse.at(root)
    const engine = await house.startEngine()
    process.send?.('ready')
    await tryObject(lake, house.storage, engine, dataset, id)
  } catch (error) {
    // It would take the engine of whoever asked with it.
    if (isEngineLost(error)) process.exit(70)
    // Any other error he sees for himself, as he reads it as well.
  }
  process.send?.('done')
})
