import { bronze, defineLake } from 'moraine'
import { http, secret } from 'moraine/sources'

const token = secret('env:SHOP_TOKEN')
const orders = bronze('orders', {
  from: http('http://api.example.com/orders', { auth: { bearer: token } }),
})
const items = bronze('items', {
  from: http('https://api.example.com/items', {
    auth: { tokenUrl: 'http://login.example.com/token', clientId: 'lake', clientSecret: token },
  }),
})
const prices = bronze('prices', { from: http('http://api.example.com/prices', { params: { token } }) })
// Nothing that is secret, a machine's own address, and a network that is trusted.
const open = bronze('open', { from: http('http://api.example.com/open', { params: { page: '1' } }) })
const here = bronze('here', { from: http('http://[::1]:8080/here', { auth: { bearer: token } }) })
const inside = bronze('inside', {
  from: http('http://inside.example.com', { headers: { token }, allowUnencrypted: true }),
})

export default defineLake({ name: 'shop', datasets: [orders, items, prices, open, here, inside] })
