import { defineLake } from 'moraine'
import { consolidatedSales } from './datasets/consolidated.js'
import {
  commissionByRegion,
  salesByCategory,
  salesByDate,
  salesByMonth,
  salesByRegion,
  topSellers,
} from './datasets/gold.js'

// The datasets that these read (silver, and raw files in bronze) are part of the lake, too.
export default defineLake({
  name: 'tickit',
  datasets: [
    consolidatedSales,
    topSellers,
    salesByRegion,
    commissionByRegion,
    salesByCategory,
    salesByDate,
    salesByMonth,
  ],
})
