import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '../errors.js'
import { importPeer } from '../peers.js'
import { variable } from '../settings.js'

/** Seconds for which a queue waits until it has something to say. */
const WAIT = 20
/** Milliseconds after a failure. */
const PAUSE = 5000

/**
 * Listens to a queue of SQS into which a bucket says what has arrived, until it is told to stop. A
 * message is a sign to look and no more, so that it is removed as soon as it was heard: what it was
 * about is found by looking, now or at the next sweep.
 */
export async function listenTo(
  url: string,
  notify: () => void,
  onFailure: (error: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const sqs = await importPeer('@aws-sdk/client-sqs')
  const region = /^https:\/\/sqs\.([a-z0-9-]+)\.amazonaws\./.exec(url)?.[1]
  const client = new sqs.SQSClient({
    region: region ?? variable('AWS_REGION') ?? variable('AWS_DEFAULT_REGION') ?? 'us-east-1',
  })
  while (!signal.aborted) {
    try {
      const { Messages = [] } = await client.send(
        new sqs.ReceiveMessageCommand({
          QueueUrl: url,
          WaitTimeSeconds: WAIT,
          MaxNumberOfMessages: 10,
        }),
        { abortSignal: signal },
      )
      if (Messages.length === 0) continue
      notify()
      await client.send(
        new sqs.DeleteMessageBatchCommand({
          QueueUrl: url,
          Entries: Messages.map(({ ReceiptHandle }, i) => ({ Id: String(i), ReceiptHandle })),
        }),
      )
    } catch (error) {
      if (signal.aborted) break
      onFailure(new Error(`the queue cannot be polled: ${messageOf(error)}`))
      await sleep(PAUSE, undefined, { signal }).catch(() => {})
    }
  }
  client.destroy()
}
