import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findTool, NGINX, type Wanted } from '../src/tools'
import { aFolder, cleanUp } from './support'

afterEach(cleanUp)

/** Nginx as if this machine had none of its own. */
const WANTED: Wanted = { ...NGINX, places: [] }

function aFile(path: string, mode = 0o755): string {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, '')
  chmodSync(path, mode)
  return path
}

test('the variable goes before PATH, PATH before the usual places, and these before what is unpacked', () => {
  const folder = aFolder()
  const tools = join(folder, 'tools')
  const unpacked = aFile(join(tools, 'nginx', 'start'))
  const place = aFile(join(folder, 'sbin', 'nginx'))
  const onPath = aFile(join(folder, 'bin', 'nginx'))
  const named = aFile(join(folder, 'named'))
  const PATH = `/nowhere:${join(folder, 'bin')}`
  const wanted = { ...WANTED, places: [place] }

  expect(findTool(wanted, { NGINX_BIN: named, PATH }, tools)).toBe(named)
  expect(findTool(wanted, { PATH }, tools)).toBe(onPath)
  expect(findTool(wanted, {}, tools)).toBe(place)
  expect(findTool(WANTED, {}, tools)).toBe(unpacked)
  expect(findTool(WANTED, {}, join(folder, 'elsewhere'))).toBeUndefined()
})

test('a file that is no program is passed over, and refused when named', () => {
  const folder = aFolder()
  const text = aFile(join(folder, 'nginx'), 0o644)
  expect(findTool(WANTED, { PATH: folder }, folder)).toBeUndefined()
  expect(() => findTool(WANTED, { NGINX_BIN: text }, folder)).toThrow(`NGINX_BIN names no program: ${text}`)
})
