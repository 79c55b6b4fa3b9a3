import type { Caller } from '../../query/service/request.js'
import type { Principals } from '../principals.js'
import type { AskedKey, KeyHolder } from './signature/verify.js'
import { keyNamedIn, secretFor } from './sts/temporary.js'

/** Who holds an access key: a principal, or one for whom temporary keys were given. */
export const keysOf =
  (principals: Principals) =>
  async ({ id, token }: AskedKey): Promise<KeyHolder<Caller> | undefined> => {
    if (token === undefined) {
      const known = await principals.ofAccessKey(id)
      return known && { who: known.principal, secret: known.secret }
    }
    const known = await principals.ofAccessKey(keyNamedIn(token) ?? '')
    const secret = known && secretFor(token, id, known.secret)
    return known && secret !== undefined ? { who: known.principal, secret } : undefined
  }
