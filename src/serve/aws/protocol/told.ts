import { MoraineError } from '../../../errors.js'
import { redact } from '../../../secrets.js'
import { BadBody } from '../../body.js'
import { RestError } from '../../rest/errors.js'
import { SignatureFailure } from '../signature/failure.js'
import { AwsError } from './failure.js'
import { document } from './xml.js'

export type Service = 'athena' | 'glue' | 's3' | 'sts'

/** What a client is told of an error: a code that its SDK knows, and why. */
export interface Told {
  status: number
  code: string
  message: string
  fields: Readonly<Record<string, string>>
}

const OF_REST: Readonly<Record<number, string>> = {
  400: 'InvalidInputException',
  403: 'AccessDeniedException',
  404: 'EntityNotFoundException',
  409: 'AlreadyExistsException',
}

/** Codes of JSON's protocol for failures of signatures. */
const OF_SIGNATURES: Readonly<Record<string, string>> = {
  SignatureDoesNotMatch: 'InvalidSignatureException',
  IncompleteSignature: 'IncompleteSignatureException',
  MissingAuthenticationToken: 'MissingAuthenticationTokenException',
  RequestTimeTooSkewed: 'InvalidSignatureException',
}

export function toldOf(error: unknown, service: Service): Told {
  const of = (
    status: number,
    code: string,
    message: string,
    fields: Told['fields'] = {},
  ): Told => ({
    status,
    code,
    message: redact(message),
    fields,
  })
  const isJson = service === 'athena' || service === 'glue'
  if (error instanceof AwsError)
    return of(error.status, error.code, error.message, error.details.fields)
  if (error instanceof SignatureFailure)
    return of(
      error.status,
      isJson ? (OF_SIGNATURES[error.code] ?? error.code) : error.code,
      error.message,
    )
  if (error instanceof BadBody) return of(error.status, 'InvalidRequestException', error.message)
  if (error instanceof RestError) {
    const code =
      service === 'athena' ? 'InvalidRequestException' : (OF_REST[error.status] ?? error.type)
    return of(Math.min(error.status, 499), code, error.message)
  }
  if (
    error instanceof MoraineError &&
    ['usage', 'query', 'limit', 'definition'].includes(error.kind)
  ) {
    const text = error.hint === undefined ? error.message : `${error.message}. ${error.hint}`
    return of(400, 'InvalidRequestException', text)
  }
  if (error instanceof MoraineError && error.kind === 'storage')
    return of(
      503,
      service === 's3' ? 'SlowDown' : 'InternalServerException',
      'The storage does not respond: try again later',
    )
  return of(
    500,
    service === 's3' || service === 'sts' ? 'InternalError' : 'InternalServerException',
    'The server failed to answer',
  )
}

/** An error as the protocol of a service writes it. */
export function errorBody(
  { code, message, fields }: Told,
  service: Service,
  requestId: string,
): { type: string; body: string } {
  if (service === 's3')
    return {
      type: 'application/xml',
      body: document('Error', { Code: code, Message: message, RequestId: requestId }, '').replace(
        ' xmlns=""',
        '',
      ),
    }
  if (service === 'sts') {
    const error = { Type: 'Sender', Code: code, Message: message }
    return {
      type: 'text/xml',
      body: document(
        'ErrorResponse',
        { Error: error, RequestId: requestId },
        'https://sts.amazonaws.com/doc/2011-06-15/',
      ),
    }
  }
  return {
    type: 'application/x-amz-json-1.1',
    body: JSON.stringify({ __type: code, message, Message: message, ...fields }),
  }
}

/** Whether whoever runs the server should hear of it. */
export const isOurs = (told: Told) => told.status >= 500
