import { MoraineError } from '../../errors.js'

/** Why rows are not forgotten, said before anything was touched. */
export const refusal = (message: string, hint: string): MoraineError =>
  new MoraineError('usage', message, { hint: `${hint} Nothing was changed.` })
