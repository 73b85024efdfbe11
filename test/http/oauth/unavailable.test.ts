import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientToken, exchangeRequest, introspect, revoke, send } from '../../support/clients.ts'
import { createPostgresCopy } from '../../support/database.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { createWorld, type World } from '../../support/world.ts'
import { expectRefused, issued } from './answers.ts'

/** A way to the database that can be cut and mended. */
interface Cable {
  readonly port: number
  readonly cut: () => Promise<void>
  readonly mend: () => Promise<void>
}

/** The embedded database lives in the server's own process: there is nothing between them that could fail. */
describe.skipIf(!process.env.TEST_DATABASE_URL)('the database is away', () => {
  let cable: Cable
  let database: Awaited<ReturnType<typeof createPostgresCopy>>
  let server: TestServer
  let world: World
  beforeAll(async () => {
    database = await createPostgresCopy()
    const url = new URL(database.url)
    cable = await layCable(url.hostname, Number(url.port || 5432))
    url.hostname = '127.0.0.1'
    url.port = String(cable.port)
    server = await startTestServer({ databaseUrl: url.href })
    world = await createWorld(server)
  })
  afterAll(async () => {
    await cable.mend()
    await server.close()
    await cable.cut()
    await database.drop()
  })

  test('503 temporarily_unavailable with Retry-After at every endpoint, and all is well when it is back', async () => {
    const token = await issued(world.exchange())
    await cable.cut()
    const { url, ...request } = exchangeRequest(server.issuer, world.agent, world.wish)
    expectRefused(await send(url, request), 503, 'temporarily_unavailable')
    expectRefused(await clientToken(server.issuer, world.agent), 503, 'temporarily_unavailable')
    expectRefused(await introspect(server.issuer, world.resource, token), 503, 'temporarily_unavailable')
    expectRefused(await revoke(server.issuer, world.agent, token), 503, 'temporarily_unavailable')
    const administrator = await world.api.call('GET', '/admin/agents')
    expect([administrator.status, administrator.headers['content-type']]).toEqual([503, 'application/problem+json'])
    expect(administrator.headers['retry-after']).toMatch(/^[1-9][0-9]*$/)
    expect((await send(`${server.issuer}/readyz`)).status).toBe(503)
    // What needs no database is served.
    for (const path of ['/healthz', '/jwks', '/.well-known/oauth-authorization-server']) {
      expect((await send(`${server.issuer}${path}`)).status, path).toBe(200)
    }

    await cable.mend()
    // Nothing was issued, and nothing that was presented was used up.
    await issued(send(url, request))
    expect((await introspect(server.issuer, world.resource, token)).body.active).toBe(true)
    expect((await send(`${server.issuer}/readyz`)).status).toBe(200)
  })
})

async function layCable(host: string, port: number): Promise<Cable> {
  const sockets = new Set<Socket>()
  const listenAt = (at: number) =>
    new Promise<Server>((resolve, reject) => {
      const server = createServer((near) => {
        const far = connect(port, host)
        for (const [socket, other] of [
          [near, far],
          [far, near],
        ] as const) {
          sockets.add(socket)
          socket
            .on('close', () => other.destroy())
            .on('error', () => other.destroy())
            .pipe(other)
        }
      })
      server.once('error', reject).listen(at, '127.0.0.1', () => resolve(server))
    })
  let server: Server | undefined = await listenAt(0)
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    cut: async () => {
      const closed = new Promise((resolve) => (server === undefined ? resolve(undefined) : server.close(resolve)))
      for (const socket of sockets) socket.destroy()
      sockets.clear()
      await closed
      server = undefined
    },
    mend: async () => {
      server ??= await listenAt(address.port)
    },
  }
}
