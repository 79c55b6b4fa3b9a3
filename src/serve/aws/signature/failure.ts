/** Why a request is not believed; each protocol writes it in its own form. */
export class SignatureFailure extends Error {
  override readonly name = 'SignatureFailure'

  /**
   * @param code as AWS names it.
   * @param status of HTTP.
   */
  constructor(
    readonly code: string,
    message: string,
    readonly status: 400 | 403 = 403,
  ) {
    super(message)
  }
}

/** One answer for a wrong key and a wrong secret, so that nobody learns which keys there are. */
export const mismatch = () =>
  new SignatureFailure(
    'SignatureDoesNotMatch',
    'The access key or the signature is wrong: check the access key, the secret and the time of this machine',
  )
