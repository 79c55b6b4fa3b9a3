import { randomBytes, randomInt, timingSafeEqual } from 'node:crypto'

interface Cancellable {
  secret: Buffer
  cancel: () => void
}

/** Sessions by the number and secret that their clients show to have a query stopped. */
export class Cancels {
  private readonly sessions = new Map<number, Cancellable>()

  /** @returns what the client is told, and what forgets the session. */
  add(cancel: () => void): { process: number; secret: number; forget: () => void } {
    let process = randomInt(1, 2 ** 31 - 1)
    while (this.sessions.has(process)) process = randomInt(1, 2 ** 31 - 1)
    const secret = randomBytes(4)
    this.sessions.set(process, { secret, cancel })
    const forget = () => void this.sessions.delete(process)
    return { process, secret: secret.readInt32BE(), forget }
  }

  /** Stops what a session does, if the secret is its own; nobody is told whether. */
  cancel(process: number, secret: Buffer): void {
    const session = this.sessions.get(process)
    if (session && secret.length === 4 && timingSafeEqual(session.secret, secret)) session.cancel()
  }
}
