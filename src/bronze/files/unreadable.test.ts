import { describe, expect, it } from 'vitest'
import { MoraineError } from '../../errors.js'
import { faultOf } from './unreadable.js'

describe('what is wrong with a file', () => {
  it.each([
    ['a file', '/lake/in/a (1).zip', 'in/a (1).zip', '/lake/in/a (1).zip'],
    ['a file by its name', '/lake/in/a.zip', 'in/a.zip', 'in/a.zip'],
    ['an object', 'in/a.zip', 's3://drop/in/a.zip', 's3://drop/in/a.zip'],
    ['an object by its key', 'in/a.zip', 's3://drop/in/a.zip', 'in/a.zip'],
  ])('is named once: %s', (_, path, name, message) => {
    const file = { path, name, size: 1, modified: 1 }
    const fault = (message: string) => faultOf(file, new MoraineError('source', message))
    expect(fault(`${message} can't be unpacked: cut off`)).toBe("can't be unpacked: cut off")
    expect(fault(`${message} can't be read: cut off`)).toBe('cut off')
    expect(fault(`no entry of ${message} fits`)).toBe(`no entry of ${name} fits`)
  })
})
