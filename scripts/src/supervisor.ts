import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openLog, type ServiceLog } from './logs'
import { processBegan, signalGroup, type Recorded } from './processes'
import { type RunClaim } from './run-record'
import { UserError } from './terminal'

/** A program to be kept running. */
export interface Program {
  name: string
  command: string
  args: string[]
  env: NodeJS.ProcessEnv
  cwd?: string
  uid?: number | undefined
  gid?: number | undefined
  /** True once it does its work; asked again and again after every start. */
  ready(): Promise<boolean>
  /** How it is asked to stop: SIGTERM unless it means something else to it. */
  stopSignal?: NodeJS.Signals
}

export interface SupervisorOptions {
  claim: RunClaim
  logDir: string
  say: (line: string) => void
  /** How long a program may take to stop before it is killed. */
  stopTimeoutMs?: number
  readyTimeoutMs?: number
}

export interface Supervisor {
  /** Starts programs side by side; resolves when all are ready. One that dies before that is an error, later it is started again. */
  start(programs: Program[]): Promise<void>
  restart(name: string): Promise<void>
  /** Process ids of those running now. */
  pids(): Record<string, number>
  kill(name: string, signal: NodeJS.Signals): void
  /** Ends what was started, the last started first. */
  stop(): Promise<void>
}

/** Pauses before a dead program is started again: short, then longer while it keeps dying. */
const PAUSES_MS = [200, 500, 1_000, 2_000]
/** A program that lived this long starts with the shortest pause again. */
const STEADY_MS = 10_000
const DEATHS_SHOWN = 3
const POLL_MS = 40

interface Child {
  program: Program
  log: ServiceLog
  process?: ChildProcess
  recorded?: Recorded
  /** Settles when the current process has gone. */
  gone: Promise<void>
  startedAt: number
  /** In a row, and what the last one was. */
  deaths: number
  cause: string
  wasReady: boolean
  stopping: boolean
  timer?: NodeJS.Timeout
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { claim, logDir, say, stopTimeoutMs = 10_000, readyTimeoutMs = 30_000 } = options
  const stages: Child[][] = []
  let stopped: Promise<void> | undefined

  const children = () => stages.flat()
  const record = () => claim.record(children().flatMap(({ recorded }) => recorded ?? []))
  const get = (name: string): Child => {
    const child = children().find((each) => each.program.name === name)
    if (!child)
      throw new Error(
        `No program is called ${name}; there are ${children()
          .map((c) => c.program.name)
          .join(', ')}`,
      )
    return child
  }

  function launch(child: Child): void {
    const { program, log } = child
    const started = spawn(program.command, program.args, {
      env: program.env,
      cwd: program.cwd ?? '/',
      // A group of its own: Ctrl-C reaches only the supervisor, which stops everything in order.
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      ...(program.uid !== undefined && { uid: program.uid }),
      ...(program.gid !== undefined && { gid: program.gid }),
    })
    child.process = started
    child.startedAt = Date.now()
    child.gone = new Promise((resolve) => {
      started.once('error', (error) => {
        if (started.pid === undefined) onDeath(child, error.message)
        resolve()
      })
      started.once('exit', (code, signal) => {
        signalGroup(started.pid!, 'SIGKILL') // what it leaves behind would hold its port
        onDeath(child, signal ?? `exit code ${code}`)
        resolve()
      })
    })
    if (started.pid === undefined) return
    const began = processBegan(started.pid) ?? ''
    child.recorded = { name: program.name, pid: started.pid, began, stopSignal: program.stopSignal ?? 'SIGTERM' }
    record()
  }

  function onDeath(child: Child, cause: string): void {
    delete child.process
    delete child.recorded
    record()
    child.cause = cause
    if (child.stopping || !child.wasReady) return
    const { name } = child.program
    child.deaths = Date.now() - child.startedAt > STEADY_MS ? 1 : child.deaths + 1
    if (child.deaths < DEATHS_SHOWN) say(`${name} died (${cause}); starting it again`)
    if (child.deaths === DEATHS_SHOWN)
      say([`${name} keeps dying (${cause}). It says:`, ...quote(child.log, 10)].join('\n'))
    const pause = PAUSES_MS[Math.min(child.deaths, PAUSES_MS.length) - 1]!
    child.timer = setTimeout(() => {
      launch(child)
      untilReady(child, Infinity).then(
        (ready) => ready && say(`${name} is back`),
        (error: Error) => say(error.message),
      )
    }, pause)
  }

  /** False when the process died, was stopped, or took too long. */
  async function untilReady(child: Child, timeoutMs: number): Promise<boolean> {
    const mine = child.process
    const deadline = Date.now() + timeoutMs
    while (child.process === mine && mine !== undefined && !child.stopping) {
      if (await child.program.ready()) return child.process === mine
      if (Date.now() > deadline) return false
      await sleep(POLL_MS)
    }
    return false
  }

  async function startFirst(child: Child): Promise<void> {
    launch(child)
    child.wasReady = await untilReady(child, readyTimeoutMs)
    if (child.wasReady || child.stopping) return
    const what = child.process
      ? `was not ready within ${readyTimeoutMs / 1000} s`
      : `ended before it was ready (${child.cause})`
    throw new UserError(
      [`${child.program.name} ${what}. The end of ${child.log.file}:`, ...quote(child.log, 15)].join('\n'),
    )
  }

  async function stopChild(child: Child): Promise<void> {
    child.stopping = true
    clearTimeout(child.timer)
    const { process: running, program } = child
    if (running?.pid === undefined) return
    running.kill(program.stopSignal ?? 'SIGTERM')
    running.kill('SIGCONT') // one that was frozen could not hear
    const late = setTimeout(() => {
      say(`${program.name} did not stop within ${stopTimeoutMs / 1000} s and is killed`)
      signalGroup(running.pid!, 'SIGKILL')
    }, stopTimeoutMs)
    await child.gone
    clearTimeout(late)
  }

  async function stopAll(): Promise<void> {
    for (const child of children()) {
      child.stopping = true
      clearTimeout(child.timer)
    }
    for (const stage of stages.toReversed()) await Promise.all(stage.map(stopChild))
    for (const child of children()) child.log.close()
    claim.release()
  }

  return {
    async start(programs) {
      if (stopped) throw new UserError('Stopped while starting')
      const stage = programs.map((program): Child => {
        const log = openLog(join(logDir, `${program.name}.log`), say)
        return {
          program,
          log,
          gone: Promise.resolve(),
          startedAt: 0,
          deaths: 0,
          cause: '',
          wasReady: false,
          stopping: false,
        }
      })
      stages.push(stage)
      await Promise.all(stage.map(startFirst))
      if (stopped) throw new UserError('Stopped while starting')
    },
    async restart(name) {
      const child = get(name)
      await stopChild(child)
      if (stopped) return
      child.stopping = false
      launch(child)
      await untilReady(child, readyTimeoutMs)
    },
    pids: () =>
      Object.fromEntries(children().flatMap(({ recorded }) => (recorded ? [[recorded.name, recorded.pid]] : []))),
    kill(name, signal) {
      const pid = get(name).process?.pid
      if (pid === undefined) throw new Error(`${name} is not running at this moment`)
      process.kill(pid, signal)
    },
    stop: () => (stopped ??= stopAll()),
  }
}

const quote = (log: ServiceLog, lines: number): string[] => log.tail(lines).map((line) => `  ${line}`)
