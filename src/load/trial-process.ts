import { isEngineLost } from '../engine/sql-error.js'
import { watchParent } from '../process/watchdog.js'
import type { Trial } from './trial.js'

/*
 * A process that reads one object, and says when it is done. That it can end without a word is what
 * it is for.
 */

watchParent()
process.on('message', async ({ file, isLaid, root, env, ...object }: Trial) => {
  try {
    const [load, { Lakehouse }, { tryObject }, { ownSourcesOf, replaceSources }] =
      await Promise.all([
        isLaid
          ? import('./workers/definition-file.js').then(({ loadCopy }) => loadCopy)
          : import('./load.js').then(({ loadLake }) => loadLake),
        import('./lakehouse.js'),
        import('../bronze/quarantine/trial.js'),
        import('../define/options/own-sources.js'),
      ])
    const lake = await load(file)
    const said = env === undefined ? undefined : lake.environments[env]
    if (said) replaceSources(lake, ownSourcesOf(said, lake.datasets))
    const main = Lakehouse.at(root)
    const { branch } = object
    const house = branch === undefined ? main : await main.onBranch(branch)
    const engine = await house.startEngine()
    process.send?.('ready')
    await tryObject(lake, house, engine, object)
  } catch (error) {
    // It would take the engine of whoever asked with it.
    if (isEngineLost(error)) process.exit(70)
    // Any other error he sees for himself, as he reads it as well.
  }
  process.send?.('done')
})
