import type { Principal } from './http/tokens.js'

/** Who asks for something. */
export interface Caller {
  principal: Principal
}
