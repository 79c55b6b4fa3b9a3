import { setTimeout as sleep } from 'node:timers/promises'
import type { Principal, Principals } from '../../principals.js'
import { PgError } from '../pg-error.js'
import { Fields, textOf } from '../wire/fields.js'
import { readMessage } from '../wire/read-message.js'
import { write } from '../wire/write-message.js'
import type { Connection } from './connection.js'
import { SCRAM, Scram } from './scram.js'
import { START_WITHIN } from './start.js'

/** Milliseconds that a wrong password waits for its answer. */
const WRONG = 200

/**
 * Has a client prove that it knows the password of a user, which is the name of a principal.
 *
 * @throws PgError of code 28P01 where it does not; whether there is such a user is not told.
 */
export async function authenticate(
  connection: Connection,
  user: string,
  principals: Pick<Principals, 'ofUser' | 'passwordsIn'>,
): Promise<Principal> {
  const known = await principals.ofUser(user)
  const scram = new Scram(known?.secret)
  connection.write(write.sasl([SCRAM]))
  await connection.flush()
  const first = new Fields(await answer(connection))
  const mechanism = first.text()
  if (mechanism !== SCRAM)
    throw new PgError('28000', `The mechanism ${mechanism} was not offered`, { fatal: true })
  const length = first.int32()
  const begun = await scram.begin(textOf(first.bytes(length)))
  connection.write(write.saslContinue(begun))
  await connection.flush()
  const proof = scram.finish(textOf(await answer(connection)))
  if (proof === undefined || !known) {
    await sleep(WRONG)
    throw new PgError('28P01', `Password authentication failed for user "${user}"`, {
      fatal: true,
      hint: principals.passwordsIn,
    })
  }
  connection.write(write.saslFinal(proof))
  connection.write(write.authenticationOk())
  return known.principal
}

async function answer(connection: Connection): Promise<Buffer> {
  const late = () =>
    new PgError('08006', 'The client did not show its password in time', { fatal: true })
  const frame = await connection.next(START_WITHIN, late)
  // One that asks its person for the password comes again with it.
  if (!frame)
    throw new PgError('08006', 'The client went before it showed a password', { fatal: true })
  const message = readMessage(frame)
  if (message.type === 'password') return message.body
  throw new PgError('08P01', 'The client did not answer with its password', { fatal: true })
}
