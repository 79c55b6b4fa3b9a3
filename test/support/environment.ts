import { afterAll } from 'vitest'

/* Files of tests share processes: what one of them has said to its own is not said to the next. */

const before = { ...process.env }

afterAll(() => {
  for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name]
  Object.assign(process.env, before)
})
