/** The types that the companies' columns have. */
export type Type = 'int' | 'text' | 'money' | 'date' | 'time' | 'flag'

export interface SourceTable {
  name: string
  file: string
  delimiter: string
  /** Times are written as Americans do: `2/18/2008 02:36:48`. */
  american?: boolean
  columns: readonly (readonly [name: string, type: Type, required?: 'required'])[]
}

const likes = 'sports theatre concerts jazz classical opera rock vegas broadway musicals'
  .split(' ')
  .map((what) => [`like${what}`, 'flag'] as const)

const table = (
  name: string,
  file: string,
  columns: SourceTable['columns'],
  delimiter = '|',
): SourceTable => ({ name, file, delimiter, columns, american: delimiter === '\t' })

/** The tables of the service that knows venues and events. */
export const saas = [
  table('saas.venue', 'venue_pipe.txt', [
    ['venueid', 'int', 'required'],
    ['venuename', 'text'],
    ['venuecity', 'text'],
    ['venuestate', 'text'],
    ['venueseats', 'int'],
  ]),
  table('saas.category', 'category_pipe.txt', [
    ['catid', 'int', 'required'],
    ['catgroup', 'text'],
    ['catname', 'text'],
    ['catdesc', 'text'],
  ]),
  table('saas.event', 'allevents_pipe.txt', [
    ['eventid', 'int', 'required'],
    ['venueid', 'int'],
    ['catid', 'int'],
    ['dateid', 'int'],
    ['eventname', 'text'],
    ['starttime', 'time'],
  ]),
]

/** The shop's tables. */
export const shop = [
  table('tickit.date', 'date2008_pipe.txt', [
    ['dateid', 'int', 'required'],
    ['caldate', 'date', 'required'],
    ['day', 'text'],
    ['week', 'int'],
    ['month', 'text'],
    ['qtr', 'text'],
    ['year', 'int'],
    ['holiday', 'flag'],
  ]),
  table('tickit.listing', 'listings_pipe.txt', [
    ['listid', 'int', 'required'],
    ['sellerid', 'int'],
    ['eventid', 'int'],
    ['dateid', 'int'],
    ['numtickets', 'int'],
    ['priceperticket', 'money'],
    ['totalprice', 'money'],
    ['listtime', 'time'],
  ]),
  table(
    'tickit.sales',
    'sales_tab.txt',
    [
      ['salesid', 'int', 'required'],
      ['listid', 'int'],
      ['sellerid', 'int'],
      ['buyerid', 'int'],
      ['eventid', 'int'],
      ['dateid', 'int'],
      ['qtysold', 'int'],
      ['pricepaid', 'money'],
      ['commission', 'money'],
      ['saletime', 'time'],
    ],
    '\t',
  ),
]

/** The table of who looks after customers. */
export const crm = [
  table('crm.users', 'allusers_pipe.txt', [
    ['userid', 'int', 'required'],
    ['username', 'text'],
    ['firstname', 'text'],
    ['lastname', 'text'],
    ['city', 'text'],
    ['state', 'text'],
    ['email', 'text'],
    ['phone', 'text'],
    ...likes,
  ]),
]
