import { expect, it, onTestFinished } from 'vitest'
import { Executors, type NoExecutors } from './executors.js'
import { lossOf } from './missing.js'

/** What waits for executors, and what it hears. */
function waitingFor(patience: number) {
  const told: string[] = []
  const errors: NoExecutors[] = []
  const state = { isAsked: true, patience }
  let wake: () => void = () => {}
  const executors = new Executors({
    patience: () => state.patience,
    isAsked: () => state.isAsked,
    tell: (text) => told.push(text),
    giveUp: (error) => {
      errors.push(error)
      wake()
    },
  })
  onTestFinished(() => executors.are(1))
  const givenUp = () =>
    new Promise<void>((resolve) => {
      wake = resolve
    })
  return { executors, told, errors, state, givenUp }
}

it('a cluster that gets no executor is given up, and so is what is asked next', async () => {
  const { executors, told, errors, givenUp } = waitingFor(10)
  const first = givenUp()
  executors.are(0)
  await first
  expect(errors).toMatchObject([{ kind: 'engine', message: 'Spark got no executor in 0.01 s' }])
  expect(errors[0]?.hint).toContain('waitForExecutors')
  executors.look()
  expect(errors).toHaveLength(2)
  expect(told).toEqual([])
})

it('executors that are lost are told; one that comes ends the wait', async () => {
  const { executors, told, errors, state, givenUp } = waitingFor(600_000)
  executors.are(2)
  executors.are(0)
  expect(told).toEqual(['! Spark has lost all of its executors: the run waits 10 min for new ones'])
  executors.are(1)
  state.patience = 10
  const next = givenUp()
  executors.are(0)
  await next
  expect(errors.map(({ message }) => message)).toEqual([
    'Spark has lost all of its executors, and got no new one in 0.01 s',
  ])
  executors.are(1)
  executors.look()
  expect(errors).toHaveLength(1)
})

it('without a job nothing is waited for, nor told', () => {
  const { executors, told, errors, state } = waitingFor(0)
  state.isAsked = false
  executors.are(1)
  executors.are(0)
  executors.look()
  expect([told, errors]).toEqual([[], []])
})

it('what Spark says of an executor that ended is short', () => {
  const said = `An error occurred while calling o97.collectToPython.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 1 times, most recent failure: Lost task 0.0 in stage 1.0 (TID 1) (10.0.0.2 executor 3): ExecutorLostFailure (executor 3 exited caused by one of the running tasks) Reason: Command exited with code 137
Driver stacktrace:
\tat org.apache.spark.scheduler.DAGScheduler.abortStage(DAGScheduler.scala:2898)`
  expect(lossOf(said)).toBe('executor 3 on 10.0.0.2 ended: Command exited with code 137')
})
