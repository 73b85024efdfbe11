import { z } from 'zod'
import type { ExplainedType } from '../../core/delegation/explain/explain-bound.ts'
import { isJsonArray, isJsonObject, type JsonObject } from '../../core/json.ts'
import { CliError, EXIT, usageError } from '../cli-error.ts'
import type { AdminApi } from '../connection/admin-api.ts'
import { readJsonFile } from '../input/read-text.ts'
import type { Io } from '../io.ts'
import { NotationError, pointAt } from '../notation/notation-error.ts'
import { toBound, typeNamedBy } from '../notation/to-bound.ts'

/** Bounds as they go to the server, and what the notation let open. */
export interface Bounds {
  readonly bounds: readonly JsonObject[]
  /** One sentence for each bound that does not mention what every action has. */
  readonly notes: readonly string[]
}

/** Reads `--allow` in the short notation and `--bounds` as JSON. */
export async function readBounds(
  io: Io,
  api: AdminApi,
  { allow = [], bounds: file }: { readonly allow?: readonly string[]; readonly bounds?: string },
): Promise<Bounds> {
  const json = file === undefined ? [] : await readJsonBounds(io, file)
  const { bounds, notes } = await readNotation(api, allow, '--allow')
  return { bounds: [...bounds, ...json], notes }
}

/** Reads bounds in the short notation. `option` is where they stand. */
export async function readNotation(api: AdminApi, texts: readonly string[], option: string): Promise<Bounds> {
  const bounds: JsonObject[] = []
  const notes: string[] = []
  for (const text of texts) {
    const type = await readActionType(
      api,
      located(option, text, () => typeNamedBy(text)),
    )
    if (type === undefined) {
      const name = typeNamedBy(text)
      throw usageError(
        `${option}: there is no action type "${name}"`,
        'see them: writ action-types list',
        pointAt(text, text.indexOf(name)),
      )
    }
    const { bound, implied } = located(option, text, () => toBound(text, type))
    bounds.push(bound)
    if (implied.length > 0)
      notes.push(
        `${type.type}: ${implied.join(', ')} may be anything (every action has it, and ${option} does not mention it)`,
      )
  }
  return { bounds, notes }
}

/** Says where in the notation it went wrong. */
function located<T>(option: string, text: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof NotationError)) throw error
    throw usageError(
      `${option}: ${error.message}`,
      'the notation: writ delegations create --help',
      pointAt(text, error.at),
    )
  }
}

async function readJsonBounds(io: Io, file: string): Promise<readonly JsonObject[]> {
  const json = await readJsonFile(io, file)
  const bounds = isJsonArray(json) ? json : [json]
  if (bounds.length > 0 && bounds.every(isJsonObject)) return bounds
  throw usageError(`--bounds: ${file} must hold a bound, or an array of bounds`, 'docs/bounds.md has an example')
}

const TypeAnswer = z.object({
  type: z.string(),
  title: z.string(),
  template: z.string(),
  schema: z.record(z.string(), z.json()),
  digestible: z.record(z.string(), z.unknown()),
})

/** What the server knows of an action type, suspended ones too; undefined when there is none of this name. */
export async function readActionType(api: AdminApi, type: string): Promise<ExplainedType | undefined> {
  const path = `/admin/action-types/${encodeURIComponent(type)}`
  const reply = await api.call('GET', path)
  if (reply.status === 404) return undefined
  const parsed = TypeAnswer.safeParse(reply.status === 200 ? reply.json : await api.ask('GET', path))
  if (!parsed.success) throw new CliError(EXIT.unreachable, 'the answer is no action type', { where: path })
  return parsed.data
}
