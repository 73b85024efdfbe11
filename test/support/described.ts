import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { expect } from 'vitest'
import { isRefusal } from '../../src/core/refusal.ts'
import { adminRoutes } from '../../src/http/admin/routes.ts'
import type { Answer } from './clients.ts'

// biome-ignore lint/suspicious/noExplicitAny: a test reads the document as a stranger would, without our types
export type OpenapiDocument = any

/** The document as the server of this issuer answers it. */
export async function openapiOf(issuer: string): Promise<OpenapiDocument> {
  const row = adminRoutes(issuer).find(({ path }) => path === '/openapi.json')
  const answer = await row?.serve({} as never)
  if (answer === undefined || isRefusal(answer)) throw new Error('no document')
  return JSON.parse(answer.body)
}

export interface Described {
  /** The operations that were answered with success, by `operationId`. */
  readonly succeeded: Set<string>
  /** Fails unless the answer is as the document says, and the request too where it was granted. */
  readonly check: (method: string, path: string, answer: Answer, sent?: unknown) => void
}

/** Holds answers against the document: status, media type, headers, and every member, none missing and none more. */
export function described(document: OpenapiDocument): Described {
  const answers = schemas(closed(document))
  const requests = schemas(document)
  const succeeded = new Set<string>()
  const operations = Object.entries<OpenapiDocument>(document.paths).map(([path, item]) => ({
    item,
    path,
    pattern: new RegExp(`^${path.replaceAll('.', '\\.').replaceAll(/\{[a-z]+\}/g, '[^/]+')}$`),
  }))
  return {
    succeeded,
    check: (method, target, answer, sent) => {
      const pathname = target.split('?')[0] ?? ''
      const found = operations.filter(({ pattern }) => pattern.test(pathname))
      const { path, item } = found.find((each) => !each.path.includes('{')) ?? found[0] ?? {}
      const operation = item?.[method.toLowerCase()]
      if (path === undefined || operation === undefined) return
      const name = `${method} ${path} ${answer.status}`
      const at = ['paths', path, method.toLowerCase()]
      const given = operation.responses[answer.status]
      expect(given, `${name} is described`).toBeDefined()
      const [place, response] = resolved(document, [...at, 'responses', String(answer.status)], given)
      const type = answer.headers['content-type']?.toString().split(';')[0] ?? ''
      expect(Object.keys(response.content), name).toEqual([type])
      expect(answers([...place, 'content', type, 'schema'], answer.body), name).toEqual([])
      const carried = ['ETag', 'Location'].filter((header) => answer.headers[header.toLowerCase()] !== undefined)
      const isRepeated = answer.headers['idempotent-replayed'] !== undefined
      const promised = ['ETag', 'Location'].filter((header) => header in response.headers)
      expect(carried, name).toEqual(isRepeated ? promised.filter((header) => header !== 'ETag') : promised)
      if (answer.status >= 400) return
      succeeded.add(operation.operationId)
      const body = operation.requestBody
      if (sent === undefined || body === undefined) return
      for (const media of Object.keys(body.content)) {
        expect(requests([...at, 'requestBody', 'content', media, 'schema'], sent), name).toEqual([])
      }
    },
  }
}

/** Checks values against the schemas of a document; says what is wrong. */
export function schemas(document: OpenapiDocument) {
  const ajv = new Ajv2020({
    ...{ strict: true, strictTypes: false, strictRequired: false, allErrors: true },
    formats: { email: true, uri: true, 'uri-reference': true },
  })
  // The document itself is no schema; what lies in it is found by pointer.
  ajv.addVocabulary(['components', 'paths'])
  ajv.addSchema({ $id: 'openapi', components: document.components, paths: document.paths })
  const compiled = new Map<string, ValidateFunction>()
  return (place: readonly string[], value: unknown): readonly string[] => {
    const pointer = place.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')
    const validate = compiled.get(pointer) ?? ajv.compile({ $ref: `openapi#/${pointer}` })
    compiled.set(pointer, validate)
    return validate(value)
      ? []
      : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`)
  }
}

function resolved(
  document: OpenapiDocument,
  place: readonly string[],
  value: OpenapiDocument,
): [readonly string[], OpenapiDocument] {
  if (value.$ref === undefined) return [place, value]
  const target = String(value.$ref).slice(2).split('/')
  return [target, target.reduce((at, name) => at[name], document)]
}

/** The document, with nothing allowed that it does not name. */
function closed(value: OpenapiDocument): OpenapiDocument {
  if (Array.isArray(value)) return value.map(closed)
  if (typeof value !== 'object' || value === null) return value
  const copy = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, closed(member)]))
  const isSchema = value.type === 'object' && value.properties !== undefined
  return isSchema && value.additionalProperties === undefined ? { ...copy, additionalProperties: false } : copy
}
