import { execFile } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'
import path from 'node:path'

export const root = path.resolve(__dirname, '../..')
export const fixture = path.join(__dirname, 'fixture')

/** Runs a tool of node_modules as a command does: in its own process, from `cwd`. */
export function run(
  tool: string,
  args: string[],
  cwd: string,
): Promise<{ code: number; stdout: string; stderr: string }> {
  const bin = path.join(root, 'node_modules', tool)
  return new Promise((resolve) => {
    execFile(process.execPath, [bin, ...args], { cwd, maxBuffer: 256 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ code, stdout, stderr })
    })
  })
}

/** Source files under `folder`, relative to it, with forward slashes. */
export function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.(ts|mjs|cjs)$/.test(entry.name))
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
    .filter((file) => !/(^|\/)(node_modules|dist|generated)\//.test(file))
    .sort()
}

/** Lines of the fixture that end in `// <verb>: name, name`, one entry a name. */
export function marks(verb: string): { file: string; line: number; text: string; name: string }[] {
  return sourceFiles(fixture).flatMap((file) =>
    readFileSync(path.join(fixture, file), 'utf8')
      .split('\n')
      .flatMap((text, index) => {
        const names = text.split(`// ${verb}: `)[1]?.split(', ') ?? []
        return names.map((name) => ({ file, line: index + 1, text, name }))
      }),
  )
}
