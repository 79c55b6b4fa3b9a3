import type { Random } from './random.js'
import { americanTime, calendarRow, DAYS, dateIdOf, isoTime, YEAR_START } from './time.js'
import {
  categories,
  cities,
  domains,
  firstNames,
  lastNames,
  states,
  titlesOf,
  venueKinds,
  venuePlaces,
  venueWords,
} from './words.js'

/** Rows of the originals: 49,990 users, 202 venues, 11 categories, 365 dates, 8,798 events … */
export const sizes = { users: 49_990, venue: 202, event: 8_798, listing: 192_497, sales: 172_456 }
/** Venue ids have gaps: the highest is this. */
const LAST_VENUE_ID = 309
const DAY = 86_400

export type Rows = string[][]

export interface Tickit {
  users: Rows
  venue: Rows
  category: Rows
  date: Rows
  event: Rows
  listing: Rows
  sales: Rows
}

type Sizes = typeof sizes

/**
 * All seven tables, without a single bad row; keys and references fit, but for a few venues. A
 * scale of 10 gives ten times the users, events, listings and sales.
 */
export function makeTables(random: Random, scale = 1): Tickit {
  const grown: Sizes = {
    ...sizes,
    users: sizes.users * scale,
    event: sizes.event * scale,
    listing: sizes.listing * scale,
    sales: sizes.sales * scale,
  }
  const venue = makeVenues(random)
  const event = makeEvents(random, grown, new Set(venue.map((row) => row[0] as string)))
  const listing = makeListings(random, grown, event)
  return {
    users: makeUsers(random, grown),
    venue,
    category: categories.map((row) => row.map(String)),
    date: Array.from({ length: DAYS }, (_, i) => calendarRow(i)),
    event,
    listing: listing.map(({ row }) => row),
    sales: makeSales(random, grown, listing),
  }
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'

function makeUsers(random: Random, { users }: Sizes): Rows {
  return Array.from({ length: users }, (_, i) => {
    const [first, last] = [random.pick(firstNames), random.pick(lastNames)]
    const name = Array.from({ length: 3 }, () => random.pick([...letters])).join('')
    const username = `${name}${random.int(10, 99)}${Array.from({ length: 3 }, () => random.pick([...letters])).join('')}`
    const phone = `(${random.int(200, 999)}) ${random.int(200, 999)}-${random.int(1000, 9999)}`
    const email = `${last}.${first}${random.int(1, 999)}@${random.pick(domains)}`
    const likes = Array.from({ length: 10 }, () => random.pick(['TRUE', 'FALSE', '']))
    return [
      String(i + 1),
      username,
      first,
      last,
      random.pick(cities),
      random.pick(states),
      email,
      phone,
      ...likes,
    ]
  })
}

function makeVenues(random: Random): Rows {
  const ids = Array.from({ length: LAST_VENUE_ID }, (_, i) => i + 1)
  while (ids.length > sizes.venue) ids.splice(random.int(0, ids.length - 1), 1)
  return ids.map((id) => {
    const [city, state] = random.pick(venuePlaces)
    const name = `${random.pick(venueWords)} ${random.pick(venueKinds)}`
    // Many venues of the sample have no seats, or nobody knows how many.
    const seats = random.chance(0.55)
      ? random.pick(['0', '\\N'])
      : String(random.int(150, 920) * 100)
    return [String(id), name, city, state, seats]
  })
}

function makeEvents(random: Random, sizes: Sizes, venues: ReadonlySet<string>): Rows {
  const known = [...venues]
  const missing = Array.from({ length: LAST_VENUE_ID }, (_, i) => String(i + 1)).filter(
    (id) => !venues.has(id),
  )
  // All events of the sample are shows and concerts.
  const staged = categories.filter(([id]) => id >= 6 && id !== 10 && id !== 11)
  return Array.from({ length: sizes.event }, (_, i) => {
    const [catid, , catname] = random.chance(0.98) ? random.pick(staged) : random.pick(categories)
    const venue = random.chance(0.01) ? random.pick(missing) : random.pick(known)
    const start =
      YEAR_START + random.int(0, DAYS - 1) * DAY + random.pick([14, 14.5, 15, 19, 19.5, 20]) * 3600
    return [
      String(i + 1),
      venue,
      String(catid),
      String(dateIdOf(start)),
      random.pick(titlesOf(catname)),
      isoTime(start),
    ]
  })
}

interface Listing {
  row: string[]
  seller: number
  event: string
  tickets: number
  price: number
  time: number
}

function makeListings(random: Random, sizes: Sizes, events: Rows): Listing[] {
  return Array.from({ length: sizes.listing }, (_, i) => {
    const event = random.pick(events)
    const start = Date.parse(`${event[5]?.replace(' ', 'T')}Z`) / 1000
    const time = Math.max(YEAR_START + random.int(0, 20 * DAY), start - random.int(DAY, 60 * DAY))
    const seller = random.int(1, sizes.users)
    const tickets = random.skewed(1, 30)
    const price = random.skewed(20, 1000)
    const row = [
      String(i + 1),
      String(seller),
      event[0] as string,
      String(dateIdOf(time)),
      String(tickets),
      String(price),
      String(tickets * price),
      isoTime(time),
    ]
    return { row, seller, event: event[0] as string, tickets, price, time }
  })
}

/** Sales are of some listings, in the order of listings; commission is 15 % of the price. */
function makeSales(random: Random, sizes: Sizes, listings: readonly Listing[]): Rows {
  return Array.from({ length: sizes.sales }, (_, i) => {
    const listing = listings[Math.floor((i * listings.length) / sizes.sales)] as Listing
    const buyer = 1 + ((listing.seller + random.int(0, sizes.users - 2)) % sizes.users)
    const quantity = Math.min(listing.tickets, random.skewed(1, 8))
    const paid = quantity * listing.price
    const last = YEAR_START + DAYS * DAY - 1
    const time = Math.min(last, listing.time + random.int(600, 12 * DAY))
    return [
      String(i + 1),
      listing.row[0] as string,
      String(listing.seller),
      String(buyer),
      listing.event,
      String(dateIdOf(time)),
      String(quantity),
      String(paid),
      String((paid * 15) / 100),
      americanTime(time),
    ]
  })
}
