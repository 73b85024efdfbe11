import { createPrivateKey, createPublicKey, type JsonWebKey } from 'node:crypto'
import { attestationVerifier } from '../../../src/adapters/clients/attestations.ts'
import { authenticator } from '../../../src/adapters/clients/authenticator.ts'
import { usedEvidence } from '../../../src/adapters/clients/used-evidence.ts'
import { systemClock, systemIds } from '../../../src/adapters/clock.ts'
import { actionTokens } from '../../../src/adapters/keys/access-tokens.ts'
import { openKeyEncryption } from '../../../src/adapters/keys/key-encryption.ts'
import { openSigningKeys } from '../../../src/adapters/keys/signing-keys.ts'
import { subjectTokens } from '../../../src/adapters/keys/subject-tokens.ts'
import { openCatalogue } from '../../../src/adapters/prisma/catalogue.ts'
import { isDatabaseUnavailable } from '../../../src/adapters/prisma/database-errors.ts'
import { directory as openDirectory } from '../../../src/adapters/prisma/directory.ts'
import { groupCommit } from '../../../src/adapters/prisma/group-commit.ts'
import { openDatabase } from '../../../src/adapters/prisma/open-database.ts'
import { strangerTally } from '../../../src/adapters/prisma/stranger-tally.ts'
import { incomingTokens } from '../../../src/adapters/prisma/token-status.ts'
import { type IssuePorts, type IssueRequest, issueActionToken } from '../../../src/commands/issue-action-token.ts'
import { soleElement } from '../../../src/core/action/sole-element.ts'
import { isRefusal } from '../../../src/core/refusal.ts'
import { exchangeParameters } from '../../../src/http/oauth/exchange-parameters.ts'
import type { ClientEvidence } from '../../../src/ports.ts'
import { jwkThumbprint, parsePublicJwk } from '../../../src/wire/jwk.ts'
import { createKeyObjectCache } from '../../../src/wire/key-object-cache.ts'
import { ACCESS_TOKEN_TYPE, ASSERTION_TYPE, assertion, type Exchange } from '../../support/clients.ts'
import { proof } from '../../wire/signing.ts'
import { asReceived, serveWork, told, type Work } from '../harness/serve-work.ts'

/** Where the server is whose database and keys this worker shares, and for whom it mints. */
export interface MintCoreTold {
  readonly issuer: string
  readonly dataDirectory: string
  readonly databaseUrl: string
  readonly agentId: string
  /** Private JWK. */
  readonly agentKey: Record<string, string>
  readonly wish: Exchange
  /** A client attestation of the agent, where the server gives one. */
  readonly attestation: string | undefined
}

const IN_FLIGHT = 64

const { issuer, dataDirectory, databaseUrl, agentId, agentKey, wish, attestation } = told<MintCoreTold>()
const privateKey = createPrivateKey({ key: agentKey as JsonWebKey, format: 'jwk' })
const publicKey = createPublicKey(privateKey)
const jwk = parsePublicJwk(publicKey.export({ format: 'jwk' }))
if (isRefusal(jwk)) throw new Error(jwk.detail)
const agent = { id: agentId, key: { alg: 'ES256', privateKey, publicKey, jwk, jkt: jwkThumbprint(jwk) } } as const

// The parts that server.ts puts together for the exchange, and no others.
const { query } = await openDatabase({ databaseUrl, dataDirectory })
const encryption = await openKeyEncryption(undefined, dataDirectory)
const keys = await openSigningKeys(query, encryption, systemClock)
const directory = openDirectory(query, await openCatalogue(query))
const used = usedEvidence()
const ports: IssuePorts = {
  now: systemClock,
  ids: systemIds,
  issuer,
  defaultLifetimeSeconds: 60,
  authenticator: authenticator({
    ...{ issuer, directory, keys: createKeyObjectCache(), nonces: undefined },
    used,
    attestations: attestationVerifier({ issuer, keys, restoredAt: async () => undefined }),
  }),
  admission: { admits: () => true, giveBack: () => {}, admitsFailure: () => true },
  subjectTokens: subjectTokens(issuer, keys),
  actionTokens: actionTokens(issuer, keys),
  incomingTokens: incomingTokens(query),
  directory,
  issuance: used.remembering(groupCommit(query, 1_000, isDatabaseUnavailable)),
  signer: keys,
  strangers: strangerTally(query, (error) => console.error(error)),
  approvalSeconds: 300,
  sealPing: (_, token) => Buffer.from(token),
}

const url = `${issuer}/token`
const read = exchangeParameters(
  new Map([
    ['subject_token', wish.subjectToken],
    ['subject_token_type', ACCESS_TOKEN_TYPE],
    ['resource', wish.resource],
    ['authorization_details', JSON.stringify([wish.action])],
  ]),
)
if (isRefusal(read)) throw new Error(read.detail)
const element = soleElement(read.authorizationDetails)
if (isRefusal(element)) throw new Error(element.detail)
const parameters = { ...read, element }

const byAssertion = (): Partial<ClientEvidence> => ({
  assertionType: ASSERTION_TYPE,
  assertion: asReceived(assertion(agent, issuer)),
})
const byAttestation = (): Partial<ClientEvidence> => ({ ...(attestation !== undefined && { attestation }) })

function minting(authentication: () => Partial<ClientEvidence>): Work {
  let prepared: IssueRequest[] = []
  return {
    prepare: (count) => {
      prepared = Array.from({ length: count }, () => ({
        ...parameters,
        requestId: 'bench',
        evidence: {
          clientId: agentId,
          ...authentication(),
          proofs: [asReceived(proof(agent.key, { method: 'POST', htu: url, now: new Date() }))],
          target: { method: 'POST', url },
        },
      }))
    },
    run: async () => {
      const tokens = new Set<string>()
      let next = 0
      const mintOn = async () => {
        for (let request = prepared[next++]; request !== undefined; request = prepared[next++]) {
          const outcome = await issueActionToken(ports, request)
          if (outcome.kind !== 'issued')
            throw new Error(`no token: ${outcome.kind === 'refused' ? outcome.refusal.detail : outcome.kind}`)
          tokens.add(outcome.token)
        }
      }
      await Promise.all(Array.from({ length: IN_FLIGHT }, mintOn))
      if (tokens.size !== prepared.length) throw new Error('two requests were given one token')
    },
  }
}

serveWork({ private_key_jwt: minting(byAssertion), attestation: minting(byAttestation) })
