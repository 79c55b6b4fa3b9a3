import { aggregates } from './aggregates.js'
import { arrays } from './arrays.js'
import { choices } from './choices.js'
import { json } from './json.js'
import { maps } from './maps.js'
import { numbers } from './numbers.js'
import type { Functions } from './signature.js'
import { texts } from './texts.js'
import { times } from './times.js'
import { windows } from './windows.js'

export type { Signature } from './signature.js'

/** All functions that are translated; `test/foreign/trino` tries each on a real Trino. */
export const functions: Functions = {
  ...aggregates,
  ...arrays,
  ...choices,
  ...json,
  ...maps,
  ...numbers,
  ...texts,
  ...times,
  ...windows,
}

export const isAggregate = (name: string) => Object.hasOwn(aggregates, name)
export const isWindowOnly = (name: string) => Object.hasOwn(windows, name)
