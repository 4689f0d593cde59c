// The arrows of the house. Most rules are allow-lists (`pathNot`): what nobody listed is refused, so a new package or a new
// folder needs a line here. tests/arch plants a violation of every rule and requires each to fire.

const anySource = '^(platform|users|products|orders|swagger|gateway)/src/'
const npm = (...packages) => `node_modules/(${packages.join('|')})/`
const ordersCore = '^orders/src/(domain|application)/'
const platform = '^platform/src/'
const anyPackage = 'node_modules/'

/** `from` may import what matches `may`, and nothing else; `core` says whether that includes Node's own modules. */
const sees = (name, from, may, { core = false } = {}) => ({
  name,
  severity: 'error',
  from: { path: from },
  to: { pathNot: may, ...(core && { dependencyTypesNot: ['core'] }) },
})

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    // the hexagon
    sees('domain-is-pure', '^orders/src/domain/', ['^orders/src/domain/']),
    sees('application-sees-only-domain', '^orders/src/application/', [ordersCore]),
    sees('http-adapter-sees-only-what-is-listed', '^orders/src/adapters/http/', [
      ordersCore,
      '^orders/src/adapters/http/',
      platform,
      npm('express', 'zod'),
    ]),
    sees('postgres-adapter-sees-only-what-is-listed', '^orders/src/adapters/postgres/', [
      ordersCore,
      '^orders/src/adapters/postgres/',
      platform,
      npm('pg', 'uuidv7'),
    ]),
    sees('memory-adapter-sees-only-the-core', '^orders/src/adapters/memory/', [
      ordersCore,
      '^orders/src/adapters/memory/',
    ]),
    sees('http-client-adapter-sees-only-what-is-listed', '^orders/src/adapters/http-client/', [
      ordersCore,
      '^orders/src/adapters/http-client/',
      npm('zod'),
    ]),
    {
      name: 'adapters-do-not-meet',
      severity: 'error',
      from: { path: '^orders/src/adapters/([^/]+)/' },
      to: { path: '^orders/src/adapters/', pathNot: '^orders/src/adapters/$1/' },
    },
    sees('app-sees-only-http', '^orders/src/(app|document)\\.ts$', [
      ordersCore,
      '^orders/src/adapters/http/',
      platform,
      npm('express'),
    ]),
    {
      name: 'only-main-wires-adapters',
      comment: 'app.ts mounts the http adapter and document.ts describes it; main.ts alone builds the others.',
      severity: 'error',
      from: { path: anySource, pathNot: '^orders/src/((main|app|document)\\.ts$|adapters/)' },
      to: { path: '^orders/src/adapters/' },
    },
    sees('main-sees-only-orders-and-platform', '^orders/src/main\\.ts$', ['^orders/src/', platform, anyPackage], {
      core: true,
    }),
    {
      name: 'main-never-uses-memory',
      severity: 'error',
      from: { path: '^orders/src/main\\.ts$' },
      to: { path: '^orders/src/adapters/memory/' },
    },
    {
      name: 'orders-has-only-these-places',
      comment: 'A file elsewhere, or an adapter without an allow-list, would be under no rule.',
      severity: 'error',
      from: {
        path: '^orders/src/',
        pathNot:
          '^orders/src/((main|app|document)\\.ts$|domain/|application/|adapters/(http|http-client|postgres|memory)/)',
      },
      to: {},
    },

    // the services and what they share
    {
      name: 'services-do-not-meet',
      severity: 'error',
      from: { path: '^(users|products|orders|swagger|gateway)/src/' },
      to: { path: '^(users|products|orders|swagger|gateway)/', pathNot: '^$1/' },
    },
    sees('platform-knows-no-service', platform, [platform, anyPackage], { core: true }),
    sees('users-sees-only-platform', '^users/src/', ['^users/src/', platform, anyPackage], { core: true }),
    sees('products-sees-only-platform', '^products/src/', ['^products/src/', platform, anyPackage], { core: true }),
    sees('swagger-sees-only-platform', '^swagger/src/', ['^swagger/src/', platform, npm('express', 'zod')], {
      core: true,
    }),
    sees('gateway-sees-only-platform', '^gateway/src/', ['^gateway/src/', platform, npm('zod')], {
      core: true,
    }),
    {
      name: 'src-never-imports-tests-or-scripts',
      severity: 'error',
      from: { path: anySource },
      to: { path: '^(tests/|scripts/|proof/|(platform|users|products|orders|swagger|gateway)/test/)' },
    },
    {
      name: 'src-uses-declared-dependencies',
      comment: 'In production only the dependencies in the workspace’s own package.json are installed.',
      severity: 'error',
      from: { path: anySource },
      to: { dependencyTypes: ['npm-dev', 'npm-optional', 'npm-peer', 'npm-no-pkg', 'npm-unknown', 'undetermined'] },
    },
    {
      name: 'nobody-imports-an-entry',
      comment: 'A main reads the environment and starts a process as it loads.',
      severity: 'error',
      from: {},
      to: { path: '^((users|products|orders|swagger|gateway)/src/main|platform/src/migrate-main)\\.ts$' },
    },

    // tests and scripts
    {
      name: 'service-tests-stay-home',
      comment: 'What needs two services lives in the top-level tests/.',
      severity: 'error',
      from: { path: '^(platform|users|products|orders|swagger|gateway)/test/' },
      to: { path: '^(users|products|orders|swagger|gateway)/', pathNot: '^$1/' },
    },
    {
      name: 'scripts-see-no-service',
      severity: 'error',
      from: { path: '^scripts/' },
      to: { path: '^(users|products|orders|swagger|gateway)/' },
    },
    {
      name: 'proof-stays-outside',
      comment: 'Whoever checks a shop from outside shares no code with it: the address is all there is.',
      severity: 'error',
      from: { path: '^proof/src/', pathNot: '^proof/src/(chaos|mutants)/' },
      to: { pathNot: ['^proof/src/', anyPackage], dependencyTypesNot: ['core'] },
    },
    {
      ...sees('chaos-sees-the-stack-and-no-service', '^proof/src/chaos/', ['^proof/src/', '^scripts/src/', npm('pg')], {
        core: true,
      }),
      comment: 'The lab starts the shop and lays hands on what it stands on; of its code it knows nothing.',
    },
    {
      ...sees('mutants-see-scripts-and-no-service', '^proof/src/mutants/', ['^proof/src/', '^scripts/src/'], {
        core: true,
      }),
      comment: 'They are made of the working tree as text: whatever is broken in it, the runner is not.',
    },
    {
      name: 'proof-parts-do-not-meet',
      severity: 'error',
      from: { path: '^proof/src/([^/]+)/' },
      to: { path: '^proof/src/[^/]+/', pathNot: '^proof/src/$1/' },
    },
    {
      name: 'proof-parts-share-plain-files',
      comment: 'What all parts use knows none of them.',
      severity: 'error',
      from: { path: '^proof/src/[^/]+\\.ts$' },
      to: { path: '^proof/src/[^/]+/' },
    },
    {
      name: 'bootstrap-needs-no-install',
      comment: 'It runs on a fresh clone, before npm install.',
      severity: 'error',
      from: { path: '^scripts/run\\.mjs$' },
      to: { path: anyPackage },
    },

    // everywhere
    {
      name: 'no-built-code',
      comment: 'An alias that stops resolving to src falls back to dist, where no rule looks.',
      severity: 'error',
      from: { pathNot: '^scripts/run\\.mjs$' },
      to: { path: '^(platform|users|products|orders|swagger|gateway|scripts)/dist/' },
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    tsPreCompilationDeps: true, // without it type-only imports are invisible
    detectJSDocImports: true,
    detectProcessBuiltinModuleCalls: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules|^tests/arch/fixture/|(^|/)(dist|generated)/' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['require', 'node', 'default', 'types'] },
  },
}
