import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { ROOT, runTool, UserError } from './terminal'

export interface Wanted {
  title: string
  /** The variable that names it outright. */
  variable: string
  names: string[]
  /** Where it may be although PATH does not say so: an ordinary user's often lacks the sbin folders. */
  places: string[]
  debian: string
  /** The program itself within the Debian package. */
  unpacked: string
  brew: string[]
  /** Whether the package may be installed by root. (Debian's nginx would at once serve port 80.) */
  installable: boolean
}

export const NGINX: Wanted = {
  title: 'Nginx',
  variable: 'NGINX_BIN',
  names: ['nginx'],
  places: ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/usr/local/bin/nginx', '/opt/homebrew/bin/nginx'],
  debian: 'nginx',
  unpacked: 'usr/sbin/nginx',
  brew: ['nginx'],
  installable: false,
}

export const CHROMIUM: Wanted = {
  title: 'Chromium',
  variable: 'CHROME_BIN',
  names: ['chromium', 'google-chrome', 'google-chrome-stable', 'chromium-browser'],
  places: [
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
  ],
  debian: 'chromium',
  unpacked: 'usr/lib/chromium/chromium',
  brew: ['--cask', 'google-chrome'],
  installable: true,
}

const TOOLS = join(ROOT, '.tools')

/** The program if this machine has it, or the project has it unpacked. */
export function findTool(wanted: Wanted, env: NodeJS.ProcessEnv, tools = TOOLS): string | undefined {
  const named = env[wanted.variable]
  if (named) {
    if (isProgram(named)) return named
    throw new UserError(`${wanted.variable} names no program: ${named}`)
  }
  const folders = (env.PATH ?? '').split(delimiter).filter(Boolean)
  const onPath = folders.flatMap((folder) => wanted.names.map((name) => join(folder, name)))
  return [...onPath, ...wanted.places, starterOf(wanted, tools)].find(isProgram)
}

/** The program, installed first where that can be done without asking anybody. */
export async function needTool(wanted: Wanted, env: NodeJS.ProcessEnv, tools = TOOLS): Promise<string> {
  const found = findTool(wanted, env, tools)
  if (found) return found
  let reason = 'It can be installed automatically on Debian, Ubuntu and with Homebrew only.'
  try {
    await install(wanted, env, tools)
    const installed = findTool(wanted, env, tools)
    if (installed) return installed
  } catch (error) {
    reason = (error as Error).message
  }
  throw new UserError(
    `${wanted.title} is needed. Install it, or set ${wanted.variable} to the path of its program.\n${reason}`,
  )
}

async function install(wanted: Wanted, env: NodeJS.ProcessEnv, tools: string): Promise<void> {
  const has = (name: string) => (env.PATH ?? '').split(delimiter).some((folder) => isProgram(join(folder, name)))
  if (has('apt-get')) {
    if (wanted.installable && process.getuid?.() === 0) await aptInstall(wanted.debian)
    else await unpackDebian(wanted, tools)
  } else if (has('brew')) {
    await runTool('brew', ['install', ...wanted.brew])
  }
}

const QUIET = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' }

async function aptInstall(name: string): Promise<void> {
  await runTool('apt-get', ['update'], { env: QUIET })
  await runTool('apt-get', ['install', '-y', '--no-install-recommends', name], { env: QUIET })
}

/** Downloads a package and those of its dependencies that the machine lacks, and unpacks them into .tools/<name>. */
async function unpackDebian(wanted: Wanted, tools: string): Promise<void> {
  const name = wanted.debian
  const target = join(tools, name)
  const draft = `${target}.${process.pid}`
  rmSync(target, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true })
  try {
    await download(name, draft, []).catch(async () => {
      // No package lists here (images come without), or outdated ones: fetch them into a folder of our own.
      const options = ownApt(join(tools, 'apt'))
      await runTool('apt-get', [...options, 'update'], { env: QUIET })
      await download(name, draft, options)
    })
    for (const file of readdirSync(draft).filter((entry) => entry.endsWith('.deb'))) {
      await runTool('dpkg', ['-x', join(draft, file), target])
    }
    // Written last: it is what tells a whole installation from one cut short.
    writeFileSync(starterOf(wanted, tools), starter(target, wanted.unpacked), { mode: 0o755 })
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

async function download(name: string, folder: string, options: string[]): Promise<void> {
  const plan = await runTool('apt-get', [...options, '-s', '-q', 'install', '--no-install-recommends', name], {
    env: QUIET,
  })
  // "Inst libpcre2-8-0 (10.42-1 …)". The C library is there; a second one beside it would break its own loader.
  const missing = [...plan.matchAll(/^Inst (\S+)/gm)]
    .map((match) => match[1]!)
    .filter((each) => !/^libc6|^libc-bin/.test(each))
  const packages = [...new Set([name, ...missing])]
  await runTool('apt-get', [...options, '-q', 'download', ...packages], { cwd: folder, env: QUIET })
}

function ownApt(folder: string): string[] {
  for (const part of ['state/lists/partial', 'cache/archives/partial'])
    mkdirSync(join(folder, part), { recursive: true })
  const settings = [
    `Dir::State=${join(folder, 'state')}`,
    `Dir::State::lists=${join(folder, 'state', 'lists')}`,
    `Dir::Cache=${join(folder, 'cache')}`,
    'Dir::State::status=/var/lib/dpkg/status',
    'APT::Sandbox::User=root', // root's downloads are otherwise made as _apt, who may not write here
  ]
  return settings.flatMap((setting) => ['-o', setting])
}

const starterOf = (wanted: Wanted, tools: string): string => join(tools, wanted.debian, 'start')

/** A script that starts an unpacked program with the libraries unpacked beside it, and with no trace on anything else. */
function starter(root: string, program: string): string {
  const folders = ['usr/lib', 'lib'].filter((folder) => existsSync(join(root, folder)))
  const libraries = folders.flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((entry) => entry.includes('-linux-gnu'))
      .map((entry) => `$here/${folder}/${entry}`),
  )
  const set = libraries.length > 0 ? `LD_LIBRARY_PATH="${libraries.join(':')}" ` : ''
  return `#!/bin/sh\nhere=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)\n${set}exec "$here/${program}" "$@"\n`
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
