import { expect, it } from 'vitest'
import { MoraineError } from '../errors.js'
import { isDiskFull, isEngineLost, SqlError } from './sql-error.js'

const failed = (message: string) => {
  const error = new SqlError('', new Error(message))
  return new MoraineError('engine', `gold.errors: ${error.message}`, { cause: error })
}

it.each([
  'internal error',
  'FATAL Error: database has been invalidated because of a previous fatal error',
  'write: ENOSPC: no space left on device',
  'Out of memory',
])('a value of a row that reads "%s" says nothing of the machine', (value) => {
  for (const kind of ['Conversion', 'Invalid Input', 'Constraint']) {
    const error = new SqlError('', new Error(`${kind} Error: Could not convert string '${value}'`))
    expect([isEngineLost(error), isDiskFull(error)]).toEqual([false, false])
    expect([error.retryable, error.hint]).toEqual([false, undefined])
  }
})

it('what the engine says of itself, of the disk and of memory is told by how it begins', () => {
  const invalidated = 'database has been invalidated because of a previous fatal error'
  for (const message of [`FATAL Error: Failed: ${invalidated}`, 'INTERNAL Error: index 7'])
    expect(isEngineLost(failed(message))).toBe(true)
  for (const message of [
    'IO Error: Could not write file "/tmp/a": No space left on device',
    'Out of Memory Error: failed to offload data block of size 256.0 KiB',
  ])
    expect(isDiskFull(failed(message))).toBe(true)
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {
    code: 'ENOSPC',
  })
  expect(isDiskFull(new MoraineError('storage', "Can't write a", { cause: full }))).toBe(true)
  const short = new SqlError('', new Error('Out of Memory Error: failed to allocate data'))
  expect(short).toMatchObject({ retryable: true, hint: expect.stringContaining('more memory') })
})

it('credentials that end while a query runs are told of, and the step is tried again', () => {
  const said =
    "HTTP Error: HTTP GET error reading 's3://lake/a.parquet' (HTTP 400 Bad Request)\n\nExpiredToken: The provided token has expired."
  expect(new SqlError('', new Error(said))).toMatchObject({
    retryable: true,
    hint: expect.stringContaining('reads=copies'),
  })
})
