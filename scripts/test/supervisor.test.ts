import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stopwatch } from '../../tests/support/stopwatch'
import { processBegan } from '../src/processes'
import { claimRun } from '../src/run-record'
import { aFolder, aProgram, aSupervisor, cleanUp, isAlive, later, processes, processesWith, until } from './support'

afterEach(cleanUp)

describe('a program that is kept running', () => {
  test('it is started again when it dies, and that is said', async () => {
    const { supervisor, folder, said } = await aSupervisor()
    await supervisor.start([aProgram(folder, 'orders'), aProgram(folder, 'users')])
    const first = supervisor.pids()

    supervisor.kill('orders', 'SIGKILL')

    await until(() => said.includes('orders is back'), 'the restart')
    const second = supervisor.pids()
    expect(second.orders).not.toBe(first.orders)
    expect(second.users).toBe(first.users)
    expect(said).toEqual(['orders died (SIGKILL); starting it again', 'orders is back'])
  })

  test('it is back within two seconds', async () => {
    const { supervisor, folder, said } = await aSupervisor()
    await supervisor.start([aProgram(folder, 'orders')])
    supervisor.kill('orders', 'SIGKILL')
    const elapsed = stopwatch()
    await until(() => said.includes('orders is back'), 'the restart')
    expect(elapsed()).toBeLessThan(2_000)
  })

  test('one that keeps dying is quoted once and tried less and less often', async () => {
    const { supervisor, folder, said } = await aSupervisor()
    const flag = join(folder, 'broken')
    const script = `if (require('fs').existsSync(${JSON.stringify(flag)})) { console.log('no such setting'); process.exit(3) }`
    await supervisor.start([aProgram(folder, 'orders', script)])
    writeFileSync(flag, '')
    supervisor.kill('orders', 'SIGKILL')

    await until(() => said.length === 3, 'the third death')
    expect(said[1]).toBe('orders died (exit code 3); starting it again')
    expect(said[2]).toMatch(/^orders keeps dying \(exit code 3\)\. It says:\n(.*\n)*  no such setting$/)
  })

  test('what it started goes with it, so that nobody holds its port when it comes back', async () => {
    const { supervisor, folder, said } = await aSupervisor()
    const mark = `worker-of-${folder}`
    const worker = `require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)', ${JSON.stringify(mark)}])`
    await supervisor.start([aProgram(folder, 'nginx', worker)])
    await until(() => processesWith(mark).length > 0, 'a worker')
    const before = processesWith(mark).filter((pid) => pid !== supervisor.pids().nginx)

    supervisor.kill('nginx', 'SIGKILL')

    await until(() => said.includes('nginx is back'), 'the restart')
    expect(before.filter(isAlive)).toEqual([])
  })

  test('errors in its log are shown, other lines are not, and a flood is cut short', async () => {
    const { supervisor, folder, said } = await aSupervisor()
    await supervisor.start([aProgram(folder, 'orders')])
    const lines = [
      { level: 'info', msg: 'request' },
      { level: 'error', msg: 'no answer', err: { message: 'connection lost' } },
      ...Array.from({ length: 20 }, () => ({ level: 'fatal', msg: 'again' })),
    ]
    appendFileSync(join(folder, 'logs', 'orders.log'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    await until(() => said.length > 0, 'a line')
    expect(said).toEqual(['orders: no answer: connection lost', 'orders: again', 'orders: again'])
  })
})

describe('starting', () => {
  test('one that ends before it is ready fails the start with its last words', async () => {
    const { supervisor, folder } = await aSupervisor()
    const started = supervisor.start([
      aProgram(folder, 'users', `console.error('DATABASE_URL: is missing'); process.exit(1)`),
    ])
    await expect(started).rejects.toThrow(
      /users ended before it was ready \(exit code 1\).*\n.*DATABASE_URL: is missing/s,
    )
  })

  test('one that is not ready in time fails the start', async () => {
    const { supervisor, folder } = await aSupervisor({ readyTimeoutMs: 100 })
    const started = supervisor.start([aProgram(folder, 'users', '', { ready: () => Promise.resolve(false) })])
    await expect(started).rejects.toThrow('users was not ready within 0.1 s')
  })

  test('a program that does not exist fails the start', async () => {
    const { supervisor, folder } = await aSupervisor()
    const started = supervisor.start([aProgram(folder, 'nginx', '', { command: '/nowhere/nginx' })])
    await expect(started).rejects.toThrow(/nginx ended before it was ready \(spawn \/nowhere\/nginx ENOENT\)/)
  })
})

describe('stopping', () => {
  test('the last started ends first, and no process is left', async () => {
    const { supervisor, folder } = await aSupervisor()
    const order = join(folder, 'order')
    const noting = (name: string) =>
      aProgram(
        folder,
        name,
        `process.on('SIGTERM', () => { require('fs').appendFileSync(${JSON.stringify(order)}, '${name} '); process.exit() })`,
      )
    await supervisor.start([noting('postgres')])
    await supervisor.start([noting('orders')])
    await supervisor.start([noting('nginx')])
    const pids = Object.values(supervisor.pids())

    await supervisor.stop()

    expect(pids).toHaveLength(3)
    expect(pids.filter(isAlive)).toEqual([])
    expect(readFileSync(order, 'utf8')).toBe('nginx orders postgres ')
    expect(existsSync(join(folder, 'run.json'))).toBe(false)
  })

  test('one that ignores SIGTERM is killed after the bound', async () => {
    const { supervisor, folder, said } = await aSupervisor({ stopTimeoutMs: 200 })
    await supervisor.start([aProgram(folder, 'orders', `process.on('SIGTERM', () => {})`)])
    const { orders } = supervisor.pids()
    await supervisor.stop()
    expect(isAlive(orders!)).toBe(false)
    expect(said).toEqual(['orders did not stop within 0.2 s and is killed'])
  })

  test('a frozen one is stopped too', async () => {
    const { supervisor, folder, said } = await aSupervisor()
    await supervisor.start([aProgram(folder, 'orders')])
    const { orders } = supervisor.pids()
    supervisor.kill('orders', 'SIGSTOP')
    await supervisor.stop()
    expect(isAlive(orders!)).toBe(false)
    expect(said).toEqual([])
  })

  test('one that is waiting to be started again is not', async () => {
    const { supervisor, folder, said } = await aSupervisor()
    await supervisor.start([aProgram(folder, 'orders')])
    supervisor.kill('orders', 'SIGKILL')
    await until(() => said.length === 1, 'the death')
    await supervisor.stop()
    expect(supervisor.pids()).toEqual({})
    expect(said).toEqual(['orders died (SIGKILL); starting it again'])
  })
})

describe('a supervisor that is killed', () => {
  /** One in a process of its own, with one child, which needs SIGKILL when `stubborn`. */
  async function aKillable(folder: string, stubborn = false): Promise<{ supervisor: ChildProcess; child: number }> {
    const script = stubborn ? `process.on('SIGTERM', () => {})` : ''
    const args = ['-r', join(__dirname, 'typescript.cjs'), join(__dirname, 'supervised.ts'), folder, script]
    const supervisor = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(supervisor.stdout, 'data')) as [Buffer]
    const { child } = JSON.parse(line.toString()) as { child: number }
    later(() => isAlive(child) && process.kill(child, 'SIGKILL'))
    return { supervisor, child }
  }

  test('its children end by themselves, even one that ignores SIGTERM', async () => {
    const folder = aFolder()
    const { supervisor, child } = await aKillable(folder, true)
    supervisor.kill('SIGKILL')
    await once(supervisor, 'exit')
    await until(() => !isAlive(child), 'the child to end')
  })

  test('when its guard is killed as well, the next start ends what was left', async () => {
    const folder = aFolder()
    const { supervisor, child } = await aKillable(folder)
    const guard = processes().find(({ parent, command }) => parent === supervisor.pid && command.includes('shop-guard'))
    process.kill(guard!.pid, 'SIGKILL')
    supervisor.kill('SIGKILL')
    await once(supervisor, 'exit')
    expect(isAlive(child)).toBe(true)

    const claim = await claimRun(join(folder, 'run.json'), 'http://test', 1_000)
    later(() => claim.release())

    expect(claim.leftOvers).toEqual(['child'])
    expect(isAlive(child)).toBe(false)
  })

  test('a stranger who got a recorded pid meanwhile is left alone', async () => {
    const folder = aFolder()
    const stranger = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1e6)'], { detached: true })
    later(() => stranger.kill('SIGKILL'))
    const dead = { name: 'supervisor', pid: process.pid, began: 'long ago', stopSignal: 'SIGTERM' }
    const children = [{ ...dead, name: 'orders', pid: stranger.pid }]
    writeFileSync(join(folder, 'run.json'), JSON.stringify({ supervisor: dead, url: 'http://test', children }))

    const claim = await claimRun(join(folder, 'run.json'), 'http://test', 1_000)
    later(() => claim.release())

    expect(claim.leftOvers).toEqual([])
    expect(isAlive(stranger.pid!)).toBe(true)
  })
})

describe('two starts of one folder', () => {
  test('the second is refused, with the process and address of the first', async () => {
    const { folder } = await aSupervisor()
    const second = claimRun(join(folder, 'run.json'), 'http://other', 1_000, 50)
    await expect(second).rejects.toThrow(
      `The shop of this folder is running already (process ${process.pid}): http://test`,
    )
  })

  test('when both find a dead run, one of them gets the folder', async () => {
    const folder = aFolder()
    const dead = { name: 'supervisor', pid: process.pid, began: 'long ago', stopSignal: 'SIGTERM' }
    writeFileSync(join(folder, 'run.json'), JSON.stringify({ supervisor: dead, url: '', children: [] }))
    const claims = await Promise.allSettled(
      [1, 2].map(() => claimRun(join(folder, 'run.json'), 'http://test', 1_000, 50)),
    )
    const got = claims.flatMap((claim) => (claim.status === 'fulfilled' ? [claim.value] : []))
    later(() => got.forEach((claim) => claim.release()))
    expect(got).toHaveLength(1)
  })

  test('a record cut short while it was being written is no run', async () => {
    const folder = aFolder()
    writeFileSync(join(folder, 'run.json'), '{"superv')
    const claim = await claimRun(join(folder, 'run.json'), 'http://test', 1_000, 50)
    later(() => claim.release())
    expect(claim.leftOvers).toEqual([])
  })
})

test('a process that has ended has no beginning', async () => {
  const child = spawn('/bin/cat') // until its input ends
  expect(processBegan(child.pid!)).toEqual(expect.any(String))
  child.stdin.end()
  await once(child, 'exit')
  expect(processBegan(child.pid!)).toBeUndefined()
})
