// A reporter of Vitest that writes into the file MORAINE_REPORT, as JSON, what `.ci/tests.sh`
// counts: for each file how many tests passed and were skipped, and what failed in it; and the
// errors that belong to no file.
import { writeFileSync } from 'node:fs'

const messageOf = (errors) =>
  errors.map((error) => error.stack || error.message || String(error)).join('\n')

/**
 * What failed in a file: its tests, its hooks, itself where it could not be imported, and what
 * never ended.
 */
function failuresIn(file) {
  const failures = []
  const add = (name, errors) => failures.push({ name, message: messageOf(errors) })
  if (file.errors().length > 0) add('', file.errors())
  for (const suite of file.children.allSuites())
    if (suite.errors().length > 0) add(suite.fullName, suite.errors())
  for (const test of file.children.allTests()) {
    const { state, errors = [] } = test.result()
    if (state === 'failed') add(test.fullName, errors)
    if (state === 'pending') add(test.fullName, [{ message: 'It never ended: its process died.' }])
  }
  if (failures.length === 0 && (!file.ok() || file.state() === 'pending'))
    add('', [{ message: `The file is ${file.state()}.` }])
  return failures
}

function countedIn(file) {
  const tests = [...file.children.allTests()]
  const count = (state) => tests.filter((test) => test.result().state === state).length
  const { setupDuration, collectDuration, duration } = file.diagnostic()
  return {
    path: file.moduleId,
    milliseconds: setupDuration + collectDuration + duration,
    passed: count('passed'),
    skipped: count('skipped'),
    failures: failuresIn(file),
    died: file.state() === 'pending',
  }
}

/** Gives errors outside of tests to the files in which they were; the others are returned. */
function withoutFile(errors, files) {
  // Vitest says that a process died without its file, and those files have said it.
  let died = files.filter((file) => file.died).length
  return errors.flatMap((error) => {
    const message = messageOf([error])
    if (/Worker \w+ emitted error|Worker exited/.test(message) && died-- > 0) return []
    const failure = { name: `(${error.type ?? 'error'} outside of tests)`, message }
    const file = files.find((one) => one.path === error.VITEST_TEST_PATH)
    file?.failures.push(failure)
    return file ? [] : [failure]
  })
}

export default class {
  onTestRunEnd(modules, unhandled) {
    const files = modules.map(countedIn)
    const errors = withoutFile(unhandled, files)
    writeFileSync(process.env.MORAINE_REPORT, JSON.stringify({ files, errors }))
  }
}
