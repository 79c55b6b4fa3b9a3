/*
 * Exports all of a project's warehouses, and kills itself at a point: `export-until.ts FOLDER POINT
 * [NTH]`, for the nth time that the point is reached. Without a point it says `reached POINT` for
 * each.
 */
import { join } from 'node:path'
import { chosenBy, exportChosen } from '../../../src/export/export-lake.js'
import { Lakehouse } from '../../../src/load/lakehouse.js'
import { loadLake } from '../../../src/load/load.js'

const [folder = '', point = '', nth = '1'] = process.argv.slice(2)
const lake = await loadLake(join(folder, 'lake.ts'))
const house = Lakehouse.at(join(folder, 'lake'))
let times = 0
const results = await exportChosen(
  {
    lake,
    storage: house.storage,
    log: house.log,
    startEngine: () => house.startEngine({ memory: 2 ** 29, threads: 1 }),
  },
  chosenBy(lake, []),
  {
    at: (reached) => {
      if (point === '') console.log(`reached ${reached}`)
      if (reached === point && ++times === Number(nth)) process.kill(process.pid, 'SIGKILL')
    },
    note: (text) => console.log(text),
  },
)
for (const { outcome, table, reason } of results) console.log(`${outcome} ${table}: ${reason}`)
process.exit(results.some(({ outcome }) => outcome === 'failed') ? 1 : 0)
