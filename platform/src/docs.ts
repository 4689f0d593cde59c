import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Router, type RequestHandler } from 'express'
import helmet from 'helmet'
import { matchesAny, weakTag } from './conditional'
import { ProblemError } from './problems'

/** The colours of Swagger UI's logo, which this version writes into the page as a style element. */
const LOGO_STYLE = "'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='"

/** For pages whose scripts and styles are files of their own: nothing is inline and nothing comes from elsewhere. */
export const pagePolicy: RequestHandler = helmet.contentSecurityPolicy({
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'", LOGO_STYLE],
    imgSrc: ["'self'", 'data:'],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
  },
})

/** Answers the same every time, whole; caches revalidate it by its ETag. Text is UTF-8. */
export function constant(type: string, content: string | Buffer): RequestHandler {
  const etag = weakTag(content)
  return (request, response) => {
    response.set({ ETag: etag, 'Cache-Control': 'no-cache' })
    const seen = request.headers['if-none-match']
    if (seen !== undefined && matchesAny(seen, etag)) response.status(304).end()
    else response.set('Content-Type', type).send(content) // Express adds the charset to a type that has one
  }
}

/** For paths that are only read. */
export const onlyRead: RequestHandler = () => {
  throw new ProblemError('method-not-allowed', { headers: { Allow: 'GET, HEAD' } })
}

const ASSETS = {
  'swagger-ui.css': 'text/css',
  'swagger-ui-bundle.js': 'text/javascript',
  'swagger-ui-standalone-preset.js': 'text/javascript',
  'favicon-32x32.png': 'image/png',
  'favicon-16x16.png': 'image/png',
}
const assets = path.dirname(require.resolve('swagger-ui-dist/package.json'))

/** Swagger UI at `/docs/` for one or more documents; the first one is shown first. */
export function docsRouter(documents: readonly { name: string; url: string }[]): Router {
  const router = Router({ strict: true, caseSensitive: true })
  const serve = (url: string, ...handlers: RequestHandler[]) =>
    router
      .route(url)
      .get(...handlers)
      .all(onlyRead)
  serve('/docs', (_request, response) => response.redirect(301, '/docs/'))
  serve('/docs/', pagePolicy, constant('text/html', PAGE))
  serve('/docs/shop.css', constant('text/css', STYLE))
  serve('/docs/shop.js', constant('text/javascript', script(documents)))
  // Not sendFile: it raises errors of its own for a Range or an If-Match that it does not like.
  for (const [name, type] of Object.entries(ASSETS))
    serve(`/docs/${name}`, constant(type, readFileSync(path.join(assets, name))))
  return router
}

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>Shop API</title>
    <link rel="icon" type="image/png" sizes="32x32" href="favicon-32x32.png" />
    <link rel="icon" type="image/png" sizes="16x16" href="favicon-16x16.png" />
    <link rel="stylesheet" href="swagger-ui.css" />
    <link rel="stylesheet" href="shop.css" />
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="swagger-ui-bundle.js"></script>
    <script src="swagger-ui-standalone-preset.js"></script>
    <script src="shop.js"></script>
  </body>
</html>
`

/** https://swagger.io/docs/open-source-tools/swagger-ui/usage/configuration/ */
const script = (documents: readonly { name: string; url: string }[]) => `'use strict'
window.ui = SwaggerUIBundle({
  dom_id: '#swagger-ui',
  urls: ${JSON.stringify(documents)},
  'urls.primaryName': ${JSON.stringify(documents[0]?.name)},
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  layout: 'StandaloneLayout',
  deepLinking: true,
  defaultModelsExpandDepth: 0, // a closed list: there are more problems than things
  displayRequestDuration: true,
  persistAuthorization: true, // or the token is gone with the document that it was got in
  tryItOutEnabled: true,
  validatorUrl: null, // the validator is a service on the internet
})
window.ui.initOAuth({ clientId: '' }) // there are no clients to tell apart
`

const STYLE = `body {
  margin: 0;
  background: #fafafa;
}
.swagger-ui .topbar {
  padding: 8px 0;
  background: #16324f;
}
.swagger-ui .topbar a.link {
  flex: 1;
  max-width: none;
  font-size: 1.25em;
}
.swagger-ui .topbar a.link::before {
  content: 'Shop API';
}
.swagger-ui .topbar a.link svg,
.swagger-ui .topbar a.link img {
  display: none;
}
.swagger-ui .topbar .download-url-wrapper .select-label select {
  border-color: #7fb2e5;
}
.swagger-ui .info {
  margin: 30px 0 20px;
}
.swagger-ui .scheme-container {
  padding: 16px 0;
}
.swagger-ui .schemes-server-container {
  visibility: hidden; /* there is one: this */
}
`
