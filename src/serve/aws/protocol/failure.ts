/** A refusal as a service of AWS says it. */
export class AwsError extends Error {
  override readonly name = 'AwsError'

  constructor(
    readonly code: string,
    message: string,
    readonly details: { status?: number; fields?: Readonly<Record<string, string>> } = {},
  ) {
    super(message)
  }

  get status(): number {
    return this.details.status ?? 400
  }
}

export const invalidRequest = (message: string, AthenaErrorCode = 'INVALID_INPUT') =>
  new AwsError('InvalidRequestException', message, { fields: { AthenaErrorCode } })
