import type { ESLint } from 'eslint'
import path from 'node:path'
import { fixture, marks, root, run } from './marks'

test('every planted line is reported for exactly what is wrong with it, and nothing else is', async () => {
  const args = ['--config', path.join(root, 'eslint.config.mjs'), '--format', 'json', '.']
  const { code, stdout } = await run('eslint/bin/eslint.js', args, fixture)
  const breaksArrows = new Set(marks('breaks').map(({ file }) => file))
  const found = (JSON.parse(stdout) as ESLint.LintResult[])
    .map(({ filePath, messages }) => ({ file: path.relative(fixture, filePath), messages }))
    .filter(({ file }) => !breaksArrows.has(file))
    .flatMap(({ file, messages }) => messages.map(({ line, ruleId }) => `${file}:${line} ${ruleId}`))
  const planted = marks('lint').map(({ file, line, name }) => `${file}:${line} ${name}`)
  expect(found.sort()).toEqual(planted.sort())
  expect(code).toBe(1)
})
