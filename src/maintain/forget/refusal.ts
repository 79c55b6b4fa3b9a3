import { MoraineError } from '../../errors.js'

/** Why rows are not forgotten, said before anything was touched. */
export const refusal = (message: string, hint: string): MoraineError =>
  new MoraineError('usage', message, { hint: `${sentence(hint)} Nothing was changed.` })

/** A hint that another one can follow. */
export const sentence = (hint: string): string => (/[.!?]$/.test(hint) ? hint : `${hint}.`)
