import { join } from 'node:path'
import { bronze } from 'moraine'
import { files } from 'moraine/sources'
import { company, crm, saas, shop } from './companies.js'

/** The folder (or `s3://…`) with the seven files: generated ones, or the originals from AWS. */
const folder = process.env.TICKIT_DATA ?? join(import.meta.dirname, '..', 'data')

const pipe = <const C extends string>(file: string, columns: readonly C[]) =>
  files(`${folder}/${file}`, { delimiter: '|', quote: null, nulls: ['', '\\N'], columns })

export const rawUsers = bronze('users', {
  description: 'Everybody who buys or sells tickets.',
  ...company(
    crm,
    'crm.users',
    { key: 'userid' },
    pipe('allusers_pipe.txt', [
      'userid',
      'username',
      'firstname',
      'lastname',
      'city',
      'state',
      'email',
      'phone',
      'likesports',
      'liketheatre',
      'likeconcerts',
      'likejazz',
      'likeclassical',
      'likeopera',
      'likerock',
      'likevegas',
      'likebroadway',
      'likemusicals',
    ]),
  ),
})

export const rawVenues = bronze('venue', {
  ...company(
    saas,
    'saas.venue',
    { key: 'venueid' },
    pipe('venue_pipe.txt', ['venueid', 'venuename', 'venuecity', 'venuestate', 'venueseats']),
  ),
})

export const rawCategories = bronze('category', {
  ...company(
    saas,
    'saas.category',
    { key: 'catid' },
    pipe('category_pipe.txt', ['catid', 'catgroup', 'catname', 'catdesc']),
  ),
})

export const rawDates = bronze('date', {
  ...company(
    shop,
    'tickit.date',
    { key: 'dateid' },
    pipe('date2008_pipe.txt', [
      'dateid',
      'caldate',
      'day',
      'week',
      'month',
      'qtr',
      'year',
      'holiday',
    ]),
  ),
})

export const rawEvents = bronze('event', {
  ...company(
    saas,
    'saas.event',
    { key: 'eventid' },
    pipe('allevents_pipe.txt', ['eventid', 'venueid', 'catid', 'dateid', 'eventname', 'starttime']),
  ),
})

export const rawListings = bronze('listing', {
  ...company(
    shop,
    'tickit.listing',
    { key: 'listid', cursor: 'listid' },
    pipe('listings_pipe.txt', [
      'listid',
      'sellerid',
      'eventid',
      'dateid',
      'numtickets',
      'priceperticket',
      'totalprice',
      'listtime',
    ]),
  ),
})

export const rawSales = bronze('sales', {
  description: 'Sales of tickets; tab-delimited, with American dates.',
  ...company(
    shop,
    'tickit.sales',
    { key: 'salesid', cursor: 'salesid' },
    files(`${folder}/sales_tab.txt`, {
      delimiter: '\t',
      quote: null,
      columns: [
        'salesid',
        'listid',
        'sellerid',
        'buyerid',
        'eventid',
        'dateid',
        'qtysold',
        'pricepaid',
        'commission',
        'saletime',
      ],
    }),
  ),
})
