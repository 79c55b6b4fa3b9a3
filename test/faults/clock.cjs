// A clock that is wrong by as many milliseconds as the file in MORAINE_TEST_CLOCK says.
const { readFileSync } = require('node:fs')
const file = process.env.MORAINE_TEST_CLOCK
const Real = Date
let offset = 0
let read = 0
const now = () => {
  const time = Real.now()
  if (time - read > 100 && file) {
    read = time
    try {
      offset = Number(readFileSync(file, 'utf8')) || 0
    } catch {
      offset = 0
    }
  }
  return time + offset
}
globalThis.Date = class extends Real {
  constructor(...args) {
    if (args.length === 0) super(now())
    else super(...args)
  }
  static now() {
    return now()
  }
}
