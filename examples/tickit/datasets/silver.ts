import { month, rule, silver, sql, t, z } from 'moraine'
import {
  rawCategories,
  rawDates,
  rawEvents,
  rawListings,
  rawSales,
  rawUsers,
  rawVenues,
} from './bronze.js'
import { shop } from './companies.js'
import { states } from './regions.js'

const state = z.enum(Object.keys(states) as [string, ...string[]])
const likes = t.boolean().nullable()

export const users = silver('users', {
  description: 'Everybody who buys or sells tickets.',
  owner: 'crm@tickit.example',
  from: rawUsers,
  schema: z.object({
    userid: t.int(),
    username: z.string().length(8),
    firstname: z.string().trim().min(1),
    lastname: z.string().trim().min(1),
    city: z.string(),
    state,
    email: z.email().describe('Where tickets are sent to.'),
    phone: z.string().regex(/^\(\d{3}\) \d{3}-\d{4}$/),
    likesports: likes,
    liketheatre: likes,
    likeconcerts: likes,
    likejazz: likes,
    likeclassical: likes,
    likeopera: likes,
    likerock: likes,
    likevegas: likes,
    likebroadway: likes,
    likemusicals: likes,
  }),
  key: 'userid',
})

// A list is put into SQL as a list of quoted values.
const inRegion = (region: string) =>
  Object.entries(states).flatMap(([code, name]) => (name === region ? [code] : []))

export const venues = silver('venue', {
  description: 'Where events take place; many have no seats, or nobody has counted them.',
  from: rawVenues,
  select: {
    region: sql`case
      when venuestate in ${inRegion('Northeast')} then 'Northeast'
      when venuestate in ${inRegion('Midwest')} then 'Midwest'
      when venuestate in ${inRegion('South')} then 'South'
      when venuestate in ${inRegion('West')} then 'West'
      when venuestate in ${inRegion('Canada')} then 'Canada' end`,
  },
  schema: z.object({
    venueid: t.int(),
    venuename: z.string().trim().min(1),
    venuecity: z.string(),
    venuestate: state,
    venueseats: t.int().min(0).nullable(),
    region: z.string().describe('Region of the country, as the census draws them; or Canada.'),
  }),
  key: 'venueid',
})

export const categories = silver('category', {
  from: rawCategories,
  schema: z.object({
    catid: t.int(),
    catgroup: z.enum(['Sports', 'Shows', 'Concerts']),
    catname: z.string(),
    catdesc: z.string(),
  }),
  key: 'catid',
})

export const dates = silver('date', {
  description: 'The calendar of 2008.',
  from: rawDates,
  schema: z.object({
    dateid: t.int(),
    caldate: t.date(),
    day: z.enum(['SU', 'MO', 'TU', 'WE', 'TH', 'FR', 'SA']),
    week: t.int().min(1).max(53),
    month: z.enum([
      'JAN',
      'FEB',
      'MAR',
      'APR',
      'MAY',
      'JUN',
      'JUL',
      'AUG',
      'SEP',
      'OCT',
      'NOV',
      'DEC',
    ]),
    qtr: z.string().regex(/^[1-4]$/),
    year: t.int(),
    holiday: t.boolean(),
  }),
  key: 'dateid',
})

export const events = silver('event', {
  description: 'What tickets are sold for. Some name a venue that is not known.',
  from: rawEvents,
  schema: z.object({
    eventid: t.int(),
    venueid: t.int(),
    catid: t.int().min(1).max(11),
    dateid: t.int(),
    eventname: z.string().trim().min(1),
    starttime: t.timestamp(),
  }),
  key: 'eventid',
})

export const listings = silver('listing', {
  description: 'Tickets that somebody offers.',
  from: rawListings,
  schema: z.object({
    listid: t.int(),
    sellerid: t.int(),
    eventid: t.int(),
    dateid: t.int(),
    numtickets: t.int().min(1),
    priceperticket: t.decimal(8, 2).gt(0),
    totalprice: t.decimal(8, 2),
    listtime: t.timestamp(),
  }),
  key: 'listid',
  rules: [rule('the total is tickets times price', sql`totalprice = numtickets * priceperticket`)],
})

export const sales = silver('sales', {
  description: 'Tickets that were sold.',
  owner: 'finance@tickit.example',
  tags: ['facts'],
  from: rawSales,
  schema: z.object({
    salesid: t.int(),
    listid: t.int(),
    sellerid: t.int(),
    buyerid: t.int(),
    eventid: t.int(),
    dateid: t.int(),
    qtysold: t.int().min(1),
    pricepaid: t.decimal(8, 2).min(0).describe('For all tickets of the sale, in dollars.'),
    commission: t.decimal(8, 2).min(0).describe('15 % of the price.'),
    saletime: shop ? t.timestamp() : t.timestamp({ format: '%m/%d/%Y %H:%M:%S' }),
  }),
  key: 'salesid',
  rules: [rule('nobody buys from himself', sql`sellerid <> buyerid`)],
  partitionBy: [month('saletime')],
})
