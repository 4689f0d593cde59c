import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { checkPorts, freePorts, portFrom } from '../src/ports'
import { cleanUp, later } from './support'

afterEach(cleanUp)

async function aBusyPort(host = '127.0.0.1'): Promise<number> {
  const server = createServer().listen(0, host)
  await once(server, 'listening')
  later(() => server.close())
  return (server.address() as { port: number }).port
}

const want = (variable: string, port: number) => ({ variable, port, host: '127.0.0.1', use: 'test' })

test('every busy port is named at once, with the variable that changes it', async () => {
  const [first, second] = [await aBusyPort(), await aBusyPort()]
  const [free] = await freePorts(1)
  const checked = checkPorts([want('HTTP_PORT', first), want('USERS_PORT', free!), want('ORDERS_PORT', second)])
  await expect(checked).rejects.toMatchObject({
    name: 'UserError',
    message: [
      `Port ${first} (test) is used by another program. Choose another with HTTP_PORT, for example HTTP_PORT=${first + 1000}.`,
      `Port ${second} (test) is used by another program. Choose another with ORDERS_PORT, for example ORDERS_PORT=${second + 1000}.`,
    ].join('\n'),
  })
})

test('one that is taken on all addresses is busy too', async () => {
  const port = await aBusyPort('0.0.0.0')
  await expect(checkPorts([want('HTTP_PORT', port)])).rejects.toThrow(`Port ${port}`)
})

test('one port given to two variables is named', async () => {
  const [port] = await freePorts(1)
  const checked = checkPorts([want('HTTP_PORT', port!), want('USERS_PORT', port!)])
  await expect(checked).rejects.toThrow(`Port ${port} (test) is also given to HTTP_PORT.`)
})

test('free ports are free and all different', async () => {
  const ports = await freePorts(20)
  expect(new Set(ports).size).toBe(20)
  expect(Math.max(...ports)).toBeLessThan(32_768) // above, the system gives them to connections, at any moment
  await checkPorts(ports.map((port, i) => want(`PORT_${i}`, port)))
})

test('a port that was drawn is drawn by nobody else until this process ends', async () => {
  const [port] = await freePorts(1)
  const another = createSocket('udp4')
  later(() => another.close())
  const taken = once(another, 'listening')
  another.bind(port, '127.0.0.1')
  await expect(taken).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await checkPorts([want('HTTP_PORT', port!)]) // by a server it can be had
})

test('a port is a number from 1 to 65535, or its preset', () => {
  expect(portFrom({}, 'HTTP_PORT', 8080)).toBe(8080)
  expect(portFrom({ HTTP_PORT: '' }, 'HTTP_PORT', 8080)).toBe(8080)
  expect(portFrom({ HTTP_PORT: '9000' }, 'HTTP_PORT', 8080)).toBe(9000)
  for (const HTTP_PORT of ['0', '65536', '80x', '-1', '8080.5']) {
    expect(() => portFrom({ HTTP_PORT }, 'HTTP_PORT', 8080)).toThrow(`HTTP_PORT is no port number: ${HTTP_PORT}`)
  }
})
