/** A change of metadata that can't be made. */
export class RefusedUpdate extends Error {
  constructor(
    /**
     * `invalid`: it never could be. `conflict`: metadata are not what they are expected to be, so
     * that whoever asks should look again. `unprocessable`: it contradicts itself.
     */
    readonly reason: 'invalid' | 'conflict' | 'unprocessable',
    message: string,
  ) {
    super(message)
  }
}

export const invalid = (message: string) => new RefusedUpdate('invalid', message)

export const conflict = (message: string) => new RefusedUpdate('conflict', message)
