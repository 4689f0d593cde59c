import express, { Router } from 'express'
import helmet from 'helmet'
import swaggerUi from 'swagger-ui-express'

/** Swagger UI's own style attributes are the one thing that a strict policy must let through. */
const contentSecurityPolicy = helmet.contentSecurityPolicy({
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'", "'unsafe-inline'"],
    imgSrc: ["'self'", 'data:'],
    fontSrc: ["'self'"],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
  },
})

/** Swagger UI at `/docs/` for one or more documents; the first one is shown first. Nothing is loaded from elsewhere. */
export function docsRouter(documents: readonly { name: string; url: string }[]): Router {
  const router = Router({ strict: true })
  const page = swaggerUi.setup(undefined, {
    customSiteTitle: 'Shop API',
    swaggerOptions: {
      ...(documents.length === 1
        ? { url: documents[0]?.url }
        : { urls: documents, 'urls.primaryName': documents[0]?.name }),
      persistAuthorization: true,
      validatorUrl: null,
      displayRequestDuration: true,
      tryItOutEnabled: true,
      tagsSorter: 'none',
    },
    ...(documents.length > 1 && { explorer: true }),
  })
  router.get('/docs', (_request, response) => response.redirect(301, '/docs/'))
  router.use('/docs/', contentSecurityPolicy, express.Router().use(swaggerUi.serve))
  router.get('/docs/', contentSecurityPolicy, page)
  return router
}
