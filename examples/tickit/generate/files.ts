import { brokenLines, type Dirt, type Spoiler, setField, withDirt } from './dirt.js'
import { Random } from './random.js'
import { makeTables, type Tickit } from './tables.js'

interface FileSpec {
  table: keyof Tickit
  name: string
  delimiter: string
  spoilers: Spoiler[]
}

const pipe = '|'
const tab = '\t'

/** The seven files under the sample's own names, and how each is spoilt. */
const specs: FileSpec[] = [
  {
    table: 'users',
    name: 'allusers_pipe.txt',
    delimiter: pipe,
    spoilers: [
      ...brokenLines(pipe),
      setField('email without @', 6, 'nobody.example.com'),
      setField('state that does not exist', 5, 'ZZ'),
      setField('likes is no boolean', 8, 'MAYBE'),
    ],
  },
  {
    table: 'venue',
    name: 'venue_pipe.txt',
    delimiter: pipe,
    spoilers: [setField('seats below zero', 4, '-5'), setField('no name', 1, '')],
  },
  { table: 'category', name: 'category_pipe.txt', delimiter: pipe, spoilers: [] },
  {
    table: 'date',
    name: 'date2008_pipe.txt',
    delimiter: pipe,
    spoilers: [
      setField('day that does not exist', 1, '2008-02-30'),
      setField('unknown weekday', 2, 'XX'),
    ],
  },
  {
    table: 'event',
    name: 'allevents_pipe.txt',
    delimiter: pipe,
    spoilers: [
      ...brokenLines(pipe),
      setField('time that does not exist', 5, '2008-13-01 25:00:00'),
    ],
  },
  {
    table: 'listing',
    name: 'listings_pipe.txt',
    delimiter: pipe,
    spoilers: [
      ...brokenLines(pipe),
      setField('no tickets', 4, '0'),
      setField('price is no number', 5, 'free'),
      setField('price with three decimals', 5, '12.345'),
      {
        kind: 'total is not tickets × price',
        spoil: (row) => row.with(6, String(Number(row[6]) + 1)),
      },
    ],
  },
  {
    table: 'sales',
    name: 'sales_tab.txt',
    delimiter: tab,
    spoilers: [
      ...brokenLines(tab),
      setField('quantity is a fraction', 6, '1.5'),
      setField('price below zero', 7, '-100'),
      setField('time in another form', 9, '2008-02-18T02:36:48'),
      setField('time that does not exist', 9, '2/30/2008 02:36:48'),
      { kind: 'seller buys from himself', spoil: (row) => row.with(3, row[2] as string) },
    ],
  },
]

/** A file to write: its text, and what is wrong in it. */
export interface GeneratedFile {
  name: string
  table: string
  text: string
  dirt: Dirt
}

/** Makes all files; the same seed and scale give the same bytes on every machine. */
export function makeFiles(seed = 2008, scale = 1): GeneratedFile[] {
  const random = new Random(seed)
  const tables = makeTables(random, scale)
  return specs.map(({ table, name, delimiter, spoilers }) => {
    const { lines, dirt } = withDirt(tables[table], delimiter, spoilers, random)
    return { name, table, text: `${lines.join('\n')}\n`, dirt }
  })
}
