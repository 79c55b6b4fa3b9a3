import { either, flag, oneOf, text, textOrTexts, texts } from '../options/expected.js'
import type { Expected, OptionList } from '../options/options.js'
import {
  type BooleanOptions,
  type DateOptions,
  listOf,
  type MomentOptions,
  type NullOptions,
  type NumberOptions,
  type TimestampOptions,
  type WholeNumberOptions,
} from './reading.js'

/* The options of each type of `t`, with what their values may be. */

const currency: Expected = {
  is: "a symbol or code without digits, spaces and number marks, such as '€', or a list of them",
  fits: (value) =>
    textOrTexts.fits(value) &&
    listOf(value as string).every((sign) => /^[^\d\s.,'_+-]+$/.test(sign)),
}

const formats: Expected = {
  ...textOrTexts,
  is: "a format such as '%d.%m.%Y', or a list of them",
}

const year: Expected = {
  is: 'a year from 1 to 9999',
  fits: (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 9999,
}

const zone: Expected = {
  is: "a time zone name, such as 'Europe/Berlin' or 'UTC'",
  fits: (value) => text.fits(value) && isZone(value as string),
}

function isZone(name: string): boolean {
  try {
    return /^[A-Z]/.test(name) && new Intl.DateTimeFormat('en', { timeZone: name }) !== undefined
  } catch {
    return false
  }
}

const zones: Expected = {
  is: "an object that maps names in the text to offsets, such as { CET: '+01:00' }",
  fits: (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(value).every(
      ([name, offset]) =>
        /^[A-Za-z]+$/.test(name) && /^[+-](0\d|1[0-5]):[0-5]\d$/.test(String(offset)),
    ),
}

const mark = oneOf('.', ',')
const group = either("one of ',' '.' '_' ' ' and an apostrophe", oneOf(',', '.', "'", '_', ' '))

export const nullOptions: OptionList<NullOptions> = { nulls: texts }
export const numberOptions: OptionList<NumberOptions> = {
  ...nullOptions,
  decimal: mark,
  group,
  currency,
}
export const wholeNumberOptions: OptionList<WholeNumberOptions> = {
  ...numberOptions,
  zeroFraction: flag,
}
export const booleanOptions: OptionList<BooleanOptions> = {
  ...nullOptions,
  true: texts,
  false: texts,
}
const timeOptions = { ...nullOptions, format: formats, year, zeroDates: oneOf('null') }
export const dateOptions: OptionList<DateOptions> = { ...timeOptions, midnight: flag }
export const timestampOptions: OptionList<TimestampOptions> = {
  ...timeOptions,
  epoch: oneOf('s', 'ms', 'us', 'ns'),
}
export const momentOptions: OptionList<MomentOptions> = {
  ...timestampOptions,
  zone,
  zones,
  ambiguous: oneOf('earlier', 'later'),
}
