import { expect, it, vi } from 'vitest'
import { s3Place } from './settings.js'

it('refuses an endpoint without a scheme, and says who gave it', () => {
  expect(() => s3Place('s3://lake/x?endpoint=127.0.0.1:9000')).toThrow(
    expect.objectContaining({
      kind: 'usage',
      message: "endpoint: '127.0.0.1:9000' is not an address of S3",
      hint: 'Include the scheme: endpoint=http://127.0.0.1:9000, or https://.',
    }),
  )
  vi.stubEnv('AWS_ENDPOINT_URL', 'ftp://minio')
  expect(() => s3Place('s3://lake/x')).toThrow(
    expect.objectContaining({ hint: 'Use the form AWS_ENDPOINT_URL=https://host.' }),
  )
  expect(s3Place('s3://lake/x?endpoint=http://127.0.0.1:9000').endpoint).toBe(
    'http://127.0.0.1:9000',
  )
})
