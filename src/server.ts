import type { RequestListener } from 'node:http'
import { ensureAdministrator } from './adapters/bootstrap/administrator-credential.ts'
import { ensureBuiltInActionTypes } from './adapters/bootstrap/builtin-action-types.ts'
import { attestationVerifier } from './adapters/clients/attestations.ts'
import { authenticator } from './adapters/clients/authenticator.ts'
import { nonceKeeper } from './adapters/clients/nonces.ts'
import { usedEvidence } from './adapters/clients/used-evidence.ts'
import { systemClock, systemIds } from './adapters/clock.ts'
import {
  actionTokens,
  actorTokens,
  clientTokens,
  newKeyProofs,
  revocableTokens,
} from './adapters/keys/access-tokens.ts'
import { openKeyEncryption } from './adapters/keys/key-encryption.ts'
import { serverSecret } from './adapters/keys/server-secrets.ts'
import { ensureSigningKey, NoSigningKey, openSigningKeys } from './adapters/keys/signing-keys.ts'
import { subjectTokens } from './adapters/keys/subject-tokens.ts'
import { openLog } from './adapters/log.ts'
import type { MetricsSnapshot } from './adapters/metrics/metrics.ts'
import { openMeters } from './adapters/metrics/open-meters.ts'
import { overloadGuard } from './adapters/overload.ts'
import { approvals } from './adapters/prisma/approvals.ts'
import { attestations } from './adapters/prisma/attestations.ts'
import { openCatalogue } from './adapters/prisma/catalogue.ts'
import { isDatabaseUnavailable } from './adapters/prisma/database-errors.ts'
import { directory as openDirectory } from './adapters/prisma/directory.ts'
import { enrolments } from './adapters/prisma/enrolments.ts'
import { readRestoredAt, watchGeneration } from './adapters/prisma/generation.ts'
import { groupCommit } from './adapters/prisma/group-commit.ts'
import { DatabaseQueueFull } from './adapters/prisma/grouped.ts'
import { introspections } from './adapters/prisma/introspections.ts'
import { migrate } from './adapters/prisma/migrate.ts'
import { oidcStore } from './adapters/prisma/oidc-store.ts'
import { openDatabase } from './adapters/prisma/open-database.ts'
import { startPruning } from './adapters/prisma/prune.ts'
import { openRegistry } from './adapters/prisma/registry/open-registry.ts'
import { revocations } from './adapters/prisma/revocations.ts'
import { strangerTally } from './adapters/prisma/stranger-tally.ts'
import { subDelegations } from './adapters/prisma/sub-delegations.ts'
import { incomingTokens, isTokenRevoked, tokenStatus } from './adapters/prisma/token-status.ts'
import { stops, tokenUses } from './adapters/prisma/token-uses.ts'
import { revocationEvents } from './adapters/revocations/revocation-events.ts'
import { revocationFeed } from './adapters/revocations/revocation-feed.ts'
import { traced } from './adapters/tracing/traced.ts'
import { openTracing } from './adapters/tracing/tracing.ts'
import { authorizeAdministrator } from './commands/authorize-administrator.ts'
import type { Config } from './config.ts'
import { openFlows, openProviderFlows } from './flows.ts'
import { actionTypesRouter } from './http/action-types.ts'
import { adminRouter } from './http/admin/router.ts'
import { createApp } from './http/app.ts'
import { cursors } from './http/cursor.ts'
import { listen } from './http/listen.ts'
import { attestationEndpoint } from './http/oauth/attestation.ts'
import { backchannelEndpoint } from './http/oauth/backchannel.ts'
import { enrolmentEndpoint } from './http/oauth/enrolment.ts'
import { introspectionEndpoint } from './http/oauth/introspection.ts'
import { jwks } from './http/oauth/jwks.ts'
import { serverMetadata } from './http/oauth/metadata.ts'
import { ownDelegationsEndpoint } from './http/oauth/own-delegations.ts'
import { receiptsEndpoint } from './http/oauth/receipts.ts'
import { revocationEndpoint } from './http/oauth/revocation.ts'
import { revocationFeedEndpoint } from './http/oauth/revocation-feed.ts'
import { failureThrottle } from './http/oauth/throttle.ts'
import { tokenEndpoint } from './http/oauth/token.ts'
import { rateLimiter } from './http/rate-limit.ts'
import { shedding } from './http/shed.ts'
import { openMe } from './me.ts'
import { openOutgoing } from './outgoing.ts'
import { openPeople } from './people.ts'
import type { Clock } from './ports.ts'
import { createKeyObjectCache } from './wire/key-object-cache.ts'

export interface RunningServer {
  readonly issuer: string
  readonly port: number
  /** Where the first administrator's credential was written, when this start made it. */
  readonly newCredentialPath: string | undefined
  /** Where this process serves its metrics; undefined where it does not. */
  readonly metricsPort: number | undefined
  /** The metrics of this process; empty where nothing is measured. */
  readonly metrics: () => Promise<MetricsSnapshot>
  /** Takes no more requests, finishes those in flight, closes the database. May be called twice. */
  readonly close: (how?: CloseOptions) => Promise<void>
}

export interface CloseOptions {
  /** Another process serves on this port: connections that are kept alive are let go with their next answer. */
  readonly isSucceeded?: boolean
}

export interface StartOptions {
  /** Takes one line of progress. */
  readonly progress?: (line: string) => void
  /** Whether another process serves the metrics of this one. Default: no. */
  readonly isMetricsServedElsewhere?: boolean
  /** The clock of everything but the database. Default: the system's. */
  readonly clock?: Clock
}

/**
 * Builds the server from its parts and listens: the only file that sees both the doors and the outside world.
 *
 * @throws when the data directory is in use, the database is not to be had, or the port is taken. Nothing is left open then.
 */
export async function startServer(config: Config, options: StartOptions = {}): Promise<RunningServer> {
  const { progress = () => {}, clock = systemClock } = options
  const log = openLog(config.logLevel)
  const onFault = (error: unknown) => log.warn({ error }, 'background work failed; it will be tried again')
  // Closed last to first: the port, then what works in the background, then the database under it all.
  const closing: ((how: CloseOptions) => Promise<unknown> | unknown)[] = []
  const close = async (how: CloseOptions = {}) => {
    for (let step = closing.pop(); step !== undefined; step = closing.pop()) await step(how)
  }

  // Whoever comes between the port and the doors waits for them: a port that is taken over turns nobody away.
  const early: Parameters<RequestListener>[] = []

  try {
    const encryption = await openKeyEncryption(config.keyEncryptionKey, config.dataDirectory)
    const database = await openDatabase({ databaseUrl: config.databaseUrl, dataDirectory: config.dataDirectory })
    closing.push(database.close)
    const { query } = database
    let newCredentialPath: string | undefined
    await migrate({
      database,
      log: progress,
      whileLocked: async () => {
        await ensureSigningKey(query, encryption, clock())
        await ensureBuiltInActionTypes(query)
        newCredentialPath = await ensureAdministrator(database, config.dataDirectory)
      },
    })

    const nonceSecret = config.requireDpopNonce ? await serverSecret(query, encryption, 'nonce') : undefined
    const nonces = nonceSecret && nonceKeeper(nonceSecret)
    const cookieKey = (await serverSecret(query, encryption, 'cookie')).toString('base64url')
    const cursorSecret = await serverSecret(query, encryption, 'cursor')
    const proofKeys = createKeyObjectCache()
    const catalogue = await openCatalogue(query)
    const keys = await openSigningKeys(query, encryption, clock)
    const directory = openDirectory(query, catalogue)
    const strangers = strangerTally(query, onFault)
    closing.push(strangers.stop)
    const issuance = groupCommit(query, config.storedRefusalsPerHour, isDatabaseUnavailable)
    closing.push(issuance.drain)
    closing.push(startPruning(query, onFault).stop)
    const guard = config.shedOverload ? overloadGuard(issuance.behindMs) : undefined
    closing.push(() => guard?.stop())
    let shed = 0
    const meters = await openMeters(config, options.isMetricsServedElsewhere ?? false, {
      commitsWaiting: issuance.waiting,
      connections: database.connections,
      shed: () => shed,
    })
    closing.push(meters.close)
    const { otlpEndpoint, serviceName } = config
    const tracing = otlpEndpoint === undefined ? undefined : await openTracing(otlpEndpoint, serviceName)
    closing.push(() => tracing?.close())
    const store = oidcStore(query, issuance, systemIds, clock)

    // The port is taken before the issuer is known: port 0 picks one, and the default issuer follows.
    let handle: RequestListener = (...call) => early.push(call)
    const listening = await listen((request, response) => handle(request, response), config.host, config.port)
    closing.push(({ isSucceeded = false }) => listening.drain(config.drainSeconds, isSucceeded))
    const issuer = config.issuer ?? `http://localhost:${listening.port}`

    const outgoing = openOutgoing({ issuer, config, query, encryption, onFault })
    closing.push(outgoing.stop)
    const subjectTokenKeeper = subjectTokens(issuer, keys)
    const registry = openRegistry({
      ...{ database, encryption, onGenerationRaised: () => generation.check().catch(onFault) },
    })
    const { maxDelegationSeconds } = config
    const grants = { now: clock, ids: systemIds, directory, registry, maxDelegationSeconds }
    // What oidc-provider fixes at construction changes with the generation: a new one is built and swapped in.
    const flows = openProviderFlows({
      ...{ issuer, database, encryption, keys, subjectTokens: subjectTokenKeeper, cookieKey, nonceSecret },
      ...{ tokenLifetimeSeconds: config.clientTokenSeconds, directory, store, ports: grants, onFault },
      fetch: outgoing.fetch,
    })
    const generation = await watchGeneration(
      query,
      async () => {
        await Promise.all([catalogue.refresh(), keys.refresh()])
        flows.rebuild()
      },
      onFault,
    )
    closing.splice(-1, 0, generation.stop)

    const feed = revocationFeed({
      ...{ issuer, events: revocationEvents(query), signer: keys, ids: systemIds, now: clock, onFault },
    })
    // Ended before the port drains: a follower never ends by itself.
    closing.push(feed.stop)
    const clientRequests = rateLimiter(config.clientRequests)
    const clientFailures = rateLimiter(config.clientRequests)
    const used = usedEvidence()
    const ports = {
      issuer,
      now: clock,
      ids: systemIds,
      defaultLifetimeSeconds: config.actionTokenSeconds,
      authenticator: traced(
        tracing,
        authenticator({
          ...{ issuer, directory, keys: proofKeys, nonces },
          attestations: attestationVerifier({ issuer, keys, restoredAt: () => readRestoredAt(query) }),
          used,
        }),
        { authenticate: 'authenticate' },
      ),
      attestations: attestations(database),
      agentTokens: store,
      clientTokenSeconds: config.clientTokenSeconds,
      attestationSeconds: config.attestationSeconds,
      instanceSeconds: config.instanceSeconds,
      maxInstances: config.maxInstances,
      admission: { admits: clientRequests.take, giveBack: clientRequests.giveBack, admitsFailure: clientFailures.take },
      subjectTokens: traced(tracing, subjectTokenKeeper, { verify: 'verify the subject token' }),
      signSubjectToken: subjectTokenKeeper.sign,
      actorTokens: actorTokens(issuer, keys),
      subDelegations: subDelegations(query),
      directory: traced(tracing, directory, { client: 'read the client', delegation: 'read the delegation' }),
      issuance: traced(tracing, used.remembering(issuance), { commit: 'commit' }),
      signer: traced(tracing, keys, { signAccessToken: 'sign' }),
      approvals: approvals(query),
      approvalSeconds: config.approvalSeconds,
      sealPing: outgoing.sealPing,
      strangers,
      actionTokens: actionTokens(issuer, keys),
      tokenStatus: tokenStatus(query),
      introspections: introspections(query, used.remember),
      incomingTokens: incomingTokens(query),
      tokenUses: tokenUses(query),
      stops: stops(query),
      feed,
      revocableTokens: revocableTokens(issuer, keys),
      revocations: revocations(database),
      registry,
      newKeyProofs: newKeyProofs(proofKeys, nonces),
      enrolments: enrolments(database),
      clientTokens: clientTokens({
        issuer,
        keys,
        proofKeys,
        nonces,
        isRevoked: (jti, issuedAt) => isTokenRevoked(query, jti, issuedAt),
      }),
    }
    const nextNonce = nonces && (() => nonces.next(clock()))
    const throttle = failureThrottle(rateLimiter(config.failedAuthentications), clock)
    const people = openPeople({
      issuer,
      config,
      database,
      ids: systemIds,
      now: clock,
      strangers,
      throttle,
      sealing: encryption,
      onceOnly: store.markOnce,
      warn: (facts, message) => log.warn(facts, message),
    })
    const delegating = openFlows({
      ...{ issuer, flows, ports: { ...ports, maxDelegationSeconds }, sessions: people.sessions, throttle, nextNonce },
    })
    const me = openMe({
      ...{ config, database, directory, onFault, sessions: people.sessions, cursors: cursors(cursorSecret) },
      ...{ approvals: ports.approvals, models: flows.models, ids: systemIds, now: clock },
    })
    // Ended before the port drains, like the feed.
    closing.push(me.stop)
    const serve = createApp({
      token: tokenEndpoint({
        ports,
        passToProvider: (context, form) => flows.provider().pass(context, form),
        redeemFlow: delegating.doors.redeem,
        throttle,
        nextNonce,
      }),
      flows: delegating.doors,
      introspection: introspectionEndpoint({ ports, throttle, nextNonce }),
      revocation: revocationEndpoint({ ports, throttle, nextNonce }),
      receipts: receiptsEndpoint({ ports, throttle, nextNonce }),
      attestation: attestationEndpoint({ ports, throttle, nextNonce }),
      backchannel: backchannelEndpoint({ ports, throttle, nextNonce, askForDelegation: delegating.doors.backchannel }),
      enrolment: enrolmentEndpoint({ ports, throttle, nextNonce }),
      revocationFeed: revocationFeedEndpoint({ ports, nextNonce }),
      ownDelegations: ownDelegationsEndpoint({
        ports,
        signSubjectToken: ports.subjectTokens.sign,
        cursors: cursors(cursorSecret),
        nextNonce,
      }),
      metadata: serverMetadata(issuer, () => catalogue.active().map(({ type }) => type)),
      jwks: jwks(() => keys.published().map(({ kid, publicJwk }) => ({ kid, jwk: publicJwk }))),
      actionTypes: actionTypesRouter(catalogue.active),
      admin: adminRouter({
        issuer,
        ports: {
          ...ports,
          maxDelegationSeconds,
          administratorsGrantForPersons: config.administratorsGrantForPersons,
          signInLinkSeconds: config.signInLinkSeconds,
          refuseOutboundUrl: outgoing.refuseUrl,
        },
        authorize: (call, need) => authorizeAdministrator(ports, call, need),
        signSubjectToken: ports.subjectTokens.sign,
        cursorSecret,
        throttle,
        nextNonce,
      }),
      pages: [...people.routers, ...delegating.routers, me.router],
      isReady: async () => {
        await query('SELECT 1')
        return keys.active() !== undefined
      },
      isUnavailable: (error) =>
        isDatabaseUnavailable(error) || error instanceof DatabaseQueueFull || error instanceof NoSigningKey,
      observer: meters.metrics,
      tracer: tracing,
      logFault: ({ error, ...where }) => log.error({ error, ...where }, 'a request failed'),
    })
    const onShed = () => {
      shed += 1
    }
    handle = guard === undefined ? serve : shedding(guard, onShed, serve)
    for (const call of early.splice(0)) handle(...call)
    const metrics = async () => (await meters.metrics?.snapshot()) ?? []
    return { issuer, port: listening.port, newCredentialPath, metricsPort: meters.port, metrics, close }
  } catch (error) {
    for (const [, response] of early.splice(0)) response.writeHead(503, { 'Retry-After': '1' }).end()
    await close()
    throw error
  }
}
