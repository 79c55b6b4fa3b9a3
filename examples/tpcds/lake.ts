import { defineLake } from 'moraine'
import * as dimensions from './datasets/dimensions.js'
import * as facts from './datasets/facts.js'
import * as gold from './datasets/gold.js'

export default defineLake({
  name: 'tpcds',
  datasets: [...Object.values(dimensions), ...Object.values(facts), ...Object.values(gold)],
})
