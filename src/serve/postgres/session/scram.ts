import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { PgError } from '../pg-error.js'

const derive = promisify(pbkdf2)

export const SCRAM = 'SCRAM-SHA-256'
const ITERATIONS = 4096
/** What is known of a password: it proves one, and cannot be used in place of it. */
interface Verifier {
  salt: Buffer
  stored: Buffer
  server: Buffer
}

const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest()
const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest()

async function verifierOf(password: string, salt: Buffer): Promise<Verifier> {
  const salted = await derive(password.normalize('NFKC'), salt, ITERATIONS, 32, 'sha256')
  return {
    salt,
    stored: hash(hmac(salted, 'Client Key')),
    server: hmac(salted, 'Server Key'),
  }
}

/**
 * The server's part of SCRAM-SHA-256, without binding to the channel (RFC 5802, RFC 7677). The
 * password itself is never sent.
 */
export class Scram {
  private readonly nonce = randomBytes(18).toString('base64')
  private bare = ''
  private first = ''
  private gs2 = ''
  private verifier: Verifier | undefined

  /**
   * @param password `undefined` for a user that does not exist: the exchange goes on all the same,
   *   so that nobody learns which users there are.
   */
  constructor(private readonly password: string | undefined) {}

  /** Answers the client's first message. */
  async begin(text: string): Promise<string> {
    const found =
      /^([nyp][^,]*,(?:a=[^,]*)?,)((?:m=[^,]*,)?n=[^,]*,r=([!-+\--~]{8,256})(?:,.*)?)$/.exec(text)
    if (!found) throw broken()
    const [, gs2 = '', bare = '', clientNonce = ''] = found
    if (gs2.startsWith('p') || bare.startsWith('m=')) throw broken()
    this.gs2 = gs2
    this.bare = bare
    this.verifier = await verifierOf(
      this.password ?? randomBytes(16).toString('hex'),
      randomBytes(16),
    )
    const salt = this.verifier.salt.toString('base64')
    this.first = `r=${clientNonce}${this.nonce},s=${salt},i=${ITERATIONS}`
    return this.first
  }

  /**
   * Checks the client's proof; gives the server's own.
   *
   * @returns `undefined` where the password is wrong.
   */
  finish(text: string): string | undefined {
    const found = /^((?:c=([^,]+),r=([^,]+))(?:,[^p][^,]*)*),p=([A-Za-z0-9+/=]+)$/.exec(text)
    const { verifier } = this
    if (!found || !verifier) throw broken()
    const [, withoutProof = '', binding = '', nonce, proof = ''] = found
    const isSameNonce = this.first.startsWith(`r=${nonce},`)
    if (!isSameNonce || Buffer.from(binding, 'base64').toString() !== this.gs2) throw broken()
    const signed = `${this.bare},${this.first},${withoutProof}`
    const signature = hmac(verifier.stored, signed)
    const given = Buffer.from(proof, 'base64')
    if (given.length !== signature.length) throw broken()
    const key = Buffer.from(given.map((byte, i) => byte ^ (signature[i] as number)))
    const isRight = timingSafeEqual(hash(key), verifier.stored)
    if (!isRight || this.password === undefined) return undefined
    return `v=${hmac(verifier.server, signed).toString('base64')}`
  }
}

const broken = () =>
  new PgError('08P01', `The client's messages of ${SCRAM} are not as RFC 5802 has them`, {
    fatal: true,
  })
