import tseslint from 'typescript-eslint'

const noEnv = {
  object: 'process',
  property: 'env',
  message: 'Only main.ts and the scripts read the environment; pass configuration in.',
}

export default tseslint.config(
  { ignores: ['**/dist/', '**/generated/', '.data/', '.tools/', 'artifacts/', 'tests/arch/fixture/', '**/*.cjs'] },
  ...tseslint.configs.recommendedTypeChecked.map((config) => ({ ...config, files: ['**/*.ts'] })),
  {
    files: ['**/*.ts'],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      'no-console': 'error',
      eqeqeq: 'error',
    },
  },
  {
    files: ['platform/src/**/*.ts', '{users,products,orders,swagger}/src/**/*.ts'],
    ignores: ['*/src/main.ts', 'platform/src/migrate-main.ts'],
    rules: { 'no-restricted-properties': ['error', noEnv] },
  },
  {
    files: ['orders/src/{domain,application}/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        { name: 'Date', message: 'Time comes from the Clock port.' },
        'process',
        'fetch',
        'setTimeout',
      ],
    },
  },
  {
    files: ['**/*.test.ts', 'tests/**/*.ts', '*/test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      'no-restricted-syntax': [
        'error',
        {
          selector: 'MemberExpression[object.name=/^(it|test|describe)$/][property.name=/^(only|skip|todo)$/]',
          message: 'No focused or skipped tests.',
        },
      ],
    },
  },
  { files: ['scripts/**/*.ts', 'bench/**/*.ts'], rules: { 'no-console': 'off' } },
)
