import { once } from 'node:events'
import net from 'node:net'
import { openWire, type Wire } from '../../src/chaos/wire'

/** Answers each line with `heard <line>`, and tells what it was told. */
let server: net.Server
let heard: string[]
let wire: Wire

beforeEach(async () => {
  heard = []
  server = net.createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (data) => {
      heard.push(data.toString())
      socket.write(`heard ${data.toString()}`)
    })
    socket.on('end', () => heard.push('the end'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  wire = await openWire(`postgres://somebody:x@127.0.0.1:${(server.address() as net.AddressInfo).port}/shop`)
})
afterEach(async () => {
  await wire.close()
  server.close()
  await once(server, 'close')
})

function connecting(port = Number(new URL(wire.url).port)) {
  const client = net.connect(port, '127.0.0.1')
  client.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()))
  return { client, closed }
}
async function connected(port?: number) {
  const { client, closed } = connecting(port)
  await once(client, 'connect')
  return {
    closed,
    say: (text: string) => client.write(text),
    leave: () => client.destroy(),
    answer: async () => String((await once(client, 'data'))[0]),
  }
}
const until = async (condition: () => boolean) => {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}

test('keeps user, password and database of the URL', () => {
  expect(wire.url).toMatch(/^postgres:\/\/somebody:x@127\.0\.0\.1:\d+\/shop$/)
})

test('a dead network keeps what is said, and the end of the one who said it, and lets both arrive in order', async () => {
  const client = await connected()
  client.say('before')
  expect(await client.answer()).toBe('heard before')
  wire.blackHole()
  client.say('commit')
  client.leave()
  await client.closed
  // Whoever goes another way is heard meanwhile.
  const direct = await connected((server.address() as net.AddressInfo).port)
  direct.say('direct')
  await direct.answer()
  direct.leave()
  await until(() => heard.includes('the end'))
  const later = await connected()
  later.say('later')
  expect(heard.filter((each) => each !== 'the end')).toEqual(['before', 'direct'])
  heard.length = 0
  wire.restore()
  expect(await later.answer()).toBe('heard later')
  await until(() => heard.includes('the end'))
  expect(heard.filter((each) => each !== 'later')).toEqual(['commit', 'the end'])
})

test('a delay holds back each word in both directions, and changes no order', async () => {
  const client = await connected()
  wire.delay(60)
  const begun = performance.now()
  client.say('one')
  expect(await client.answer()).toBe('heard one')
  expect(performance.now() - begun).toBeGreaterThan(110)
  client.say('two')
  wire.restore()
  client.say('three')
  await until(() => heard.join('').includes('three'))
  expect(heard.join(' ')).toMatch(/^one two ?three$/)
})

test('a reset breaks what is there; refusing breaks what comes', async () => {
  const client = await connected()
  client.say('hello')
  await client.answer()
  wire.refuse()
  wire.reset()
  await client.closed
  await connecting().closed
  wire.restore()
  const served = await connected()
  served.say('again')
  expect(await served.answer()).toBe('heard again')
  expect(heard.filter((each) => each !== 'the end')).toEqual(['hello', 'again'])
})

test('a cut before a text keeps it from the server, one after it keeps the answer from the client; each is told', async () => {
  const cuts: string[] = []
  for (const when of ['before', 'after'] as const) {
    const client = await connected()
    const said = wire.listenFor('commit')
    wire.cutAt('commit', when, () => cuts.push(when))
    client.say('commit')
    await client.closed
    expect(said()).toBe(1)
  }
  await until(() => heard.includes('the end'))
  expect(cuts).toEqual(['before', 'after'])
  expect(heard.filter((each) => each !== 'the end')).toEqual(['commit'])
})
