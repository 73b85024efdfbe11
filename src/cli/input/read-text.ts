import { readFile, stat } from 'node:fs/promises'
import { type JsonValue, parseJson } from '../../core/json.ts'
import { isRefusal } from '../../core/refusal.ts'
import { usageError } from '../cli-error.ts'
import type { Io } from '../io.ts'

const MiB = 1024 * 1024
const MAX_FILE_BYTES = 4 * MiB

/** Reads a file, or standard input where the name is `-`. */
export async function readText(io: Io, name: string): Promise<string> {
  if (name === '-') return io.readStdin()
  try {
    if ((await stat(name)).size > MAX_FILE_BYTES) throw usageError(`${name} holds more than 4 MiB`)
    return await readFile(name, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw usageError(`${name} cannot be read (${code})`, 'name a file, or - for standard input')
  }
}

/** Reads JSON from a file or, where the name is `-`, standard input. */
export async function readJsonFile(io: Io, name: string): Promise<JsonValue> {
  return parsed(await readText(io, name), name === '-' ? 'standard input' : name)
}

/** Reads JSON as an argument gives it: the text itself, `@file`, or `-` for standard input. */
export async function readJsonArgument(io: Io, argument: string, what: string): Promise<JsonValue> {
  if (argument === '-') return readJsonFile(io, argument)
  if (argument.startsWith('@')) return readJsonFile(io, argument.slice(1))
  return parsed(argument, what)
}

function parsed(text: string, where: string): JsonValue {
  const value = parseJson(text.trim(), { maxBytes: MAX_FILE_BYTES })
  if (!isRefusal(value)) return value
  throw usageError(
    `${where} is not valid JSON: ${value.detail}`,
    'JSON may be given as text, as @file, or as - for standard input',
  )
}
