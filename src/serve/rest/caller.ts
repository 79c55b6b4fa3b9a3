import type { Principal } from './tokens.js'

/** Who asks for something. */
export interface Caller {
  principal: Principal
}
