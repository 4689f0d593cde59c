import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { nginxProgram, render, renderScript } from './nginx'

const folders: string[] = []
const folder = (name = 'shop nginx & sons | '): string => {
  const made = mkdtempSync(join(tmpdir(), name))
  folders.push(made)
  return made
}
afterAll(() => folders.forEach((each) => rmSync(each, { recursive: true, force: true })))

const shells = ['sh', 'dash', 'bash'].filter((shell) => !spawnSync(shell, ['-c', ':']).error)

const refusal = (variables: Record<string, string>, script = renderScript) => {
  const { status, stdout, stderr } = spawnSync('sh', [script], {
    env: { PATH: process.env['PATH'], ...variables },
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

describe('rendering', () => {
  test.each(shells)('with %s fills in every placeholder, with the promised defaults', (shell) => {
    const dir = folder()
    const config = render({ NGINX_RUNTIME_DIR: dir }, shell)
    expect(config).not.toMatch(/@[A-Z_]+@/)
    for (const line of [
      'listen 127.0.0.1:8080 default_server backlog=1024;',
      'server 127.0.0.1:8001 max_fails=1 fail_timeout=1s;',
      'server 127.0.0.1:8002 max_fails=1 fail_timeout=1s;',
      'server 127.0.0.1:8003 max_fails=1 fail_timeout=1s;',
      'server 127.0.0.1:8004 max_fails=1 fail_timeout=1s;',
      'limit_req_zone $binary_remote_addr zone=address:10m rate=200r/s;',
      'limit_req zone=address burst=400 nodelay;',
      'limit_req_zone $login_address zone=login:10m rate=120r/m;',
      'limit_req zone=login burst=120 nodelay;',
      `pid "${dir}/nginx.pid";`,
      `access_log "${dir}/access.log" json;`,
    ])
      expect(config.split('\n').map((each) => each.trim())).toContain(line)
  })

  test('is the same in every shell', () => {
    const variables = {
      NGINX_RUNTIME_DIR: folder(),
      ORDERS_UPSTREAM: 'orders-1:8003,orders-2:8003',
      RATE_LIMIT_RPS: '0',
    }
    expect(new Set(shells.map((shell) => render(variables, shell))).size).toBe(1)
  })

  test('lists several replicas of a service', () => {
    const config = render({ NGINX_RUNTIME_DIR: folder(), ORDERS_UPSTREAM: 'orders-1:8003,10.0.0.7:9000,[::1]:8003' })
    expect(/upstream orders \{\s*([^}]*?)\s*keepalive/.exec(config)?.[1]).toBe(
      ['orders-1:8003', '10.0.0.7:9000', '[::1]:8003']
        .map((each) => `server ${each} max_fails=1 fail_timeout=1s;`)
        .join(' '),
    )
  })

  const needed = { NGINX_RUNTIME_DIR: '/tmp' }
  test.each<[string, Record<string, string>]>([
    ['NGINX_RUNTIME_DIR', {}],
    ['NGINX_RUNTIME_DIR', { NGINX_RUNTIME_DIR: '' }],
    ['NGINX_RUNTIME_DIR', { NGINX_RUNTIME_DIR: '.data/nginx' }],
    ['NGINX_RUNTIME_DIR', { NGINX_RUNTIME_DIR: '/tmp/"; load_module x; "' }],
    ['NGINX_RUNTIME_DIR', { NGINX_RUNTIME_DIR: '/tmp/$pid' }],
    ['NGINX_RUNTIME_DIR', { NGINX_RUNTIME_DIR: '/tmp/back\\slash' }],
    ['NGINX_RUNTIME_DIR', { NGINX_RUNTIME_DIR: '/tmp\n/x' }],
    ['NGINX_ACCESS_LOG', { ...needed, NGINX_ACCESS_LOG: 'off' }],
    ['NGINX_ERROR_LOG', { ...needed, NGINX_ERROR_LOG: '' }],
    ['HTTP_PORT', { ...needed, HTTP_PORT: '' }],
    ['HTTP_PORT', { ...needed, HTTP_PORT: '0' }],
    ['HTTP_PORT', { ...needed, HTTP_PORT: '65536' }],
    ['HTTP_PORT', { ...needed, HTTP_PORT: '80a' }],
    ['HTTP_PORT', { ...needed, HTTP_PORT: '8080\n; evil' }],
    ['HTTP_HOST', { ...needed, HTTP_HOST: '' }],
    ['HTTP_HOST', { ...needed, HTTP_HOST: '127.0.0.1;' }],
    ['HTTP_HOST', { ...needed, HTTP_HOST: '::1' }],
    ['USERS_UPSTREAM', { ...needed, USERS_UPSTREAM: '' }],
    ['USERS_UPSTREAM', { ...needed, USERS_UPSTREAM: 'users' }],
    ['PRODUCTS_UPSTREAM', { ...needed, PRODUCTS_UPSTREAM: 'http://products:8002' }],
    ['ORDERS_UPSTREAM', { ...needed, ORDERS_UPSTREAM: 'a:8003,' }],
    ['ORDERS_UPSTREAM', { ...needed, ORDERS_UPSTREAM: 'a:8003, b:8003' }],
    ['ORDERS_UPSTREAM', { ...needed, ORDERS_UPSTREAM: 'a:8003,b:99999' }],
    ['ORDERS_UPSTREAM', { ...needed, ORDERS_UPSTREAM: 'localhost:8003' }],
    ['SWAGGER_UPSTREAM', { ...needed, SWAGGER_UPSTREAM: 'a:1;b:2' }],
    ['RATE_LIMIT_RPS', { ...needed, RATE_LIMIT_RPS: '' }],
    ['RATE_LIMIT_RPS', { ...needed, RATE_LIMIT_RPS: '-1' }],
    ['RATE_LIMIT_RPS', { ...needed, RATE_LIMIT_RPS: '1.5' }],
    ['RATE_LIMIT_RPS', { ...needed, RATE_LIMIT_RPS: '010' }],
    ['RATE_LIMIT_RPS', { ...needed, RATE_LIMIT_RPS: '99999999999999999999' }],
    ['LOGIN_RATE_LIMIT_RPM', { ...needed, LOGIN_RATE_LIMIT_RPM: 'many' }],
    ['NGINX_WORKERS', { ...needed, NGINX_WORKERS: '0' }],
    ['NGINX_WORKERS', { ...needed, NGINX_WORKERS: '2; user root' }],
  ])('refuses a bad %s and prints nothing else: %j', (name, variables) => {
    const { status, stdout, stderr } = refusal(variables)
    expect([status, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(new RegExp(`^nginx/render\\.sh: ${name}\\b`))
  })

  test('refuses a template with a placeholder that it does not know', () => {
    const dir = folder()
    copyFileSync(renderScript, join(dir, 'render.sh'))
    writeFileSync(join(dir, 'nginx.conf.template'), 'listen @HTTP_PORT@;\nuser @NGINX_USER@;\n')
    expect(refusal(needed, join(dir, 'render.sh'))).toEqual({
      status: 1,
      stdout: '',
      stderr: expect.stringContaining('@NGINX_USER@'),
    })
  })
})

describe('the rendered file', () => {
  const check = (variables: Record<string, string>, user?: { uid: number; gid: number }) => {
    const dir = folder('shop nginx ')
    writeFileSync(join(dir, 'nginx.conf'), render({ NGINX_RUNTIME_DIR: dir, ...variables }))
    chmodSync(dir, 0o755)
    if (user) chownSync(dir, user.uid, user.gid)
    const { status, stderr } = spawnSync(
      nginxProgram(),
      ['-e', 'stderr', '-p', dir, '-c', join(dir, 'nginx.conf'), '-t'],
      {
        encoding: 'utf8',
        ...user,
      },
    )
    return {
      status,
      complaints: stderr.split('\n').filter((line) => line && !/syntax is ok|is successful/.test(line)),
      dir,
    }
  }

  test.each<[string, Record<string, string>]>([
    ['the defaults', {}],
    ['limits off', { RATE_LIMIT_RPS: '0', LOGIN_RATE_LIMIT_RPM: '0' }],
    ['one limit off', { RATE_LIMIT_RPS: '0' }],
    ['small limits', { RATE_LIMIT_RPS: '1', LOGIN_RATE_LIMIT_RPM: '1', NGINX_WORKERS: 'auto' }],
    ['the container', { HTTP_HOST: '0.0.0.0', NGINX_ACCESS_LOG: '/dev/null', NGINX_ERROR_LOG: 'stderr' }],
    ['IPv6 and replicas', { HTTP_HOST: '[::1]', ORDERS_UPSTREAM: '[::1]:8003,127.0.0.1:8003' }],
  ])('passes nginx -t without a warning: %s', (_name, variables) => {
    expect(check(variables)).toMatchObject({ status: 0, complaints: [] })
  })

  test('passes nginx -t as an ordinary user, who finds every folder inside the runtime directory', () => {
    // As root, as somebody who owns nothing else; otherwise the tests themselves run as an ordinary user.
    const { status, complaints, dir } = check({}, process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : undefined)
    expect({ status, complaints }).toEqual({ status: 0, complaints: [] })
    for (const each of ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'])
      expect(existsSync(join(dir, `${each}_temp`))).toBe(true)
    expect(readFileSync(join(dir, 'access.log'), 'utf8')).toBe('')
  })
})
