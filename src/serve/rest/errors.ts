import { MoraineError } from '../../errors.js'
import { RefusedUpdate } from '../../iceberg/spec/updates/refused.js'

/** An answer that refuses a request, as the REST specification spells it (ErrorModel). */
export class RestError extends Error {
  constructor(
    readonly status: 400 | 401 | 403 | 404 | 406 | 409 | 413 | 415 | 422 | 500 | 503,
    readonly type: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

/** An answer of the token endpoint that refuses (RFC 6749, 5.2). */
export class OAuthError extends Error {
  constructor(
    readonly status: 400 | 401,
    readonly error:
      | 'invalid_request'
      | 'invalid_client'
      | 'invalid_grant'
      | 'unsupported_grant_type',
    message: string,
  ) {
    super(message)
  }
}

export const badRequest = (message: string) => new RestError(400, 'BadRequestException', message)

export const forbidden = (message: string) => new RestError(403, 'ForbiddenException', message)

/**
 * What is refused to whoever asks. Trino hides the reasons of most refusals behind words of its
 * own, and shows that of this one.
 */
export const illegal = (message: string) => new RestError(400, 'IllegalArgumentException', message)

export const alreadyExists = (message: string) =>
  new RestError(409, 'AlreadyExistsException', message)

export const noSuchNamespace = (name: string) =>
  new RestError(404, 'NoSuchNamespaceException', `Namespace does not exist: ${name}`)

export const noSuch = (kind: 'table' | 'view', name: string) =>
  kind === 'table'
    ? new RestError(404, 'NoSuchTableException', `Table does not exist: ${name}`)
    : new RestError(404, 'NoSuchViewException', `View does not exist: ${name}`)

/** The file that the log leads to is gone. */
export const noSuchFile = (location: string) =>
  new RestError(404, 'NotFoundException', `Failed to open input stream for file: ${location}`)

/**
 * Storage failed while a commit was made, which may be there: of 503 clients believe that nothing
 * was done, and remove the files that they have written for it.
 */
export const stateUnknown = (cause: unknown) =>
  new RestError(
    500,
    'CommitStateUnknownException',
    'The storage did not say whether the commit was made: look at the table before it is tried again, and remove none of its files',
    { cause },
  )

/**
 * Whatever went wrong, as the answer that says so. Of what is wrong inside only those who run the
 * server hear more.
 */
export function asRestError(error: unknown): RestError {
  if (error instanceof RestError) return error
  if (error instanceof RefusedUpdate) {
    if (error.reason === 'conflict')
      return new RestError(409, 'CommitFailedException', error.message)
    if (error.reason === 'unprocessable')
      return new RestError(422, 'UnprocessableEntityException', error.message)
    return illegal(error.message)
  }
  if (error instanceof MoraineError && error.kind === 'conflict')
    return new RestError(409, 'CommitFailedException', error.message)
  if (error instanceof MoraineError && error.kind === 'storage')
    return new RestError(503, 'ServiceUnavailableException', 'The storage does not respond')
  return new RestError(
    500,
    'ServerErrorException',
    'The request failed; the log of the server says why',
  )
}
