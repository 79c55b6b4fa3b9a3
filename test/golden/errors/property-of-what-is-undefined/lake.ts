import { bronze, defineLake } from 'moraine'
import { files } from 'moraine/sources'

const settings: any = {}
const raw = bronze('orders', { from: files(settings.paths.orders) })

export default defineLake({ name: 'shop', datasets: [raw] })
