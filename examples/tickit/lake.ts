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

// Datasets that these read (silver, and the raw files in bronze) are part of the lake automatically.
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
