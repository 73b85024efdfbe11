import { z } from 'zod'
import { SUFFICIENT } from '../../commands/authorize-administrator.ts'
import type { JsonObject } from '../../core/json.ts'
import { PROBLEM_TYPE } from '../problem.ts'
import { HEADERS, PARAMETERS, PROBLEMS, Problem, SECURITY_SCHEMES, TAGS } from './openapi-parts.ts'
import { type DescribedSchemas, describeSchemas, mergePatchOf } from './openapi-schemas.ts'
import type { Route } from './route.ts'

/** The row that describes the others, and itself. The document is made when it is asked for first, and once. */
export function openapiRoute(issuer: string, others: readonly Route[]): Route {
  let text: string | undefined
  const route: Route = {
    ...{ method: 'GET', path: '/openapi.json', operation: 'describe', status: 200 },
    summary: 'Describes the admin API: this document.',
    shows: z.looseObject({ openapi: z.string() }),
    serve: async () => {
      text ??= JSON.stringify(openapiDocument(issuer, [...others, route]))
      return { status: 200, body: text }
    },
  }
  return route
}

/** The document of these rows, from the schemas by which they judge what is sent. */
function openapiDocument(issuer: string, routes: readonly Route[]): JsonObject {
  // Of a patch, what it changes: its own schema takes any member, and the document that it leads to is judged.
  const schemas = describeSchemas(
    new Set([Problem, ...routes.flatMap(({ body, patches, shows }) => [patches ?? body ?? shows, shows])]),
  )
  const paths: Record<string, Record<string, JsonObject>> = {}
  for (const route of routes) {
    const path = `/admin${route.path.replace(/:([a-z]+)/g, '{$1}')}`
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, schemas) }
  }
  return {
    openapi: '3.1.1',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'Writ admin API',
      version: '1',
      description:
        'Times are NumericDate: seconds since 1970-01-01 UTC. Members that are unknown are refused; no body at all is an ' +
        'empty object. Answers may get further members.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: issuer }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: { ...schemas.named },
      parameters: PARAMETERS,
      headers: HEADERS,
      responses: Object.fromEntries(
        Object.entries(PROBLEMS).map(([status, problem]) => [`Problem${status}`, problemResponse(status, problem)]),
      ),
      securitySchemes: SECURITY_SCHEMES,
    },
  }
}

function operation(route: Route, schemas: DescribedSchemas): JsonObject {
  const { method, path, need = method === 'GET' ? 'read' : 'write' } = route
  const names = [...path.matchAll(/:([a-z]+)/g)].map(([, name = '']) => name)
  const parameters = [
    ...names.map((name) => reference('parameters', `path_${name}`)),
    ...(route.filters === undefined ? [] : [reference('parameters', 'limit'), reference('parameters', 'cursor')]),
    ...filterParameters(route),
    ...(method === 'PATCH' ? [reference('parameters', 'if_match')] : []),
    ...(isRepeatable(route) ? [reference('parameters', 'idempotency_key')] : []),
  ]
  const body = requestBody(route, schemas)
  return {
    operationId: route.operation,
    summary: route.summary.replace(/\.$/, ''),
    tags: [path.split('/')[1] ?? ''],
    // The scopes are alternatives, the smallest first; with each goes a proof.
    security: SUFFICIENT[need].toReversed().map((scope) => ({ token: [scope], proof: [] })),
    ...(parameters.length > 0 && { parameters }),
    ...(body !== undefined && { requestBody: body }),
    responses: {
      [String(route.status)]: success(route, schemas),
      ...Object.fromEntries(
        problemsOf(route, body !== undefined).map((status) => [
          String(status),
          reference('responses', `Problem${status}`),
        ]),
      ),
    },
  }
}

/** Whether the route keeps its answer for a repeat. */
const isRepeatable = ({ method, need }: Route) => method === 'POST' && need !== 'read'

function requestBody({ method, body, patches }: Route, schemas: DescribedSchemas): JsonObject | undefined {
  if (body === undefined) return undefined
  if (method === 'PATCH') {
    const schema = mergePatchOf(schemas.of(patches ?? body))
    return {
      description: 'A merge patch (RFC 7396): what is not named stays as it is.',
      content: { 'application/merge-patch+json': { schema }, 'application/json': { schema } },
    }
  }
  const schema = schemas.of(body)
  const named = typeof schema.$ref === 'string' ? schemas.named[schema.$ref.split('/').at(-1) ?? ''] : schema
  if (Object.keys(named?.properties ?? {}).length === 0) return undefined
  return { required: named?.required !== undefined, content: { 'application/json': { schema } } }
}

function success(route: Route, schemas: DescribedSchemas): JsonObject {
  const { method, status, filters, shows, isVersioned } = route
  const shown = schemas.of(shows)
  const page = {
    type: 'object',
    properties: {
      items: { type: 'array', items: shown },
      next_cursor: { type: 'string', description: 'The cursor of the next page. Absent: this is the last.' },
    },
    required: ['items'],
  }
  const headers = [
    ...['X-Request-Id', 'DPoP-Nonce'],
    ...(isVersioned ? ['ETag'] : []),
    ...(status === 201 ? ['Location'] : []),
    ...(isRepeatable(route) ? ['Idempotent-Replayed'] : []),
  ]
  return {
    description: status === 201 ? 'It was made.' : method === 'GET' ? 'What was asked for.' : 'What became of it.',
    headers: headerReferences(headers),
    content: { 'application/json': { schema: filters === undefined ? shown : page } },
  }
}

/** Which problems a route can answer with; the status tells what to do, the problem what to mend. */
function problemsOf(route: Route, hasBody: boolean): readonly number[] {
  const { method, path, need } = route
  const changes = method !== 'GET' && need !== 'read'
  return [
    ...[400, 401, 403],
    ...(path.includes(':') ? [404] : []),
    ...(changes ? [409] : []),
    ...(method === 'PATCH' ? [412] : []),
    ...(hasBody ? [413, 415] : []),
    ...(hasBody || isRepeatable(route) ? [422] : []),
    ...(method === 'PATCH' ? [428] : []),
    ...[429, 500, 503],
  ]
}

function problemResponse(status: string, description: string): JsonObject {
  const more =
    status === '401' || status === '403' ? ['WWW-Authenticate'] : ['429', '503'].includes(status) ? ['Retry-After'] : []
  return {
    description,
    headers: headerReferences(['X-Request-Id', 'DPoP-Nonce', ...more]),
    content: { [PROBLEM_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
  }
}

/** What a list is filtered by, as parameters of its query. */
function filterParameters({ filters }: Route): readonly JsonObject[] {
  if (filters === undefined) return []
  const schemas = describeSchemas(new Set(Object.values(filters.shape) as z.ZodType[]))
  return Object.entries(filters.shape).map(([name, schema]) => {
    const { description, ...described } = schemas.of(schema as z.ZodType)
    return { name, in: 'query', ...(description !== undefined && { description }), schema: described }
  })
}

const reference = (kind: string, name: string): JsonObject => ({ $ref: `#/components/${kind}/${name}` })

const headerReferences = (names: readonly string[]): JsonObject =>
  Object.fromEntries(names.map((name) => [name, reference('headers', name)]))
