// Serves a page of many histogram series and watches its own event loop and memory: started by stall.mjs.
import http from 'node:http'
import { LIBRARIES } from './libraries.mjs'
import { crossedLabelSets, fillHistogram } from './series.mjs'
import { watch } from './watch.mjs'

const [, , name, count] = process.argv
const big = await LIBRARIES[name].open()
const small = await LIBRARIES[name].open()
fillHistogram(big, crossedLabelSets(Number(count)))
fillHistogram(small, crossedLabelSets(1000))
const listeners = { '/metrics': await big.listener(), '/small': await small.listener() }

const server = http.createServer((request, response) => listeners[request.url](request, response))
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))

let stop
process.on('message', (message) => {
  if (message === 'watch') {
    stop = watch()
    process.send({ watching: true })
  } else {
    process.send(stop())
  }
})
