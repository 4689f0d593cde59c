import { createHash } from 'node:crypto'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { dirname, join } from 'node:path'
import { type Program } from './supervisor'
import { ROOT, runTool } from './terminal'
import { needTool, NGINX } from './tools'

export interface NginxOptions {
  dataDir: string
  host: string
  port: number
  /** Where it is then reached from here. */
  url: string
  /** By service, the ports of its processes. */
  upstreams: Record<string, number[]>
  /** Where the limits and the like are read from. */
  env: NodeJS.ProcessEnv
}

/** Renders the one configuration for this laptop and returns the program that serves it. */
export async function prepareNginx({ dataDir, host, port, url, upstreams, env }: NginxOptions): Promise<Program> {
  const command = await needTool(NGINX, env)
  const folder = join(dataDir, 'nginx')
  mkdirSync(folder, { recursive: true })
  mkdirSync(dirname(cacheFolder(dataDir)), { recursive: true })
  const settings: NodeJS.ProcessEnv = {
    PATH: env.PATH,
    HTTP_HOST: host,
    HTTP_PORT: String(port),
    NGINX_RUNTIME_DIR: folder,
    NGINX_CACHE_DIR: cacheFolder(dataDir),
    // Where its other words go, too: that file is kept from growing without end.
    NGINX_ACCESS_LOG: join(dataDir, 'logs', 'nginx.log'),
    NGINX_ERROR_LOG: 'stderr',
  }
  for (const [name, ports] of Object.entries(upstreams)) {
    settings[`${name.toUpperCase()}_UPSTREAM`] = ports.map((each) => `127.0.0.1:${each}`).join(',')
  }
  for (const name of PASSED_ON) if (env[name]) settings[name] = env[name]
  const configuration = join(folder, 'nginx.conf')
  const rendered = await runTool('/bin/sh', [join(ROOT, 'nginx', 'render.sh')], {
    env: settings,
  })
  writeFileSync(configuration, rendered)
  return {
    name: 'nginx',
    command,
    args: ['-e', 'stderr', '-p', folder, '-c', configuration],
    env: { PATH: env.PATH },
    // Graceful; SIGTERM would cut requests off.
    stopSignal: 'SIGQUIT',
    ready: () => answers(`${url}/livez`, () => true),
  }
}

/** Workers of a master that runs as root are another user, who may not reach a private folder such as one below /root. */
function cacheFolder(dataDir: string): string {
  if (process.getuid?.() !== 0) return join(dataDir, 'nginx', 'cache')
  return join(SHARED_CACHE, createHash('sha256').update(dataDir).digest('hex').slice(0, 16))
}
const SHARED_CACHE = '/var/cache/shop-nginx'

/** A cache is worth nothing to the next start, and may lie outside of the data folder. */
export const removeNginxCache = (dataDir: string): void =>
  rmSync(cacheFolder(dataDir), { recursive: true, force: true })

/** Settings that render.sh knows; one left empty means its default. */
const PASSED_ON = ['RATE_LIMIT_RPS', 'LOGIN_RATE_LIMIT_RPM', 'NGINX_WORKERS']

/** Whether a GET is answered, and with a status that will do. */
export function answers(url: string, willDo: (status: number) => boolean): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false, timeout: 2_000 }, (response) => {
      response.resume()
      resolve(willDo(response.statusCode ?? 0))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(false))
  })
}
