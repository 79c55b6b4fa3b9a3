import type { Connection, TlsOptions } from '../source.js'
import { flag, number, secretText, text } from './expected.js'
import { having, type OptionList } from './options.js'

/** Where a database is, and who connects to it: for sources and warehouses. */
export const connectionOptions: OptionList<Omit<Connection, 'concurrency'>> = {
  url: secretText,
  host: text,
  port: number,
  user: text,
  password: secretText,
  database: text,
  tls: having<TlsOptions>({ ca: text, verify: flag }, 'true, false or an object', flag),
}
