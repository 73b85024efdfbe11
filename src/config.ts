import { readFileSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { refuseOutboundUrl } from './adapters/net/guarded-fetch.ts'
import { isLoopbackIssuer, UpstreamConfig, withUpstreamSecrets } from './upstream-config.ts'

const LOOPBACK_HOSTS: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]'])
const SECONDS_A_DAY = 86_400

const Seconds = z.number().int().min(1)
const Port = z.number().int().min(0).max(65_535)
const Limit = z.strictObject({
  /** Requests a second that are let through in the long run. */
  perSecond: z.number().min(0.001).max(1_000_000),
  /** Requests that may come at once. */
  burst: z.number().int().min(1).max(1_000_000),
})

/** Everything the process can be told. Unknown keys are refused: a typo must not become a default. */
export const Config = z
  .strictObject({
    /** Issuer identifier (RFC 8414 §2): an origin. Absent: `http://localhost:<port>`, development only. */
    issuer: z.string().max(2_048).optional(),
    /** Address to listen on. Absent: loopback, both 127.0.0.1 and ::1. */
    host: z.string().min(1).max(255).optional(),
    /** 0 picks a free one. */
    port: Port.default(3000),
    /** Processes that serve on that port. 1: this one; more: workers of this one, and PostgreSQL. */
    workers: z.number().int().min(1).max(256).default(1),
    /** Where key files, the first administrator's credential and the embedded database live. */
    dataDirectory: z.string().min(1).max(4_096),
    /** PostgreSQL connection string. Absent: the embedded database. */
    databaseUrl: z
      .string()
      .max(4_096)
      .regex(/^postgres(ql)?:\/\//, 'must begin with postgresql://')
      .optional(),
    /** 32 bytes, base64url. Absent: `<data directory>/kek`, made at the first start. */
    keyEncryptionKey: z
      .string()
      .regex(/^[A-Za-z0-9_-]{43}$/, 'must be 32 bytes as 43 characters of base64url')
      .optional(),
    /** In production the embedded database must be chosen, it is not fallen back to. */
    allowEmbeddedDatabase: z.boolean('must be true or false').default(false),
    production: z.boolean('must be true or false').default(false),
    /** How long an action token lives where its resource does not say. Unit: seconds. */
    actionTokenSeconds: Seconds.max(300).default(60),
    /** How long an agent token or an administrator's token lives. Unit: seconds. */
    clientTokenSeconds: Seconds.max(3_600).default(300),
    /** How long a client attestation is good before the agent asks for another. Unit: seconds. */
    attestationSeconds: Seconds.max(3_600).default(600),
    /** How long an action waits for somebody's yes, and the longest an agent may ask for. Unit: seconds. */
    approvalSeconds: Seconds.max(3_600).default(300),
    /** How long an instance of an agent may act after a registered key vouched for it. Unit: seconds. */
    instanceSeconds: Seconds.max(30 * SECONDS_A_DAY).default(SECONDS_A_DAY),
    /** Instances of one agent that may be in force at once; 0: none. */
    maxInstances: z.number().int().min(0).max(10_000).default(100),
    /** The longest a delegation may last, and how long it lasts by default. Unit: seconds. */
    maxDelegationSeconds: Seconds.max(3_650 * SECONDS_A_DAY).default(90 * SECONDS_A_DAY),
    /** How long a principal stays signed in, at most. Unit: seconds. */
    loginSeconds: Seconds.max(90 * SECONDS_A_DAY).default(7 * SECONDS_A_DAY),
    /** How long a principal stays signed in without being seen. Unit: seconds. */
    loginIdleSeconds: Seconds.max(90 * SECONDS_A_DAY).default(SECONDS_A_DAY),
    /** How long a one-time sign-in link is good where nothing is said. Unit: seconds. */
    signInLinkSeconds: Seconds.max(SECONDS_A_DAY).default(900),
    /** OpenID providers by which principals may sign in. */
    upstream: z.array(UpstreamConfig).max(10).default([]),
    /** Demand a server-chosen nonce in every DPoP proof (RFC 9449 §8). */
    requireDpopNonce: z.boolean('must be true or false').default(false),
    /** Whether an administrator may record a delegation of a principal of kind `person`. */
    administratorsGrantForPersons: z.boolean('must be true or false').default(true),
    /** Where others are asked over https: ping endpoints, webhooks, upstream issuers. Nothing else is connected to. */
    outboundPorts: z.array(Port.min(1)).min(1).max(100).default([443]),
    /** Development: pings, webhooks and upstream issuers may be on this machine, by http too. */
    allowLoopbackRequests: z.boolean('must be true or false').default(false),
    /** Who is told of every new approval. Absent: nobody. */
    approvalWebhookUrl: z.url().max(2_048).optional(),
    /** What webhooks are signed with (Standard Webhooks): `whsec_` and 24 to 64 bytes, base64. */
    approvalWebhookSecret: z
      .string()
      .regex(/^whsec_[A-Za-z0-9+/]{32,86}={0,2}$/, 'must be whsec_ and 24 to 64 bytes as base64')
      .optional(),
    /** Token requests of one client. */
    clientRequests: Limit.default({ perSecond: 500, burst: 2_000 }),
    /** Failed authentications from one address. */
    failedAuthentications: Limit.default({ perSecond: 100, burst: 2_000 }),
    /** Refusals stored as records, per client, code and hour; the rest is counted. */
    storedRefusalsPerHour: z.number().int().min(0).max(1_000_000).default(1_000),
    /** How long SIGTERM waits for requests in flight. Unit: seconds. */
    drainSeconds: Seconds.max(600).default(15),
    /** Turn requests away with 503 while there is more to do than can be done. */
    shedOverload: z.boolean('must be true or false').default(false),
    /** Where Prometheus reads `/metrics`. Absent: nowhere, and nothing is measured. */
    metricsPort: Port.optional(),
    metricsHost: z.string().min(1).max(255).default('127.0.0.1'),
    /** What traces call this server. */
    serviceName: z.string().min(1).max(255).default('writ'),
    /** Base URL of an OpenTelemetry collector (OTLP over HTTP). Absent: nothing is traced. */
    otlpEndpoint: z
      .url({ protocol: /^https?$/ })
      .max(2_048)
      .optional(),
    logLevel: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'),
  })
  .superRefine((config, context) => {
    const problem = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
    if (config.issuer !== undefined) {
      const url = URL.canParse(config.issuer) ? new URL(config.issuer) : undefined
      if (url === undefined || url.origin !== config.issuer) {
        problem('issuer', 'must be an origin without path, query or trailing slash, such as https://as.example')
      } else if (url.protocol !== 'https:' && (config.production || !LOOPBACK_HOSTS.has(url.hostname))) {
        problem(
          'issuer',
          config.production ? 'must be https in production' : 'must be https, or http on a loopback host',
        )
      }
    }
    const names = config.upstream.map(({ name }) => name)
    if (new Set(names).size < names.length) problem('upstream', 'two have the same name')
    // What is bound to one is bound to its issuer: two of one issuer would be two rules for the same people.
    const issuers = config.upstream.map(({ issuer }) => issuer)
    if (new Set(issuers).size < issuers.length) problem('upstream', 'two have the same issuer')
    if (config.production && issuers.some(isLoopbackIssuer)) problem('upstream', 'must be https in production')
    if (config.workers > 1 && config.databaseUrl === undefined) {
      problem('workers', 'the embedded database belongs to one process: set DATABASE_URL, or 1 worker')
    }
    if ((config.approvalWebhookUrl === undefined) !== (config.approvalWebhookSecret === undefined)) {
      problem('approvalWebhookUrl', 'goes with approvalWebhookSecret: set both, or none')
    }
    const { approvalWebhookUrl: webhook, allowLoopbackRequests: allowLoopback, outboundPorts: ports } = config
    const isNeverAsked = webhook === undefined ? undefined : refuseOutboundUrl(webhook, { allowLoopback, ports })
    if (isNeverAsked !== undefined) problem('approvalWebhookUrl', isNeverAsked)
    if (!config.production) return
    if (config.allowLoopbackRequests) problem('allowLoopbackRequests', 'is for development only')
    if (config.issuer === undefined) problem('issuer', 'must be set in production (WRIT_ISSUER)')
    if (config.databaseUrl === undefined && !config.allowEmbeddedDatabase) {
      problem('databaseUrl', 'must be set in production (DATABASE_URL), or allowEmbeddedDatabase must be true')
    }
  })
export type Config = Readonly<z.infer<typeof Config>>

/** What an operator got wrong, in one line. */
export class ConfigError extends Error {}

const toNumber = (text: string) => (/^\d+(\.\d+)?$/.test(text) ? Number(text) : text)
const toBoolean = (text: string) => (text === 'true' ? true : text === 'false' ? false : text)
const asIs = (text: string) => text

/** Every environment variable, the member of the config file it overrides, and how its text is read. */
const ENVIRONMENT: Readonly<Record<string, readonly [keyof Config, (text: string) => unknown]>> = {
  WRIT_ISSUER: ['issuer', asIs],
  WRIT_HOST: ['host', asIs],
  WRIT_PORT: ['port', toNumber],
  WRIT_WORKERS: ['workers', toNumber],
  WRIT_DATA_DIR: ['dataDirectory', asIs],
  DATABASE_URL: ['databaseUrl', asIs],
  WRIT_KEY_ENCRYPTION_KEY: ['keyEncryptionKey', asIs],
  WRIT_ALLOW_EMBEDDED_DATABASE: ['allowEmbeddedDatabase', toBoolean],
  WRIT_ACTION_TOKEN_SECONDS: ['actionTokenSeconds', toNumber],
  WRIT_CLIENT_TOKEN_SECONDS: ['clientTokenSeconds', toNumber],
  WRIT_ATTESTATION_SECONDS: ['attestationSeconds', toNumber],
  WRIT_APPROVAL_SECONDS: ['approvalSeconds', toNumber],
  WRIT_INSTANCE_SECONDS: ['instanceSeconds', toNumber],
  WRIT_MAX_INSTANCES: ['maxInstances', toNumber],
  WRIT_MAX_DELEGATION_SECONDS: ['maxDelegationSeconds', toNumber],
  WRIT_LOGIN_SECONDS: ['loginSeconds', toNumber],
  WRIT_LOGIN_IDLE_SECONDS: ['loginIdleSeconds', toNumber],
  WRIT_SIGN_IN_LINK_SECONDS: ['signInLinkSeconds', toNumber],
  WRIT_REQUIRE_DPOP_NONCE: ['requireDpopNonce', toBoolean],
  WRIT_ADMINISTRATORS_GRANT_FOR_PERSONS: ['administratorsGrantForPersons', toBoolean],
  WRIT_ALLOW_LOOPBACK_REQUESTS: ['allowLoopbackRequests', toBoolean],
  WRIT_APPROVAL_WEBHOOK_URL: ['approvalWebhookUrl', asIs],
  WRIT_APPROVAL_WEBHOOK_SECRET: ['approvalWebhookSecret', asIs],
  WRIT_STORED_REFUSALS_PER_HOUR: ['storedRefusalsPerHour', toNumber],
  WRIT_DRAIN_SECONDS: ['drainSeconds', toNumber],
  WRIT_SHED_OVERLOAD: ['shedOverload', toBoolean],
  WRIT_METRICS_PORT: ['metricsPort', toNumber],
  WRIT_METRICS_HOST: ['metricsHost', asIs],
  OTEL_SERVICE_NAME: ['serviceName', asIs],
  OTEL_EXPORTER_OTLP_ENDPOINT: ['otlpEndpoint', asIs],
  WRIT_LOG_LEVEL: ['logLevel', asIs],
}

/** Settings that are secret: `<name>_FILE` names a file that holds the value, so that no environment does. */
const SECRETS: readonly string[] = ['DATABASE_URL', 'WRIT_KEY_ENCRYPTION_KEY', 'WRIT_APPROVAL_WEBHOOK_SECRET']
const MAX_SECRET_BYTES = 8_192

/** Read elsewhere: where the settings are, and what the command line is told. */
const NOT_THE_SERVERS: ReadonlySet<string> = new Set(['WRIT_CONFIG', 'WRIT_CREDENTIAL'])

/**
 * Reads the config file that `WRIT_CONFIG` names, if any, then the environment and the files of secrets that it names, which win.
 *
 * @throws ConfigError with one line that names the key and how to mend it.
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const settings: Record<string, unknown> = {
    dataDirectory: join(packageDirectory(), '.writ'),
    production: environment.NODE_ENV === 'production',
    ...readConfigFile(environment.WRIT_CONFIG),
  }
  for (const [name, text] of Object.entries(withSecretFiles(environment))) {
    // An empty variable is how shells and compose files say "not set".
    if (text === undefined || text === '') continue
    const known = Object.hasOwn(ENVIRONMENT, name) ? ENVIRONMENT[name] : undefined
    if (known !== undefined) settings[known[0]] = known[1](text)
    else if (name.startsWith('WRIT_') && !NOT_THE_SERVERS.has(name)) {
      throw new ConfigError(`unknown environment variable ${name}; config/README.md lists all`)
    }
  }
  const parsed = Config.safeParse(settings)
  if (!parsed.success) throw new ConfigError(explain(parsed.error, environment))
  const folder = environment.WRIT_CONFIG ? dirname(resolve(environment.WRIT_CONFIG)) : process.cwd()
  const upstream = parsed.data.upstream.map((one) =>
    withUpstreamSecrets(one, folder, (path) => readSecretFile(`upstream.${one.name}`, path)),
  )
  return Object.freeze({ ...parsed.data, upstream, dataDirectory: resolve(parsed.data.dataDirectory) })
}

/** Puts what the files hold where the values themselves would stand. */
function withSecretFiles(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  const read = { ...environment }
  for (const name of SECRETS) {
    const path = environment[`${name}_FILE`]
    delete read[`${name}_FILE`]
    if (path === undefined || path === '') continue
    if (environment[name]) throw new ConfigError(`${name} and ${name}_FILE are both set; set one of them`)
    read[name] = readSecretFile(`${name}_FILE`, path)
  }
  return read
}

function readSecretFile(variable: string, path: string): string {
  let content: string
  try {
    content = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new ConfigError(`${variable}: ${path} cannot be read: ${oneLine((cause as Error).message)}`)
  }
  if (content.length > MAX_SECRET_BYTES) throw new ConfigError(`${variable}: ${path} is too large to hold one value`)
  // What an editor or `echo` ends a file with is no part of the value.
  const value = content.replace(/\r?\n$/, '')
  if (value === '') throw new ConfigError(`${variable}: ${path} is empty`)
  return value
}

function readConfigFile(path: string | undefined): Record<string, unknown> {
  if (path === undefined || path === '') return {}
  let content: unknown
  try {
    content = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new ConfigError(`WRIT_CONFIG: ${path} cannot be read as JSON: ${oneLine((cause as Error).message)}`)
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new ConfigError(`WRIT_CONFIG: ${path} must hold one JSON object`)
  }
  const settings = { ...content } as Record<string, unknown>
  // A relative directory in the file is relative to the file, wherever the process was started.
  if (typeof settings.dataDirectory === 'string' && !isAbsolute(settings.dataDirectory)) {
    settings.dataDirectory = join(dirname(resolve(path)), settings.dataDirectory)
  }
  return settings
}

/** One line: the first problem, with the environment variable's name where there is one. */
function explain(error: z.ZodError, environment: Readonly<Record<string, string | undefined>>): string {
  const [issue] = error.issues
  if (issue === undefined) return 'invalid configuration'
  if (issue.code === 'unrecognized_keys') {
    return `unknown configuration key "${issue.keys.join('", "')}"; config/README.md lists all`
  }
  const path = issue.path.join('.')
  const variable = Object.entries(ENVIRONMENT).find(([, [member]]) => member === issue.path[0])?.[0]
  const source = variable !== undefined && environment[`${variable}_FILE`] ? `${variable}_FILE` : variable
  return `${path}${source === undefined ? '' : ` (${source})`}: ${oneLine(issue.message)}`
}

const oneLine = (text: string) => text.replaceAll(/\s+/g, ' ')

/** The folder that holds package.json, whether this runs from `src/` or from `dist/`. */
function packageDirectory(): string {
  return dirname(dirname(fileURLToPath(import.meta.url)))
}
