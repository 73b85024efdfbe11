#!/usr/bin/env node
// Stands in for Prisma's native schema engine, which would have to be downloaded.
//
// The Prisma CLI starts the program that PRISMA_SCHEMA_ENGINE_BINARY names and speaks JSON-RPC with it, one message a line,
// or starts it with `cli <command>`. This answers both, and lets Prisma's own engine, compiled to WebAssembly and published
// on npm, do the work over the driver adapters. Shadow databases, and the scratch database of prisma.config.ts, are PGlite
// in memory, so that writing and comparing migrations needs no server.
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { createInterface } from 'node:readline'
import { PGlite } from '@electric-sql/pglite'
import { PrismaPg } from '@prisma/adapter-pg'
import { bindMigrationAwareSqlAdapterFactory, ColumnTypeEnum } from '@prisma/driver-adapter-utils'
import pg from 'pg'
import { PrismaPGlite } from 'pglite-prisma-adapter'

const SCRATCH_HOST = 'scratch.invalid'
const ADAPTER_NAME = '@prisma/adapter-pg'
const require = createRequire(import.meta.url)

const options = readArguments(process.argv.slice(2))

function readArguments(args) {
  const found = { datamodels: [], wantsVersion: false, url: undefined, command: undefined }
  while (args.length > 0) {
    const name = args.shift()
    if (name === '--version' || name === '-V') found.wantsVersion = true
    else if (name === '--datamodels') {
      const path = args.shift()
      found.datamodels.push([path, readFileSync(path, 'utf8')])
    } else if (name === '--datasource') found.url = JSON.parse(args.shift()).url
    else if (name === '--enabled-preview-features' || name === '--extension-types') args.shift()
    else if (name === 'cli') found.command = args.shift()
  }
  return found
}

/** The CLI wants `<name> <commit>`; the package's version ends in that commit. */
function printVersion() {
  const path = require.resolve('@prisma/schema-engine-wasm').replace(/[^/]+$/, 'package.json')
  console.log(`schema-engine-wasm ${JSON.parse(readFileSync(path, 'utf8')).version.split('.').pop()}`)
}

// --- `cli` commands: the exit code is the answer, an error is the last line of the log

/** Prisma's error codes for what goes wrong before there is a connection. */
const CONNECT_ERRORS = { '3D000': 'P1003', '28P01': 'P1000', 28000: 'P1010', ECONNREFUSED: 'P1001' }

async function runCommand(command) {
  log('INFO', 'starting') // the CLI drops the first line
  try {
    if (isScratch()) return
    if (command === 'can-connect-to-database') await onServer(options.url, 'SELECT 1')
    else if (command === 'create-database') await createDatabase(options.url)
    else throw new Error(`the command ${command} is not supported`)
  } catch (error) {
    log('ERROR', error.message, { error_code: CONNECT_ERRORS[error.code] ?? 'P1011', is_panic: false })
    process.exitCode = 1
  }
}

async function createDatabase(url) {
  const server = new URL(url)
  const name = decodeURIComponent(server.pathname.slice(1))
  server.pathname = '/postgres'
  await onServer(server.href, `CREATE DATABASE ${pg.escapeIdentifier(name)}`)
}

async function onServer(url, sql) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(sql).finally(() => client.end())
}

// --- JSON-RPC: one request a line, answered in order

async function serve() {
  globalThis.PRISMA_WASM_PANIC_REGISTRY = {
    set_message: (message) => log('ERROR', `panic: ${message}`, { is_panic: true }),
  }
  const bindings = await loadBindings()
  let engine
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === '') continue
    const request = JSON.parse(line)
    if (request.method === undefined) continue // the CLI's answer to one of our notifications
    try {
      engine ??= await startEngine(bindings, request)
      send({ id: request.id, result: (await call(engine, request)) ?? null })
    } catch (error) {
      const data = { is_panic: false, message: error?.message ?? String(error), meta: error?.meta ?? {} }
      if (error?.code !== undefined) data.error_code = error.code
      send({ id: request.id, error: { code: 4466, message: data.message, data } })
    }
  }
  process.exit(0)
}

let printed = 0

async function call(engine, { method, params }) {
  if (method === 'evaluateDataLoss') return evaluateDataLoss(engine, params)
  if (method === 'createMigration') return createMigration(engine, params)
  const result = await engine[method === 'getDatabaseVersion' ? 'version' : method](params)
  // The native engine has the CLI print the text of a diff by a request of its own.
  if (method === 'diff' && result.stdout) {
    printed += 1
    send({ id: `print-${printed}`, method: 'print', params: { content: result.stdout } })
  }
  return result
}

// What follows stands in for two requests that the engine's WebAssembly build cannot do on PostgreSQL ("shadow DB must be
// provided through an external factory"), and `migrate dev` would stop there. A diff knows as much, but for the warnings
// about data that would be lost: read the migration.

async function evaluateDataLoss(engine, params) {
  const { exitCode } = await diffToSchema(engine, params, false)
  return { migrationSteps: exitCode === 2 ? 1 : 0, warnings: [], unexecutableSteps: [] }
}

async function createMigration(engine, params) {
  const { exitCode, stdout } = await diffToSchema(engine, params, true)
  const stamp = new Date()
    .toISOString()
    .replace(/[^0-9]/g, '')
    .slice(0, 14)
  return {
    connectorType: 'postgresql',
    extension: 'sql',
    generatedMigrationName: `${stamp}_${params.migrationName}`,
    // Without differences there is nothing to write, unless a draft was asked for.
    migrationScript: exitCode === 2 ? stdout : params.draft ? '-- This is an empty migration.\n' : null,
  }
}

const diffToSchema = (engine, { migrationsList, schema, filters }, script) =>
  engine.diff({
    from: { tag: 'migrations', ...migrationsList },
    to: { tag: 'schemaDatamodel', ...schema },
    filters,
    script,
    exitCode: true,
    shadowDatabaseUrl: null,
  })

const send = (message) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)

/** The CLI looks for its errors under this very `target`. */
function log(level, message, fields = {}) {
  const entry = {
    timestamp: new Date().toISOString(),
    level,
    fields: { message, ...fields },
    target: 'schema_engine::logger',
  }
  process.stderr.write(`${JSON.stringify(entry)}\n`)
}

// --- the engine and its databases

async function loadBindings() {
  const bindings = await import('@prisma/schema-engine-wasm/schema_engine_bg')
  const wasm = require.resolve('@prisma/schema-engine-wasm').replace(/[^/]+$/, 'schema_engine_bg.wasm')
  const { instance } = await WebAssembly.instantiate(await readFile(wasm), { './schema_engine_bg.js': bindings })
  bindings.__wbg_set_wasm(instance.exports)
  instance.exports.__wbindgen_start()
  return bindings
}

function startEngine(bindings, request) {
  const datamodels = options.datamodels.length > 0 ? options.datamodels : undefined
  const factory = bindMigrationAwareSqlAdapterFactory(databases(isScratch() || isBetweenFiles(request)))
  return bindings.SchemaEngine.new({ datamodels }, () => {}, factory)
}

const isScratch = () => options.url === undefined || new URL(options.url).hostname === SCRATCH_HOST

/** A comparison of files with files needs no database, though the engine opens one. */
const isBetweenFiles = ({ method, params }) =>
  method === 'diff' &&
  [params.from, params.to].every(({ tag }) => ['empty', 'schemaDatamodel', 'migrations'].includes(tag))

/** What the engine asks for connections. */
function databases(inMemory) {
  return {
    provider: 'postgres',
    adapterName: ADAPTER_NAME,
    connect: async () => connectingLate(inMemory ? openInMemory : openOnServer),
    connectToShadowDb: openInMemory,
  }
}

async function openOnServer() {
  const adapter = understandingChar(await new PrismaPg({ connectionString: options.url }).connect())
  // The adapter's own splits the script at every semicolon, those inside functions too.
  adapter.executeScript = async (script) => {
    await adapter.underlyingDriver().query(script)
  }
  return adapter
}

async function openInMemory() {
  const pglite = await PGlite.create()
  const adapter = understandingChar(await new PrismaPGlite(pglite).connect())
  // The adapter's own does not wait for the script to end.
  adapter.executeScript = async (script) => {
    await pglite.exec(script)
  }
  adapter.dispose = () => pglite.close()
  return adapter
}

/** Connects with the first statement: the engine opens a connection at its start, before the database may exist. */
function connectingLate(connect) {
  let connecting
  const adapter = () => {
    connecting ??= connect().catch((error) => {
      connecting = undefined
      throw error
    })
    return connecting
  }
  const late =
    (method) =>
    async (...args) =>
      (await adapter())[method](...args)
  return {
    provider: 'postgres',
    adapterName: ADAPTER_NAME,
    getConnectionInfo: () => ({ schemaName: 'public', supportsRelationJoins: true }),
    queryRaw: late('queryRaw'),
    executeRaw: late('executeRaw'),
    executeScript: late('executeScript'),
    startTransaction: late('startTransaction'),
    dispose: async () => {
      if (connecting !== undefined) await (await connecting).dispose()
    },
  }
}

/** PostgreSQL's internal "char" (and its array), which the catalogues use, the engine needs, and the adapters do not know. */
const CHAR_TYPES = {
  18: { readAs: 25, column: ColumnTypeEnum.Character },
  1002: { readAs: 1009, column: ColumnTypeEnum.CharacterArray },
}

function understandingChar(adapter) {
  const performIO = adapter.performIO.bind(adapter)
  const queryRaw = adapter.queryRaw.bind(adapter)
  let seen = []
  adapter.performIO = async (query) => {
    const result = await performIO(query)
    seen = []
    result.fields?.forEach((field, index) => {
      const type = CHAR_TYPES[field.dataTypeID]
      if (type === undefined) return
      field.dataTypeID = type.readAs
      seen.push([index, type.column])
    })
    return result
  }
  adapter.queryRaw = async (query) => {
    const result = await queryRaw(query)
    for (const [index, column] of seen) result.columnTypes[index] = column
    return result
  }
  return adapter
}

if (options.wantsVersion) printVersion()
else if (options.command !== undefined) await runCommand(options.command)
else await serve()
