import { relative } from 'node:path'
import { startStack, type Stack } from './stack'
import { ROOT, type Terminal } from './terminal'

/** `npm start`: the whole shop, until it is told to stop. */
export const main = (terminal: Terminal): Promise<number> => keepOpen(terminal)

/** Starts the shop, keeps it open until Ctrl-C, SIGTERM or SIGHUP, and leaves no process behind. */
export async function keepOpen(
  terminal: Terminal,
  whileOpen: (stack: Stack) => Promise<void> = async () => {},
): Promise<number> {
  const told = stopRequest(terminal)
  const env = { DEMO_DATA: process.env.DEMO_DATA || '1' }
  let stack: Stack
  try {
    stack = await startStack({ terminal, env, signal: told.signal })
    await whileOpen(stack)
  } catch (error) {
    if (!told.signal.aborted) throw error
    terminal.say('Stopped.')
    return told.exitCode()
  }
  // Counted from the start of the process, which at the first time installs and builds before it comes here.
  terminal.say(welcome(stack, env.DEMO_DATA === '1', performance.now()))
  await told.stop
  terminal.say('\nStopping …')
  await stack.stop()
  terminal.say('Stopped.')
  return told.exitCode()
}

function welcome(stack: Stack, demo: boolean, ms: number): string {
  const url = stack.url.replace('//127.0.0.1:', '//localhost:')
  const folder = stack.dataDir.startsWith(`${ROOT}/`) ? relative(ROOT, stack.dataDir) : stack.dataDir
  const accounts = ['', '  buyer    user-1    password', '  seller   seller-1  password']
  return [
    '',
    `The shop is open, after ${(ms / 1000).toFixed(1)} s:  ${url}`,
    'Swagger UI is there: log in with Authorize, then Try it out.',
    ...(demo ? accounts : []),
    '',
    `  curl '${url}/products?limit=3'`,
    '',
    `Logs are in ${folder}/logs. Ctrl-C stops everything.`,
  ].join('\n')
}

interface StopRequest {
  signal: AbortSignal
  stop: Promise<void>
  exitCode(): number
}

/** Whatever may end this process, turned into one wish to stop in order. */
function stopRequest(terminal: Terminal): StopRequest {
  const abort = new AbortController()
  let askedAt = 0
  let code = 0
  const stop = new Promise<void>((resolve) => abort.signal.addEventListener('abort', () => resolve()))
  function ask(): void {
    // Ctrl-C under npm comes twice at once: from the terminal and, passed on, from npm. A later one is a person in a hurry:
    // this process goes at once, and the guard ends the rest.
    if (askedAt > 0 && Date.now() - askedAt > 1_000) process.exit(130)
    askedAt ||= Date.now()
    abort.abort()
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, ask)
  // A terminal that was closed can't be written to any more; that is no reason to leave processes behind.
  process.stdout.on('error', () => undefined)
  process.stderr.on('error', () => undefined)
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      terminal.say(`A bug of the supervisor: ${error instanceof Error ? error.stack : String(error)}`)
      code = 1
      ask()
    })
  }
  if (process.env.npm_lifecycle_event) {
    // npm, killed, can't pass anything on; the shop it started would stay behind unseen.
    const npm = process.ppid
    setInterval(() => process.ppid !== npm && abort.abort(), 500).unref()
  }
  return { signal: abort.signal, stop, exitCode: () => code }
}
