import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { openHistory } from '../../src/chaos/history'
import { openMarket } from '../../src/chaos/market'
import { PROBED, startProbes } from '../../src/chaos/probes'
import { openClient } from '../../src/client'

/** Answers whatever it is asked, unless it is told to be silent. */
async function aShop() {
  const kept: ServerResponse[] = []
  let silent = false
  const answer = (response: ServerResponse) =>
    response.setHeader('content-type', 'application/json').end('{"id":"1","access_token":"t"}')
  const server = createServer((request, response) => {
    request.resume().on('end', () => (silent ? kept.push(response) : answer(response)))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    silence: () => (silent = true),
    asked: () => kept.length,
    speak: () => {
      silent = false
      for (const response of kept.splice(0)) answer(response)
    },
    close: () => server.close(),
  }
}

test('a shop that does not answer is asked again all the same, but not at the pace of one that does', async () => {
  const shop = await aShop()
  const client = openClient({ url: shop.url, connections: 100 })
  const recorder = openHistory(() => performance.now())
  const market = openMarket(client, recorder)
  const [buyer, seller] = [await market.register('bea', 'BUYER'), await market.register('sam', 'SELLER')]
  if (!buyer || !seller) throw new Error('not registered')
  const probes = startProbes(market, recorder, { buyer, product: { id: '1', seller } })
  await probes.recovered(recorder.now(), 500, 10_000)
  const goods = recorder.history.calls.filter(({ probe }) => probe)
  expect(new Set(goods.map(({ action }) => action))).toEqual(new Set(PROBED))

  shop.silence()
  const since = recorder.now()
  await sleep(2_500)
  const seconds = (recorder.now() - since) / 1_000
  expect(shop.asked()).toBeGreaterThan(PROBED.length) // those before are not waited for
  expect(shop.asked()).toBeLessThanOrEqual(PROBED.length * (1 + seconds))
  shop.speak()
  const spoke = recorder.now()
  await probes.recovered(spoke, 500, 10_000)
  expect(recorder.now() - spoke).toBeLessThan(5_000)
  await probes.stop()
  client.close()
  shop.close()
})
