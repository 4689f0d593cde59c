import { execFile } from 'node:child_process'
import { createPrivateKey } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DockerfileParser } from 'dockerfile-ast'
import { parse } from 'yaml'

// What can be known of the images and the composition without an engine that builds and runs them.

type Service = {
  image?: string
  build?: { context: string; target: string }
  user?: string
  ports?: string[]
  volumes?: string[]
  networks?: string[]
  environment?: Record<string, string>
  command?: string[]
  depends_on?: Record<string, { condition: string; restart?: boolean }>
  init?: boolean
  read_only?: boolean
  privileged?: boolean
  cap_drop?: string[]
  cap_add?: string[]
  security_opt?: string[]
}
type Instruction = { keyword: string; text: string; args: string[] }
type Stage = { name: string; base: string; instructions: Instruction[] }

const root = path.resolve(__dirname, '../..')
const read = (file: string) => readFileSync(path.join(root, file), 'utf8')
const composeText = read('docker-compose.yaml')
const compose = parse(composeText, { merge: true }) as {
  services: Record<string, Service>
  volumes: Record<string, unknown>
}
const services = Object.entries(compose.services)
const stages = parseStages(read('Dockerfile'))
const example = read('.env.example')

const BEHIND_NGINX = ['users', 'products', 'orders', 'swagger']
const APPS = [...BEHIND_NGINX, 'gateway']
const used = [...new Set([...composeText.matchAll(/\$\{([A-Z0-9_]+)/g)].map(([, name = '']) => name))].sort()
/** Without it there is no admin. */
const OPTIONAL_SECRET = 'ADMIN_PASSWORD'
const secrets = used.filter((name) => /PASSWORD|SECRET/.test(name) && name !== OPTIONAL_SECRET)

describe('docker-compose.yaml', () => {
  const faults = async (folder: string) => {
    const linter = path.join(path.dirname(require.resolve('dclint/package.json')), 'bin/dclint.cjs')
    const { stdout } = await run(
      process.execPath,
      [linter, path.join(folder, 'docker-compose.yaml'), '--formatter', 'json'],
      {},
    )
    const [result] = JSON.parse(stdout) as { messages: { rule: string; message: string }[] }[]
    return result?.messages.filter(({ rule }) => rule === 'invalid-schema').map(({ message }) => message)
  }

  test('it fits the Compose specification', async () => {
    expect(await faults(root)).toEqual([])
    const folder = mkdtempSync(path.join(tmpdir(), 'compose-'))
    writeFileSync(path.join(folder, 'docker-compose.yaml'), composeText.replace('read_only: true', 'read_onyl: true'))
    expect(await faults(folder)).not.toEqual([])
    rmSync(folder, { recursive: true })
  })

  test('every variable in it is in .env.example, and the other way round', () => {
    const documented = [...example.matchAll(/^([A-Z0-9_]+)=/gm)].map(([, name = '']) => name)
    expect(documented.sort()).toEqual(used)
  })

  test('no secret has a default: compose refuses to start without each', () => {
    expect(secrets).toEqual([
      'IDEMPOTENCY_SECRET',
      'ORDERS_DB_PASSWORD',
      'POSTGRES_PASSWORD',
      'PRODUCTS_DB_PASSWORD',
      'USERS_DB_PASSWORD',
    ])
    const uses = [...composeText.matchAll(/\$\{([A-Z0-9_]+)(:?[?+-])?/g)].filter(([, name = '']) =>
      secrets.includes(name),
    )
    expect(uses.filter(([, , operator]) => operator !== ':?')).toEqual([])
    const empty = [...secrets, OPTIONAL_SECRET].filter((name) => new RegExp(`^${name}=$`, 'm').test(example))
    expect(empty).toEqual([...secrets, OPTIONAL_SECRET])
    const literal = services.flatMap(([name, { environment = {} }]) =>
      Object.entries(environment)
        .filter(([key, value]) => /PASSWORD|SECRET|PRIVATE_KEY$/.test(key) && !/^\$\{\w+:\?/.test(value))
        .filter(([, value]) => value !== `\${${OPTIONAL_SECRET}:-}`)
        .map(([key]) => `${name}.${key}`),
    )
    expect(literal).toEqual([])
  })

  test('only nginx publishes a port', () => {
    expect(services.filter(([, { ports }]) => ports !== undefined).map(([name]) => name)).toEqual(['nginx'])
    expect(composeText).not.toMatch(/network_mode: ['"]?host/)
  })

  test('every container is confined', () => {
    for (const [name, service] of services) {
      expect({ name, ...service }).toMatchObject({
        init: true,
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      })
      expect([service.cap_add, service.privileged]).toEqual([undefined, undefined])
    }
  })

  test('nobody is root', () => {
    const users = services.map(([name, { user, build }]) => {
      const own = build && ancestry(build.target).flatMap(of('USER'))[0]?.text
      return { name, user: user ?? own ?? 'root' }
    })
    expect(users.filter(({ user }) => /^(root|0)\b/.test(user))).toEqual([])
    expect(users.length).toBe(9)
  })

  test('every build target exists, and every last stage is a target', () => {
    const targets = services.flatMap(([, { build }]) => build?.target ?? [])
    expect(targets.filter((target) => !stages.has(target))).toEqual([])
    const leaves = [...stages.keys()].filter(
      (name) => ![...stages.values()].some((stage) => leansOn(stage).includes(name)),
    )
    expect(leaves.sort()).toEqual(targets.sort())
  })

  test('nginx starts when every process is ready, and the services start on a migrated database', () => {
    const after = (name: string) =>
      Object.entries(compose.services[name]?.depends_on ?? {}).map(([other, { condition }]) => `${other} ${condition}`)
    expect(after('nginx').sort()).toEqual(APPS.map((name) => `${name} service_healthy`).sort())
    for (const name of ['users', 'products', 'orders'])
      expect(after(name)).toContain('migrate service_completed_successfully')
    expect(after('users')).toContain('keys service_completed_successfully')
    expect(after('migrate')).toEqual(['postgres service_healthy'])
    for (const name of APPS) expect(ancestry(name).flatMap(of('HEALTHCHECK'))[0]?.text).toContain('/readyz')
  })

  test('Postgres keeps its data in the volume', () => {
    expect(compose.services['postgres']?.volumes).toEqual(['postgres:/var/lib/postgresql'])
    expect(Object.keys(compose.volumes)).toContain('postgres')
  })

  test('the gateway is out of reach for all but orders, which knows where it is, and its journal is in a volume', () => {
    expect(compose.services['gateway']).toMatchObject({ networks: ['payments'], volumes: ['gateway:/journal'] })
    const meets = services.filter(([, { networks }]) => networks?.includes('payments')).map(([name]) => name)
    expect(meets).toEqual(['orders', 'gateway'])
    expect(Object.keys(compose.volumes)).toContain('gateway')
    expect(environmentOf('gateway')['GATEWAY_JOURNAL']).toMatch(/^\/journal\//)
    expect(compose.services['orders']?.environment?.['GATEWAY_URL']).toBe(
      `http://gateway:${environmentOf('gateway')['PORT']}`,
    )
  })

  test('Nginx looks for each service where it listens', () => {
    const upstreams = BEHIND_NGINX.map((name) => `${name}:${environmentOf(name)['PORT']}`)
    const given = compose.services['nginx']?.environment ?? {}
    expect(BEHIND_NGINX.map((name) => given[`${name.toUpperCase()}_UPSTREAM`])).toEqual(upstreams)
    for (const name of APPS) expect(environmentOf(name)).toMatchObject({ NODE_ENV: 'production', HOST: '0.0.0.0' })
  })

  test('every variable that a process reads is set here or in its image', () => {
    for (const name of [...APPS, 'migrate']) {
      const source = read(name === 'migrate' ? 'platform/src/migrate-main.ts' : `${name}/src/main.ts`)
      const asks = [source, ...sharedBy(source)].flatMap(variablesOf)
      expect(asks.length).toBeGreaterThan(3)
      const given = { ...environmentOf(name), ...compose.services[name]?.environment }
      expect({ name, missing: asks.filter((variable) => !(variable in given || `${variable}_FILE` in given)) }).toEqual(
        {
          name,
          missing: [],
        },
      )
    }
  })

  test('the key is made once, whole and readable by its owner alone', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'keys-'))
    const file = path.join(folder, 'jwt-private.pem')
    writeFileSync(`${file}.new`, 'left over from a crash', { mode: 0o400 })
    const [, ...args] = compose.services['keys']?.command ?? []
    const once = () => run(process.execPath, args, { JWT_PRIVATE_KEY_FILE: file })

    expect(await once()).toMatchObject({ code: 0 })
    const made = readFileSync(file, 'utf8')
    expect(createPrivateKey(made).asymmetricKeyDetails).toMatchObject({ modulusLength: 2048 })
    expect(statSync(file).mode & 0o777).toBe(0o400)
    expect(await once()).toMatchObject({ code: 0 })
    expect(readFileSync(file, 'utf8')).toBe(made)
    expect(readdirSync(folder)).toEqual(['jwt-private.pem'])
    rmSync(folder, { recursive: true })
  })
})

describe('.env.example', () => {
  test('what it says npm start reads, the scripts read', () => {
    const named = [...example.matchAll(/^# ([A-Z0-9_]+)=(.+)$/gm)]
    const scripts = readdirSync(path.join(root, 'scripts/src'))
      .map((file) => read(`scripts/src/${file}`))
      .join('\n')
    const isRead = (name = '', value = '') =>
      scripts.includes(name) || scripts.includes(`${name.replace('_PORT', '').toLowerCase()}: ${value},`)
    expect(named.length).toBeGreaterThan(5)
    expect(named.filter(([, name, value]) => !isRead(name, value))).toEqual([])
  })
})

describe('Dockerfile', () => {
  const copies = [...stages.values()].flatMap(({ instructions }) =>
    instructions.filter(({ keyword }) => keyword === 'COPY'),
  )
  const sourcesOf = ({ args }: Instruction) => args.filter((arg) => !arg.startsWith('--')).slice(0, -1)

  test('everything copied from the work tree is there and let through by .dockerignore', () => {
    const allowed = [...read('.dockerignore').matchAll(/^!(.+)$/gm)].map(([, name = '']) => name)
    const sources = copies.filter(({ args }) => !args.some((arg) => arg.startsWith('--from='))).flatMap(sourcesOf)
    expect(sources.length).toBeGreaterThan(15)
    expect(sources.filter((source) => !allowed.includes(source.split('/')[0] ?? ''))).toEqual([])
    const there = (source: string) => {
      const pattern = new RegExp(`^${path.basename(source).replaceAll('.', '\\.').replaceAll('*', '.+')}$`)
      const folder = path.join(root, path.dirname(source))
      return existsSync(folder) && readdirSync(folder).some((name) => pattern.test(name) && name !== 'package.json')
    }
    expect(
      sources.filter((source) => !(source.includes('*') ? there(source) : existsSync(path.join(root, source)))),
    ).toEqual([])
  })

  test('everything copied from a stage is made by one', () => {
    const across = copies.flatMap((copy) => {
      const from = copy.args.find((arg) => arg.startsWith('--from='))?.slice(7)
      return from === undefined ? [] : sourcesOf(copy).map((source) => ({ from, source }))
    })
    expect(across.length).toBeGreaterThan(10)
    expect(across.filter(({ from }) => !stages.has(from))).toEqual([])
    const built = across.filter(({ from }) => from === 'build').map(({ source }) => source)
    const known = ['platform', ...APPS].map((name) => `/app/${name}/dist`)
    expect(built.filter((source) => !known.includes(source))).toEqual([])
  })

  test('images are pinned: Node 24, Postgres 18, a branch of Nginx', () => {
    const bases = [...stages.values()].map(({ base }) => base).filter((base) => !stages.has(base))
    const images = [...bases, ...services.flatMap(([, { image }]) => image ?? [])]
    expect([...new Set(images)].sort()).toEqual(['nginx:1.30-alpine', 'node:24-bookworm-slim', 'postgres:18'])
  })

  test('a process is started directly, so that it gets the signals', () => {
    const starts = [...APPS, 'migrate'].map(
      (name) => JSON.parse(ancestry(name).flatMap(of('CMD'))[0]?.text ?? '') as string[],
    )
    const entry = (file: string) => file.replace('/dist/', '/src/').replace(/js$/, 'ts')
    expect(starts).toEqual([
      ...APPS.map((name) => ['node', `${name}/dist/main.js`]),
      ['node', 'platform/dist/migrate-main.js'],
    ])
    expect(starts.map(([, file = '']) => entry(file)).filter((file) => !existsSync(path.join(root, file)))).toEqual([])
  })

  test('no image that runs has development dependencies or ran a package’s install script', () => {
    const installs = [...stages.values()].flatMap(({ name, instructions }) =>
      instructions.filter(({ text }) => text.includes('npm ci')).map(({ text }) => ({ name, text })),
    )
    expect(installs.filter(({ text }) => !text.includes('--ignore-scripts'))).toEqual([])
    expect(installs.filter(({ text }) => !text.includes('--omit=dev')).map(({ name }) => name)).toEqual(['deps'])
    for (const [, { build }] of services)
      if (build) expect(ancestry(build.target).map(({ name }) => name)).not.toContain('deps')
    expect(copies.filter(({ args }) => args.includes('--from=deps'))).toEqual([])
  })

  test('the health check tells ready from not ready', async () => {
    const { text } = ancestry('users').flatMap(of('HEALTHCHECK'))[0] ?? { text: '' }
    const [, ...args] = JSON.parse(text.slice(text.indexOf('['))) as string[]
    let status = 200
    const server = createServer((request, response) =>
      response.writeHead(request.url === '/readyz' ? status : 404).end(),
    )
    server.unref() // a failed expectation below leaves it open
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const check = () => run(process.execPath, args, { PORT: String(port) })
    expect(await check()).toMatchObject({ code: 0 })
    status = 503
    expect(await check()).toMatchObject({ code: 1 })
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    expect(await check()).toMatchObject({ code: 1 })
  })

  test('Nginx is started on the rendered configuration, or not at all', async () => {
    const [shell = '', flags = '', script = ''] = JSON.parse(
      ancestry('nginx').flatMap(of('ENTRYPOINT'))[0]?.text ?? '',
    ) as string[]
    const folder = mkdtempSync(path.join(tmpdir(), 'nginx-'))
    writeFileSync(path.join(folder, 'nginx'), '#!/bin/sh\necho started "$@"\n')
    chmodSync(path.join(folder, 'nginx'), 0o755)
    const start = (more: Record<string, string>) =>
      run(shell, [flags, script.replace('/srv/nginx', path.join(root, 'nginx'))], {
        PATH: `${folder}:${process.env['PATH']}`,
        ...environmentOf('nginx'),
        ...compose.services['nginx']?.environment,
        RATE_LIMIT_RPS: '200',
        LOGIN_RATE_LIMIT_RPM: '120',
        NGINX_WORKERS: '2',
        NGINX_RUNTIME_DIR: path.join(folder, 'run'),
        ...more,
      })
    const config = path.join(folder, 'run/nginx.conf')
    expect(await start({})).toEqual({ code: 0, stdout: `started -e stderr -p ${folder}/run -c ${config}\n` })
    expect(readFileSync(config, 'utf8')).toMatch(/server orders:8003 /)
    expect(await start({ ORDERS_UPSTREAM: 'nowhere' })).toEqual({ code: 1, stdout: '' })
    rmSync(folder, { recursive: true })
  })
})

function parseStages(text: string): Map<string, Stage> {
  const found = new Map<string, Stage>()
  let stage: Stage | undefined
  for (const instruction of DockerfileParser.parse(text).getInstructions()) {
    const text = instruction
      .getTextContent()
      .replace(/\\\n\s*/g, '')
      .replace(/^\S+\s+/, '')
    const args = text.split(/\s+/)
    const keyword = instruction.getKeyword()
    if (keyword === 'FROM') {
      stage = { base: args[0] ?? '', name: args[2] ?? '', instructions: [] }
      found.set(stage.name, stage)
    } else {
      stage?.instructions.push({ keyword, args, text })
    }
  }
  return found
}

/** A stage and the stages it is made from, nearest first. */
function ancestry(name: string): Stage[] {
  const stage = stages.get(name)
  return stage ? [stage, ...ancestry(stage.base)] : []
}

function of(keyword: string) {
  return ({ instructions }: Stage) => instructions.filter((instruction) => instruction.keyword === keyword).toReversed()
}

function leansOn({ base, instructions }: Stage): string[] {
  return [
    base,
    ...instructions.flatMap(({ args }) => args.flatMap((arg) => (arg.startsWith('--from=') ? arg.slice(7) : []))),
  ]
}

function environmentOf(stage: string): Record<string, string> {
  const pairs = ancestry(stage)
    .toReversed()
    .flatMap(of('ENV'))
    .flatMap(({ args }) => args)
  return Object.fromEntries(pairs.map((pair) => pair.split('=', 2) as [string, string]))
}

/** The shared parts of a configuration that `source` spreads, and what those spread. */
function sharedBy(source: string): string[] {
  const all = [...read('platform/src/config.ts').matchAll(/^export const (\w+Config) = \{[^]*?^\}/gm)]
  const own = all.filter(([, name]) => source.includes(`...${name}`)).map(([text]) => text)
  return own.flatMap((text) => [text, ...sharedBy(text)])
}

function variablesOf(source: string): string[] {
  return [...source.matchAll(/[\s{]([A-Z][A-Z0-9_]+): /g)].map(([, name = '']) => name)
}

function run(command: string, args: string[], env: Record<string, string>): Promise<{ code: number; stdout: string }> {
  return new Promise((resolve) => {
    execFile(command, args, { env }, (error, stdout) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout })
    })
  })
}
