// What failed in a JSON report of Vitest: file, name and the first lines of each message.
import { readFileSync } from 'node:fs'

const LINES = 12
const { testResults } = JSON.parse(readFileSync(process.argv[2], 'utf8'))

for (const file of testResults) {
  const failed = file.assertionResults.filter((test) => test.status === 'failed')
  if (failed.length === 0 && file.status === 'failed') report(file.name, '', file.message)
  for (const test of failed) report(file.name, test.fullName, test.failureMessages.join('\n'))
}

function report(file, name, message) {
  console.log(`  ${file} ${name}`)
  for (const line of message.split('\n').slice(0, LINES)) console.log(`    ${line}`)
}
