import { arrayOf, engineType, shown, type TrinoType, UNKNOWN } from '../types.js'
import { lambdaAt } from './lambdas.js'
import { call, type Functions, firstType, type Signature, type Site } from './signature.js'

/** What an entry of a map is called while it is looked at. */
const KEY = '"m e"."key"'
const VALUE = '"m e"."value"'

const partsOf = ({ args }: Site) => args[0]?.type?.of ?? []

const entry = (key: string, value: string) => `{'key': ${key}, 'value': ${value}}`

/** A map of what its entries become. */
const rebuilt = (map: string, key: string, value: string) =>
  `map_from_entries(list_transform(map_entries(${map}), lambda "m e": ${entry(key, value)}))`

const bodyFor = (site: Site) => lambdaAt(site, 1, partsOf(site), [KEY, VALUE])

const mapOf = (key: TrinoType | undefined, value: TrinoType | undefined) =>
  key && value ? { name: 'map', of: [key, value] } : undefined

const rowOf = (of: readonly (TrinoType | undefined)[]): TrinoType | undefined =>
  of.every((one) => one !== undefined)
    ? { name: 'row', of: of as TrinoType[], fields: of.map(() => undefined) }
    : undefined

const zipped: Signature = {
  takes: ['array', 'array'],
  more: true,
  returns: (args) => {
    const row = rowOf(args.map(({ type }) => type?.of?.[0]))
    return row && arrayOf(row)
  },
  write: (args) => {
    const fields = args.map((_, i) => `'field${i}': struct_extract_at("m z", ${i + 1})`)
    const none = args.map((one) => `${one} IS NULL`).join(' OR ')
    return `CASE WHEN ${none} THEN NULL ELSE list_transform(list_zip(${args.join(', ')}), lambda "m z": {${fields.join(', ')}}) END`
  },
}

export const maps: Functions = {
  map: [
    { takes: [], returns: mapOf(UNKNOWN, UNKNOWN) as TrinoType, write: () => 'MAP {}' },
    {
      takes: ['array', 'array'],
      returns: ([k, v]) => mapOf(k?.type?.of?.[0], v?.type?.of?.[0]),
      write: call('map'),
    },
  ],
  map_keys: [
    {
      takes: ['map'],
      returns: ([m]) => m?.type?.of && arrayOf(m.type.of[0] as TrinoType),
      write: call('map_keys'),
    },
  ],
  map_values: [
    {
      takes: ['map'],
      returns: ([m]) => m?.type?.of && arrayOf(m.type.of[1] as TrinoType),
      write: call('map_values'),
    },
  ],
  map_entries: [
    {
      takes: ['map'],
      returns: (_, site) => {
        const row = rowOf(partsOf(site))
        return row && arrayOf(row)
      },
      write: ([m]) =>
        `list_transform(map_entries(${m}), lambda "m e": {'field0': ${KEY}, 'field1': ${VALUE}})`,
    },
  ],
  map_from_entries: [
    {
      takes: ['array'],
      returns: ([a]) => {
        const [key, value, more] = a?.type?.of?.[0]?.of ?? []
        return more ? undefined : mapOf(key, value)
      },
      write: ([a], { args, refused }) => {
        const row = args[0]?.type?.of?.[0]
        if (row?.name !== 'row' || row.of?.length !== 2)
          throw refused('map_from_entries takes an array of rows of two: array(row(K, V))')
        const [key, value] = [1, 2].map((i) => `struct_extract_at("m e", ${i})`)
        return `map_from_entries(list_transform(${a}, lambda "m e": ${entry(key as string, value as string)}))`
      },
    },
  ],
  map_concat: [
    {
      takes: ['map', 'map'],
      more: true,
      returns: firstType,
      write: (args, { args: given, refused }) => {
        const types = new Set(given.map(({ type }) => type && shown(type)))
        if (types.size > 1) throw refused('map_concat takes maps of one type')
        const none = args.map((one) => `${one} IS NULL`).join(' OR ')
        return `CASE WHEN ${none} THEN NULL ELSE map_concat(${args.join(', ')}) END`
      },
    },
  ],
  map_filter: [
    {
      takes: ['map', 'lambda'],
      returns: firstType,
      write: ([m], site) =>
        `map_from_entries(list_filter(map_entries(${m}), lambda "m e": ${bodyFor(site).sql}))`,
    },
  ],
  transform_values: [
    {
      takes: ['map', 'lambda'],
      returns: (_, site) => mapOf(partsOf(site)[0], bodyFor(site).type),
      write: ([m = ''], site) => rebuilt(m, KEY, bodyFor(site).sql),
    },
  ],
  transform_keys: [
    {
      takes: ['map', 'lambda'],
      returns: (_, site) => mapOf(bodyFor(site).type, partsOf(site)[1]),
      write: ([m = ''], site) => rebuilt(m, bodyFor(site).sql, VALUE),
    },
  ],
  zip: [zipped],
  zip_with: [
    {
      takes: ['array', 'array', 'lambda'],
      returns: (_, site) => {
        const { type } = bodyOfZip(site)
        return type && arrayOf(type)
      },
      write: ([a, b], site) =>
        `CASE WHEN ${a} IS NULL OR ${b} IS NULL THEN NULL ELSE list_transform(list_zip(${a}, ${b}), lambda "m z": ${bodyOfZip(site).sql}) END`,
    },
  ],
  reduce: [
    {
      takes: ['array', 'any', 'lambda', 'lambda'],
      returns: (args, site) => lambdaAt(site, 3, [args[1]?.type], ['NULL']).type,
      write: ([a, initial], site) => {
        const { args, refused } = site
        const [list, state] = args
        const of = state?.type
        const engine = of && engineType(of)
        const step = lambdaAt(site, 2, [of, list?.type?.of?.[0]])
        if (!engine || (step.type && shown(step.type) !== shown(of)))
          throw refused(
            'The first lambda of reduce must give what the state is',
            'Cast the state: CAST(0 AS bigint)',
          )
        const end = lambdaAt(site, 3, [of], ['"m r"'])
        return `list_transform([list_reduce(${a}, ${step.sql}, CAST(${initial} AS ${engine}))], lambda "m r": ${end.sql})[1]`
      },
    },
  ],
}

const bodyOfZip = (site: Site) =>
  lambdaAt(
    site,
    2,
    site.args.slice(0, 2).map(({ type }) => type?.of?.[0]),
    ['struct_extract_at("m z", 1)', 'struct_extract_at("m z", 2)'],
  )
