import { spawn } from 'node:child_process'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { endLeftOvers, isRunning, processBegan, type Recorded } from './processes'
import { UserError } from './terminal'

interface Run {
  supervisor: Recorded
  url: string
  children: Recorded[]
}

/** The claim of one supervisor on a data folder. */
export interface RunClaim {
  /** What an earlier, killed run had left running; ended now. */
  leftOvers: string[]
  /** Writes down who runs now, for the guard and for the next start. */
  record(children: Recorded[]): void
  release(): void
}

function read(file: string): Run | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Run
  } catch {
    return undefined
  }
}

/**
 * Claims the data folder for this process, or throws when another one has it. What a killed run left behind is ended.
 * A run that is stopping just now is waited for: after `kill -9` of npm its child needs a moment to notice.
 */
export async function claimRun(
  file: string,
  url: string,
  stopTimeoutMs: number,
  patienceMs = 2_000,
): Promise<RunClaim> {
  const patience = Date.now() + patienceMs
  const leftOvers: string[] = []
  const run: Run = { supervisor: own(), url, children: [] }
  for (;;) {
    try {
      writeFileSync(file, JSON.stringify(run), { flag: 'wx' })
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    const earlier = read(file)
    if (earlier === undefined || isRunning(earlier.supervisor)) {
      if (Date.now() < patience) await sleep(100)
      else if (earlier === undefined)
        rmSync(file, { force: true }) // cut short while it was being written
      else throw new UserError(alreadyRunning(earlier))
    } else {
      leftOvers.push(...(await endLeftOvers(earlier.children, stopTimeoutMs)))
      discard(file, earlier)
    }
  }
  const guard = startGuard(stopTimeoutMs)
  return {
    leftOvers,
    record(children) {
      run.children = children
      writeFileSync(`${file}.new`, JSON.stringify(run))
      renameSync(`${file}.new`, file)
      guard.write(children.map(({ stopSignal, pid }) => `${stopSignal.slice(3)}:${pid}`).join(' ') + '\n')
    },
    release() {
      rmSync(file, { force: true })
      guard.end('done\n')
    },
  }
}

const own = (): Recorded => ({
  name: 'supervisor',
  pid: process.pid,
  began: processBegan(process.pid) ?? '',
  stopSignal: 'SIGTERM',
})

const alreadyRunning = ({ supervisor, url }: Run): string =>
  `The shop of this folder is running already (process ${supervisor.pid}): ${url}\nStop it first with Ctrl-C, or: kill ${supervisor.pid}`

/** Takes a dead run's record away; of two starters that found it, the second must not take the first one's new record. */
function discard(file: string, dead: Run): void {
  const aside = `${file}.${process.pid}`
  try {
    renameSync(file, aside)
  } catch {
    return
  }
  if (read(aside)?.supervisor.began === dead.supervisor.began) rmSync(aside)
  else renameSync(aside, file)
}

/**
 * A shell that does nothing but wait for the end of its input. When that comes without "done", the supervisor has died
 * (kill -9, a crash), and the children it named last are asked to stop, then killed. It has a session of its own, so
 * that Ctrl-C and a closing terminal, which the supervisor handles in order, don't reach it.
 */
const GUARD = `
trap '' INT TERM HUP
list=
while IFS= read -r line; do list=$line; done
[ "$list" = done ] && exit 0
for each in $list; do kill -s "\${each%%:*}" -- "-\${each#*:}"; kill -s CONT -- "-\${each#*:}"; done
tenths=$1
while [ "$tenths" -gt 0 ]; do
  left=
  for each in $list; do kill -s 0 -- "-\${each#*:}" && left=1; done
  [ "$left" ] || exit 0
  sleep 0.1
  tenths=$((tenths - 1))
done
for each in $list; do kill -s KILL -- "-\${each#*:}"; done
`

function startGuard(stopTimeoutMs: number): Socket {
  const shell = spawn('/bin/sh', ['-c', GUARD, 'shop-guard', String(Math.ceil(stopTimeoutMs / 100))], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const input = shell.stdin as Socket
  // The guard must neither keep this process alive nor, should it be killed itself, end it.
  shell.unref()
  shell.on('error', () => undefined)
  input.unref()
  input.on('error', () => undefined)
  return input
}
