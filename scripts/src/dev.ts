import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { SERVICES } from './services'
import { type Stack } from './stack'
import { keepOpen } from './start'
import { ROOT, type Terminal } from './terminal'

const LOOK_EVERY_MS = 300

/** `npm run dev`: the same shop; what is edited is compiled, and the services that it concerns are started again. */
export const main = (terminal: Terminal): Promise<number> =>
  keepOpen(terminal, async (stack) => {
    const log = join(stack.dataDir, 'logs', 'compiler.log')
    const before = sizeOf(log)
    await stack.run({
      name: 'compiler',
      command: process.execPath,
      args: [TSC, '-b', 'tsconfig.build.json', '--watch', '--preserveWatchOutput'],
      cwd: ROOT,
      env: process.env,
      ready: () => Promise.resolve(textFrom(log, before).includes('Watching for file changes')),
    })
    void reload(terminal, stack, log)
  })

const TSC = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc')

async function reload(terminal: Terminal, stack: Stack, log: string): Promise<void> {
  let told = sizeOf(log)
  let running = builds()
  for (;;) {
    await sleep(LOOK_EVERY_MS, undefined, { ref: false })
    const said = textFrom(log, told)
    told += Buffer.byteLength(said)
    for (const line of said.split('\n')) if (/error TS|Found [1-9]/.test(line)) terminal.say(line)

    const found = builds()
    const changed = Object.keys(found).filter((workspace) => found[workspace] !== running[workspace])
    // A change of the platform builds one workspace after the other: wait until the compiler rests.
    if (changed.length === 0 || !/Watching for file changes\.\s*$/.test(textFrom(log, 0))) continue
    running = found
    const concerned = Object.keys(stack.pids()).filter((name) => {
      const service = SERVICES.find((each) => name === each || name.startsWith(`${each}-`))
      return service && (changed.includes('platform') || changed.includes(service))
    })
    await Promise.all(concerned.map((name) => stack.restart(name)))
    if (concerned.length > 0) terminal.say(`Reloaded: ${concerned.join(', ')}`)
  }
}

/** When each workspace was built last. */
const builds = (): Record<string, number> =>
  Object.fromEntries(['platform', ...SERVICES].map((name) => [name, mtimeOf(join(ROOT, name, 'dist', '.tsbuildinfo'))]))

const mtimeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0
const textFrom = (file: string, offset: number): string => readFileSync(file).subarray(offset).toString('utf8')
