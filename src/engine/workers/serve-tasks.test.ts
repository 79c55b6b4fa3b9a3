import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { encodeLine, type Hello, readWorkerLine } from './protocol.js'
import { serveTasks } from './serve-tasks.js'

const hello: Hello = {
  protocol: 1,
  moraine: '1.2.3',
  duckdb: 'v1.5.5',
  definition: { path: 'x', sha256: 'aa' },
  root: '/nowhere',
  environment: [],
}
const taskOf = (id: string) => encodeLine({ task: { id, attempt: 1, text: id } })

/** A worker whose engine breaks at a task of the name `broken`. */
function worker() {
  const input = new PassThrough()
  const said: ReturnType<typeof readWorkerLine>[] = []
  const carried: string[] = []
  const served = serveTasks(
    input,
    (line) => said.push(readWorkerLine(line.trimEnd())),
    async ({ moraine, duckdb }) => ({
      ready: { moraine, duckdb, definition: 'aa', where: 'here' },
      carryOut: async (text) => {
        carried.push(text)
        return { reply: text, isLast: text === 'broken' }
      },
      close: async () => {},
    }),
  )
  input.write(encodeLine({ hello }))
  return { input, said, carried, served }
}

it('a worker whose engine is broken says so with its reply, and takes no other task', async () => {
  const { input, said, carried, served } = worker()
  input.write(taskOf('good') + taskOf('broken') + taskOf('next'))
  expect(await served).toBe(true)
  expect(carried).toEqual(['good', 'broken'])
  expect(said.slice(1)).toEqual([
    { reply: { id: 'good', attempt: 1, text: 'good' } },
    { reply: { id: 'broken', attempt: 1, text: 'broken', last: true } },
  ])
})

it('a worker does nothing for a run that ended in the middle of a line', async () => {
  const { input, said, carried, served } = worker()
  input.end(taskOf('good') + taskOf('cut').slice(0, -9))
  expect(await served).toBe(true)
  expect(carried).toEqual(['good'])
  expect(said).toHaveLength(2)
})
