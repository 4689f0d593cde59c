import { resolve as resolveIn, type Contract } from '../contract'
import type { Resolve, Schema } from './values'

export type Parameter = { name: string; in: 'path' | 'query' | 'header'; required: boolean; schema: Schema }

/** What a document says of a call. */
export type Operation = {
  id: string
  /** In capitals. */
  method: string
  /** With parameters in braces. */
  path: string
  parameters: Parameter[]
  body: { required: boolean; content: Record<string, Schema> } | undefined
  responses: Record<string, Schema>
  /** `ignored`: a token that is sent is not looked at. */
  token: 'needed' | 'optional' | 'ignored'
  /** Undefined: any. */
  roles: readonly string[] | undefined
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace']

export function operationsOf(document: Contract): Operation[] {
  const resolve = <T>(node: unknown) => resolveIn<T>(document, node)
  return Object.entries((document.paths ?? {}) as Record<string, Schema>).flatMap(([path, item]) =>
    METHODS.filter((method) => method in item).map((method): Operation => {
      const said = resolve<Schema>(item[method])
      const parameters = [...((item['parameters'] ?? []) as unknown[]), ...((said['parameters'] ?? []) as unknown[])]
      const body = said['requestBody'] === undefined ? undefined : resolve<Schema>(said['requestBody'])
      const content = Object.entries((body?.['content'] ?? {}) as Record<string, { schema?: Schema }>)
      const security = said['security'] as object[] | undefined
      return {
        id: (said['operationId'] as string | undefined) ?? `${method.toUpperCase()} ${path}`,
        method: method.toUpperCase(),
        path,
        parameters: parameters.map((each) => {
          const { name, in: part, required = false, schema = {} } = resolve<Parameter>(each)
          return { name, in: part, required, schema: resolve<Schema>(schema) }
        }),
        body: body && {
          required: body['required'] === true,
          content: Object.fromEntries(content.map(([type, { schema = {} }]) => [type, schema])),
        },
        responses: (said['responses'] ?? {}) as Record<string, Schema>,
        token:
          !security || security.length === 0
            ? 'ignored'
            : security.some((each) => Object.keys(each).length === 0)
              ? 'optional'
              : 'needed',
        roles: Array.isArray(said['x-access']) ? (said['x-access'] as string[]) : undefined,
      }
    }),
  )
}

/** The problem codes that a response lists. */
export function codesOf(response: unknown, resolve: Resolve): string[] {
  const content = (resolve<Schema>(response)['content'] ?? {}) as Record<string, { schema?: Schema }>
  const schema = content['application/problem+json']?.schema
  if (!schema) return []
  const whole = resolve<Schema>(schema)
  const variants = (whole['oneOf'] ?? whole['anyOf'] ?? [whole]) as unknown[]
  return variants.flatMap((variant) => {
    const { code } = (resolve<Schema>(variant)['properties'] ?? {}) as { code?: { const?: string; enum?: string[] } }
    return code?.enum ?? (code?.const === undefined ? [] : [code.const])
  })
}
