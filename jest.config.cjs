/** @type {import('jest').Config} */
module.exports = {
  testEnvironment: 'node',
  roots: [
    'platform',
    'users',
    'products',
    'orders',
    'swagger',
    'gateway',
    'nginx',
    'scripts',
    'bench',
    'proof',
    'tests',
  ].map((d) => `<rootDir>/${d}`),
  testMatch: ['**/*.test.ts'],
  modulePathIgnorePatterns: ['/dist/', '<rootDir>/.data/'],
  // Prisma's migration engine is an ES module, which Jest can't require as it is.
  transformIgnorePatterns: ['/node_modules/(?!@prisma/schema-engine-wasm/)'],
  transform: {
    '^.+\\.ts$|/schema_engine_bg\\.js$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } } }],
  },
  moduleNameMapper: { '^@shop/platform/(.*)$': '<rootDir>/platform/src/$1.ts' },
  globalSetup: '<rootDir>/tests/support/global-setup.ts',
  globalTeardown: '<rootDir>/tests/support/global-teardown.ts',
  testTimeout: 60_000,
}
