// What failed in a JSON report of Vitest: file, name and the first and last lines of each message.
import { readFileSync } from 'node:fs'

const FIRST = 8
const LAST = 12
const { testResults } = JSON.parse(readFileSync(process.argv[2], 'utf8'))

for (const file of testResults) {
  const failed = file.assertionResults.filter((test) => test.status === 'failed')
  if (failed.length === 0 && file.status === 'failed') report(file.name, '', file.message)
  for (const test of failed) report(file.name, test.fullName, test.failureMessages.join('\n'))
}

function report(file, name, message) {
  console.log(`  ${file} ${name}`)
  const lines = message.split('\n')
  const shown =
    lines.length <= FIRST + LAST + 1
      ? lines
      : [
          ...lines.slice(0, FIRST),
          `[… ${lines.length - FIRST - LAST} lines]`,
          ...lines.slice(-LAST),
        ]
  for (const line of shown) console.log(`    ${line.slice(0, 1000)}`)
}
