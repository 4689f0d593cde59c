// `node -r` this to run a TypeScript file as it stands: tests start processes of their own from the sources, never from an
// outdated build.
const { readFileSync } = require('node:fs')
const { transformSync } = require('@swc/core')

require.extensions['.ts'] = (module, filename) => {
  const options = {
    filename,
    module: { type: 'commonjs' },
    jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
  }
  module._compile(transformSync(readFileSync(filename, 'utf8'), options).code, filename)
}
