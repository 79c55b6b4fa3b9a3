import { NAMESPACE, openLake } from './lake.js'
import { CLIENTS, PAGE, turned } from './scenarios.js'
import { Server } from './served.js'

/** Of a lake of which the others' tables are a tenth as many as elsewhere: it is begun quickly. */
const TABLES = 1000
const MINUTES = 60
/** With it, four clients commit some 480 times a minute. */
const PAUSE = 500

/** What a minute was like; the clients of each are new ones. */
interface Minute {
  done: number
  refused: number
  /** MiB that the server had at the end of it. */
  memory: number
}

/**
 * A server's memory while clients commit, load and list for an hour, minute by minute.
 * @param scale of the hour.
 */
export async function memoryOfAnHour(scale: number, json: boolean): Promise<void> {
  const { folder, tables } = await openLake(TABLES)
  const server = await Server.moraine(folder)
  const minutes: Minute[] = []
  try {
    for (let i = 0; i < Math.round(MINUTES * scale); i++) {
      const { done, refused } = await server.run({
        doing: 'all',
        tables: turned(tables.busy),
        pageSize: PAGE,
        clients: CLIENTS,
        namespace: NAMESPACE,
        seconds: 60,
        pause: PAUSE,
      })
      minutes.push({ done, refused, memory: server.takes.now })
      if (!json) console.log(`${i + 1} min: ${told(minutes.at(-1) as Minute)}`)
    }
    if (json) console.log(JSON.stringify({ minutes, peak: server.takes.peak }, null, 2))
    else console.log(`at most ${server.takes.peak.toFixed(0)} MiB`)
  } finally {
    await server.stop()
  }
}

const told = ({ done, refused, memory }: Minute) =>
  `${done} done, ${refused} refused, ${memory.toFixed(0)} MiB`
