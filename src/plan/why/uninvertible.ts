/** Why the rows behind a value can't be told, and what to do instead. */
export class Uninvertible extends Error {
  constructor(
    message: string,
    readonly hint: string,
  ) {
    super(message)
  }
}
