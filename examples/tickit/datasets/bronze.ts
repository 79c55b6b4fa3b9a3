import { join } from 'node:path'
import { bronze } from 'moraine'
import { files } from 'moraine/sources'

/** The folder with the seven files: generated ones, or the originals from AWS. */
const folder = process.env.TICKIT_DATA ?? join(import.meta.dirname, '..', 'data')

const pipe = <const C extends string>(file: string, columns: readonly C[]) =>
  files(join(folder, file), { delimiter: '|', quote: null, nulls: ['', '\\N'], columns })

export const rawUsers = bronze('users', {
  description: 'Everybody who buys or sells tickets.',
  from: pipe('allusers_pipe.txt', [
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
})

export const rawVenues = bronze('venue', {
  from: pipe('venue_pipe.txt', ['venueid', 'venuename', 'venuecity', 'venuestate', 'venueseats']),
})

export const rawCategories = bronze('category', {
  from: pipe('category_pipe.txt', ['catid', 'catgroup', 'catname', 'catdesc']),
})

export const rawDates = bronze('date', {
  from: pipe('date2008_pipe.txt', [
    'dateid',
    'caldate',
    'day',
    'week',
    'month',
    'qtr',
    'year',
    'holiday',
  ]),
})

export const rawEvents = bronze('event', {
  from: pipe('allevents_pipe.txt', [
    'eventid',
    'venueid',
    'catid',
    'dateid',
    'eventname',
    'starttime',
  ]),
})

export const rawListings = bronze('listing', {
  from: pipe('listings_pipe.txt', [
    'listid',
    'sellerid',
    'eventid',
    'dateid',
    'numtickets',
    'priceperticket',
    'totalprice',
    'listtime',
  ]),
})

export const rawSales = bronze('sales', {
  description: 'Sales of tickets; tab-delimited, with American dates.',
  from: files(join(folder, 'sales_tab.txt'), {
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
})
