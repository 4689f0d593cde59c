import { spawn } from 'node:child_process'
import { join } from 'node:path'

/** The project's folder: the same from scripts/src (tests) and scripts/dist (commands). */
export const ROOT = join(__dirname, '..', '..')

/** What a command writes for the person who typed it. `step` prints one line with the time the work took. */
export interface Terminal {
  step<T>(title: string, work: () => Promise<T>, note?: (value: T) => string): Promise<T>
  say(line: string): void
}

export const silent: Terminal = { step: (_title, work) => work(), say: () => undefined }

/** A situation that its reader can mend: shown as its message alone, without a stack trace. */
export class UserError extends Error {
  override readonly name = 'UserError'
}

export interface ToolOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
  uid?: number | undefined
  gid?: number | undefined
  signal?: AbortSignal | undefined
}

/** Runs a program to its end and returns its output; a failure carries all that the program said. */
export function runTool(command: string, args: string[], options: ToolOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const identity =
      options.uid === undefined ? {} : { uid: options.uid, ...(options.gid !== undefined && { gid: options.gid }) }
    const child = spawn(command, args, {
      cwd: options.cwd ?? ROOT,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.signal && { signal: options.signal }),
      ...identity,
    })
    let output = ''
    const collect = (chunk: string) => (output += chunk)
    child.stdout.setEncoding('utf8').on('data', collect)
    child.stderr.setEncoding('utf8').on('data', collect)
    child.on('error', (error) => reject(new UserError(`${command} could not be run: ${error.message}`)))
    child.on('close', (code, signal) => {
      if (code === 0) resolve(output)
      else
        reject(
          new UserError(`${[command, ...args].join(' ')} failed (${signal ?? `exit code ${code}`}):\n${output.trim()}`),
        )
    })
  })
}
