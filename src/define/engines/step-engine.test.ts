import { expect, it } from 'vitest'
import { spark } from './spark.js'
import { engineNamed, slotsOf } from './step-engine.js'

it('knows how many tasks are worth having at once, before a cluster has any executor', () => {
  const conf = (name: string, n: string) => spark({ master: 'yarn', conf: { [name]: n } })
  const engines = [
    [engineNamed('spark:local[2]', []), 2],
    [engineNamed('spark:local[*]', []), 16],
    [engineNamed('spark:spark://host:7077', []), 4],
    [spark({ connect: 'sc://host:15002' }), 4],
    [spark({ master: 'yarn', tasks: 30 }), 30],
    [conf('spark.executor.instances', '12'), 12],
    [conf('spark.dynamicAllocation.maxExecutors', '40'), 40],
    [conf('spark.executor.instances', 'some'), 4],
    [engineNamed('workers:3', []), 3],
    [engineNamed('duckdb', []), 1],
  ] as const
  for (const [engine, slots] of engines) expect(engine && slotsOf(engine, 16)).toBe(slots)
})
