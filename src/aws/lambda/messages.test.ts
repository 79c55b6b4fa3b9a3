import { describe, expect, it } from 'vitest'
import { readMessage } from './messages.js'

const bridged = (key: string, type = 'Object Created') =>
  JSON.stringify({
    source: 'aws.s3',
    'detail-type': type,
    detail: { bucket: { name: 'shop' }, object: { key } },
  })
const notified = (...keys: string[]) =>
  JSON.stringify({
    Records: keys.map((key) => ({
      eventSource: 'aws:s3',
      eventName: 'ObjectCreated:Put',
      s3: { bucket: { name: 'shop' }, object: { key } },
    })),
  })
const objects = (...keys: string[]) => ({
  kind: 'objects',
  objects: keys.map((key) => ({ bucket: 'shop', key })),
})

describe('a message', () => {
  it('of EventBridge has keys as they are, one of S3 has them encoded', () => {
    expect(readMessage(bridged('in/a b+ü%20.csv'))).toEqual(objects('in/a b+ü%20.csv'))
    expect(readMessage(notified('in/a+b%2B%C3%BC%2520.csv', 'c'))).toEqual(
      objects('in/a b+ü%20.csv', 'c'),
    )
  })

  it('may come by way of SNS', () => {
    const text = JSON.stringify({ Type: 'Notification', Message: notified('a.csv') })
    expect(readMessage(text)).toEqual(objects('a.csv'))
  })

  it('may ask for a job, and says how far that is', () => {
    expect(readMessage('{"job":"bronze.orders"}')).toEqual({
      kind: 'job',
      request: { job: 'bronze.orders', cause: 'schedule', turn: 0 },
    })
    const asked = { job: 'gold.daily', cause: 'upstream', turn: 2 }
    expect(readMessage(JSON.stringify(asked))).toEqual({ kind: 'job', request: asked })
    expect(readMessage('{"job":"gold.daily","cause":"made up","turn":-1}')).toMatchObject({
      request: { cause: 'schedule', turn: 0 },
    })
  })

  it('that says that something else has happened needs nothing', () => {
    expect(readMessage(bridged('a.csv', 'Object Deleted')).kind).toBe('nothing')
    expect(readMessage('{"Service":"Amazon S3","Event":"s3:TestEvent"}').kind).toBe('nothing')
  })

  it('that is something else is said to be, whatever it is', () => {
    for (const text of [
      'hello',
      '',
      'null',
      '[]',
      '"text"',
      '{"Records":[{"eventSource":"aws:sqs"}]}',
      '{"source":"aws.s3","detail-type":"Object Created"}',
      '{"source":"aws.s3","detail-type":"Object Created","detail":{"object":{"key":1}}}',
      '{"__proto__":{"job":"x"}}',
      notified('%E0%A4%A'),
    ])
      expect([text, readMessage(text)]).toEqual([
        text,
        { kind: 'unknown', why: expect.stringMatching(/./) },
      ])
  })
})
