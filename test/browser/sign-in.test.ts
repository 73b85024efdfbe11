import { afterAll, beforeAll, expect, test } from 'vitest'
import { startUpstream, UPSTREAM_CLIENT, type UpstreamServer } from '../support/upstream-provider.ts'
import { look, pressByKeyboard, setStage } from './support/story.ts'

let upstream: UpstreamServer
const stage = setStage(async () => {
  upstream = await startUpstream()
  const entry = { name: 'acme', title: 'Acme accounts', issuer: upstream.issuer, scope: 'openid email' }
  return { upstream: [{ ...entry, principal: { claim: 'email', equals: 'email' }, ...UPSTREAM_CLIENT }] }
})
beforeAll(() => upstream.serve(`${stage.server.issuer}/sign-in/upstream/acme/callback`))
afterAll(() => upstream.close())

test('a person signs in by a link, by the keyboard alone, and out again', async () => {
  const principal = await stage.people.register({ name: 'Alice Adams' })
  const person = await stage.newPerson()
  const { page } = person
  await person.open('/me')
  expect(new URL(page.url()).pathname).toBe('/sign-in')
  await look(person, 'sign-in')
  const { path } = await stage.people.linkFor(principal)
  await person.open(path)
  await look(person, 'sign-in-link')
  await pressByKeyboard(page, /^Sign in$/)
  await page.waitForURL('**/me')
  expect(await page.getByRole('heading', { level: 1 }).textContent()).toContain('Agents that act for you')
  await look(person, 'me-nobody')

  // Used up.
  const other = await stage.newPerson()
  await other.open(path)
  await look(other, 'sign-in-link-used')
  await expect(other.page.getByText('unknown, used or expired').count()).resolves.toBeGreaterThan(0)

  await page.getByRole('link', { name: 'Sign-in' }).click()
  await page.waitForURL('**/me/logins')
  await look(person, 'logins')
  await pressByKeyboard(page, /^Sign out$/)
  await page.waitForURL('**/sign-in')
  await person.open('/me')
  expect(new URL(page.url()).pathname).toBe('/sign-in')
})

test('a person adds a passkey and signs in by it', async () => {
  const principal = await stage.people.register({ name: 'Bob Brown' })
  const person = await stage.signIn(principal)
  const { page, context } = person
  const devices = await context.newCDPSession(page)
  await devices.send('WebAuthn.enable')
  await devices.send('WebAuthn.addVirtualAuthenticator', {
    options: {
      ...{ protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true },
      ...{ isUserVerified: true, automaticPresenceSimulation: true },
    },
  })
  await person.open('/me/passkeys')
  await look(person, 'passkeys-none')
  await page.getByLabel('Name').fill('Laptop')
  await page.getByRole('button', { name: 'Add a passkey' }).click()
  await page.getByText('Laptop').first().waitFor()
  await look(person, 'passkeys')

  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.waitForURL('**/sign-in')
  await page.getByRole('button', { name: 'Use a passkey' }).click()
  await page.waitForURL('**/me')
  expect(await page.getByText('Bob Brown').count()).toBeGreaterThan(0)
})

test('a person signs in through a provider that the server trusts', async () => {
  await stage.people.register({ name: 'Dora Dean', email: 'dora@acme.example' })
  upstream.accounts.set('account-1', { email: 'dora@acme.example', email_verified: true })
  const person = await stage.newPerson()
  const { page } = person
  await person.open('/me/activity')
  await page.waitForURL('**/sign-in?*')
  await page.getByRole('button', { name: /Acme accounts/ }).click()
  await page.waitForURL('**/me/activity')
  expect(await page.getByText('Dora Dean').count()).toBeGreaterThan(0)
  await page.getByText('You signed in').first().waitFor()

  // Somebody whom nobody registered.
  upstream.accounts.set('account-2', { email: 'nobody@acme.example', email_verified: true })
  upstream.account = 'account-2'
  const stranger = await stage.newPerson()
  await stranger.open('/sign-in')
  await stranger.page.getByRole('button', { name: /Acme accounts/ }).click()
  await stranger.page.getByText('You could not be signed in').first().waitFor()
  await look(stranger, 'sign-in-unknown')
})
