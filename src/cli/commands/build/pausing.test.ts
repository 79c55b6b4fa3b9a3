import { expect, it } from 'vitest'
import { aws } from '../../../aws/index.js'
import { bronze, defineLake } from '../../../index.js'
import { pausedJobs } from '../../../schedule/leases.js'
import { inbox } from '../../../source/index.js'
import { MemoryStorage } from '../../../storage/memory.js'
import type { Project } from '../../project.js'
import { pauseJob, resumeJob } from './pausing.js'

const orders = bronze('orders', { from: inbox({ format: 'jsonl' }) })
const lake = defineLake({
  name: 'shop',
  datasets: [orders],
  deploy: aws({ region: 'eu-central-1' }),
})

function projectAt(url: string): Project {
  const storage = Object.assign(new MemoryStorage(), { url })
  return { lake, storage } as unknown as Project
}

it('pauses no job of functions by which messages would be lost, and says what keeps them', async () => {
  const deployed = projectAt('s3://shop-lake-123456789012-eu-central-1')
  await expect(pauseJob(deployed, 'bronze.orders')).rejects.toMatchObject({
    kind: 'usage',
    hint: expect.stringContaining('moraine deploy --pause bronze.orders'),
  })
  expect(await pausedJobs(deployed.storage)).toEqual(new Set())
  // One that is tried out from a folder or a bucket beside it is paused as ever.
  for (const url of ['file:///tmp/lake', 's3://trials/shop']) {
    const beside = projectAt(url)
    await pauseJob(beside, 'bronze.orders')
    expect(await pausedJobs(beside.storage)).toEqual(new Set(['bronze.orders']))
    expect(await resumeJob(beside, 'bronze.orders')).toBeUndefined()
  }
})

it('tells what is left to do for a job of a function that was paused before', async () => {
  const deployed = projectAt('s3://shop-lake-123456789012-eu-central-1')
  await deployed.storage.write('_moraine/paused/bronze.orders.json', new Uint8Array([123, 125]))
  expect(await resumeJob(deployed, 'bronze.orders')).toContain(
    `aws lambda invoke --function-name shop-bronze-orders --payload '{"job":"bronze.orders"}'`,
  )
  expect(await pausedJobs(deployed.storage)).toEqual(new Set())
  expect(await resumeJob(deployed, 'bronze.orders')).toBeUndefined()
})
