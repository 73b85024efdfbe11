import { expect, test } from 'vitest'
import { look, pressByKeyboard, setStage } from './support/story.ts'

const stage = setStage()

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
