import { withSection } from '../src/readme'

const readme = '# Shop\n<!-- bench:start -->\nold\n<!-- bench:end -->\n<!-- other:start -->\nkept\n<!-- other:end -->\n'

test('a section is replaced, again and again, and no other one', () => {
  const once = withSection(readme, 'bench', 'new')
  expect(once).toBe(readme.replace('old', () => '\nnew\n'))
  expect(withSection(once, 'bench', 'new')).toBe(once)
})

test('a README without a place for it stays as it is', () => {
  expect(withSection('# Shop\n', 'bench', 'new')).toBe('# Shop\n')
})
