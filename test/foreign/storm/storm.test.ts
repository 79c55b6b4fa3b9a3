import { expect, it } from 'vitest'
import { Project } from '../../support/project.js'
import { seed } from '../../support/seed.js'
import { withService } from '../../support/services.js'
import { duckdbParts } from '../engines/duckdb.js'
import { trinoParts } from '../engines/trino.js'
import { python, sparkJar } from '../readers.js'
import type { Fleet } from './fleet.js'
import { definition } from './managed.js'
import { Storm } from './storm.js'

/*
 * Sixteen writers of five kinds change tables of a lake by its catalogs, of which one is killed
 * again and again, and whose answers get lost; beside them the lake runs, is compacted and
 * vacuumed. Once it is over, all that was answered is there, once, and nothing that was refused.
 */

/** Seconds of the storm; more in CI, and by hand as many as one likes. */
const SECONDS = Number(process.env.MORAINE_STORM ?? 15)
/** On two cores more engines would only wait for each other. */
const FLEET: Fleet = { http: 6, pyiceberg: 3, duckdb: 3, spark: 2, trino: 2 }

const parts = [python, sparkJar, ...duckdbParts, ...trinoParts]

withService('PyIceberg, DuckDB, Spark and Trino', parts, () => {
  it(
    'nothing is lost and nothing doubled, whoever writes and whatever fails',
    async () => {
      console.log(`Seed ${seed}, ${SECONDS} seconds`)
      const project = await Project.create({ 'lake.ts': definition })
      const storm = await Storm.start(project, seed, FLEET)
      const { managed, tagger } = storm
      await storm.rage(SECONDS)
      console.log(storm.summary)

      await managed.command('run')
      const faults = [
        ...(await storm.faults('PyIceberg')),
        ...(await storm.faults('DuckDB')),
        ...(await tagger.check()),
        ...(await managed.faults()),
      ]
      const left = faults.length > 0 ? `The lake is left in ${await storm.keep(faults)}` : ''
      expect(faults, left).toEqual([])
      expect((await managed.command('verify', '--deep')).code).toBe(0)
      // What nobody needs goes, and nothing else.
      await managed.command('vacuum', '--delete', '--grace', '0s', '--history', '0s')
      expect(await storm.faults('PyIceberg')).toEqual([])
      expect((await managed.command('verify', '--deep')).code).toBe(0)
    },
    SECONDS * 2000 + 1_800_000,
  )
})
