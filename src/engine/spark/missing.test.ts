import { expect, it } from 'vitest'
import { missingError } from './missing.js'

it('tells of a refusal by Spark Connect what the server has said', () => {
  // As pyspark 4.1 writes it.
  const said = `<_InactiveRpcError of RPC that terminated with:
\tstatus = StatusCode.UNAUTHENTICATED
\tdetails = "the token has expired"
\tdebug_error_string = "UNKNOWN:Error received from peer {grpc_status:16}"
>`
  expect(missingError('session', said, 'python3')).toMatchObject({
    kind: 'engine',
    message: 'Spark does not start: the token has expired',
  })
  expect(missingError('session', 'Java gateway exited\n  at x', 'python3').message).toBe(
    'Spark does not start: Java gateway exited',
  )
})
