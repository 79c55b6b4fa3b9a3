import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ServedLake, servedLake } from '../../integration/athena/served.js'
import { withService } from '../../support/services.js'

const clients = process.env.MORAINE_CLIENTS

interface Step {
  step: string
  ok: boolean
  why?: string
}

withService('the clients of Athena in Python', [clients], () => {
  let lake: ServedLake
  beforeAll(async () => {
    lake = await servedLake()
  })
  afterAll(() => lake?.close())

  describe('PyAthena, SQLAlchemy, awswrangler, boto3 and the aws command', () => {
    it('do what they do on AWS, with nothing changed but AWS_ENDPOINT_URL', async () => {
      const script = join(import.meta.dirname, 'clients.py')
      const child = spawn(join(clients as string, 'bin/python'), ['-W', 'ignore', script], {
        env: lake.env('boss'),
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const steps: Step[] = []
      for await (const line of createInterface({ input: child.stdout }))
        if (line.startsWith('{"step"')) steps.push(JSON.parse(line) as Step)
      expect(steps.flatMap(({ step, ok, why }) => (ok ? [] : [`${step}: ${why}`]))).toEqual([])
      expect(steps.length).toBeGreaterThanOrEqual(28)
      expect(lake.errors).toEqual([])
    })
  })
})
