import { defineConfig } from 'eslint/config'
import tseslint from 'typescript-eslint'

// What an import graph cannot show. Which file may import which is .dependency-cruiser.cjs's business alone.

const sources = '{platform,users,products,orders,swagger,gateway}/src/**/*.ts'
const entries = ['{users,products,orders,swagger,gateway}/src/main.ts', 'platform/src/migrate-main.ts']
const core = 'orders/src/{domain,application}/**/*.ts'
const tests = ['tests/**/*.ts', '*/test/**/*.ts', '**/*.test.ts']

const environment = {
  message: 'Only main.ts and the scripts read the environment; pass configuration in.',
  selectors: [
    'MemberExpression[object.name="process"][property.name="env"]',
    'MemberExpression[object.name="process"][property.value="env"]',
    'MemberExpression[object.property.name="process"][property.name="env"]',
    'VariableDeclarator[init.name="process"] > ObjectPattern > Property[key.name="env"]',
    'ImportDeclaration[source.value=/^(node:)?process$/] > ImportSpecifier[imported.name="env"]',
  ],
}
// `new Date(ms)`, `instanceof Date` and the type say nothing about now; every other use of the name could.
const clock = {
  message: 'Time comes from the Clock port; the domain takes `now`.',
  selectors: [
    'NewExpression[callee.name="Date"][arguments.length=0]',
    ':not(NewExpression, BinaryExpression[operator="instanceof"], TSTypeReference) > Identifier[name="Date"]',
  ],
}
const focus = {
  message: 'No focused, skipped or pending tests.',
  selectors: [
    'MemberExpression[object.name=/^(it|test|describe)$/][property.name=/^(only|skip|todo|failing)$/]',
    'MemberExpression[object.object.name=/^(it|test|describe)$/][property.name=/^(only|skip|todo|failing)$/]',
    'CallExpression[callee.name=/^(fit|fdescribe|xit|xtest|xdescribe)$/]',
  ],
}
const mocks = {
  message: 'Own code is never mocked: use an adapter or a real neighbour.',
  selectors: ['CallExpression[callee.object.name="jest"][callee.property.name=/^(mock|doMock|unstable_mockModule)$/]'],
}
/** One `no-restricted-syntax` setting: a later one for the same file replaces an earlier one, so they are given together. */
const no = (...bans) => [
  'error',
  ...bans.flatMap(({ message, selectors }) => selectors.map((selector) => ({ selector, message }))),
]

export default defineConfig(
  {
    ignores: ['**/dist/', '**/generated/', '.data/', '.tools/', 'artifacts/', 'coverage/', 'tests/arch/fixture/'],
  },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.{js,cjs,mjs}'],
    rules: { eqeqeq: 'error', 'no-unused-vars': 'error', 'no-var': 'error', 'prefer-const': 'error' },
  },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  { files: [sources], ignores: entries, rules: { 'no-restricted-syntax': no(environment) } },
  {
    files: [core],
    rules: {
      'no-restricted-syntax': no(environment, clock),
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Chance comes from a port.' },
      ],
      'no-restricted-globals': [
        'error',
        ...['process', 'globalThis', 'performance', 'crypto', 'fetch', 'Buffer', 'require', 'console'],
        ...['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'],
      ],
    },
  },
  {
    files: tests,
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off', // the body of a supertest answer is `any`
      'no-restricted-syntax': no(focus, mocks),
    },
  },
  { files: ['scripts/**/*.ts', 'bench/**/*.ts', 'proof/**/*.ts'], rules: { 'no-console': 'off' } },
)
