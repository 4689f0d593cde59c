import { decide, type Role } from '../../src/chaos/load'
import { FAULT_KINDS, PACES, planFaults, SERVICE_PROCESSES } from '../../src/chaos/plan'
import { planOf } from '../../src/chaos/run'
import { randomFrom } from '../../src/random'

const options = (seed: string) => ({
  ...{ seed, seconds: 600, pace: PACES.steady, kinds: FAULT_KINDS, clients: { buyer: 3, seller: 2, visitor: 1 } },
})

test('a seed stands for the same faults and the same decisions, another one for others', () => {
  const [one, again, other] = [planOf(options('a')), planOf(options('a')), planOf(options('b'))]
  expect(again.faults).toEqual(one.faults)
  expect([again.faultsDigest, again.loadDigest]).toEqual([one.faultsDigest, one.loadDigest])
  expect(other.faultsDigest).not.toBe(one.faultsDigest)
  expect(other.loadDigest).not.toBe(one.loadDigest)
})

test('what a client decides depends on its step alone', () => {
  const random = randomFrom('seed')
  const fifth = decide('buyer', random, 5)
  for (let step = 0; step < 5; step++) decide('buyer', random, step)
  expect(decide('buyer', random, 5)).toEqual(fifth)
})

test('ten minutes have every kind of fault, and kill and freeze every service', () => {
  for (const seed of ['a', 'b', 'c']) {
    const { faults } = planOf(options(seed))
    expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(FAULT_KINDS))
    for (const wanted of ['kill', 'freeze'] as const) {
      const hit = faults.flatMap((fault) => (fault.kind === wanted ? [fault.process] : []))
      expect(hit).toEqual(expect.arrayContaining([...SERVICE_PROCESSES]))
    }
    const lasting = faults.reduce((sum, fault) => sum + fault.calmMs + ('lastsMs' in fault ? fault.lastsMs : 0), 0)
    expect(lasting).toBeLessThan(600_000)
    expect(lasting).toBeGreaterThan(300_000)
  }
})

test('commits are cut where there are any: users sends no BEGIN for what the clients ask of it', () => {
  const wires = Array.from({ length: 50 }, (_, n) => planOf({ ...options(`seed ${n}`), seconds: 60 }).faults).flatMap(
    (faults) =>
      faults.flatMap((fault) =>
        fault.kind === 'cut-before-commit' || fault.kind === 'cut-after-commit' ? fault.wires : [],
      ),
  )
  expect(new Set(wires)).toEqual(new Set(['products', 'orders', 'orders-2']))
})

test('only the kinds that are asked for are planned, and none when none is', () => {
  const plan = (kinds: typeof FAULT_KINDS) => planFaults(randomFrom('seed'), { seconds: 60, kinds })
  expect(new Set(plan(['clock', 'latency']).map(({ kind }) => kind))).toEqual(new Set(['clock', 'latency']))
  expect(plan([])).toEqual([])
})

test('each role decides for everything that it can do', () => {
  const wanted: Record<Role, string[]> = {
    buyer: [
      ...['order', 'repeat order', 'check out', 'cancel', 'pay', 'leave', 'log in'],
      ...['read order', 'list orders', 'read cart', 'track', 'read product', 'search'],
    ],
    seller: [
      ...['change stock', 'edit', 'list product', 'ship', 'log in'],
      ...['read ledger', 'list own products', 'sum up sales', 'read product', 'search'],
    ],
    visitor: ['register', 'read documents', 'read product', 'search'],
  }
  for (const [role, deeds] of Object.entries(wanted)) {
    const made = Array.from({ length: 1_000 }, (_, step) => decide(role as Role, randomFrom('seed'), step).do)
    expect(new Set(made)).toEqual(new Set(deeds))
  }
})
