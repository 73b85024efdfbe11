import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import axe, { type AxeResults } from 'axe-core'
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect } from 'vitest'
import { type People, peopleOf } from '../../support/people.ts'
import { startTestServer, type TestServer } from '../../support/server.ts'
import { startChromium } from './chromium.ts'

const SCREENSHOTS = fileURLToPath(new URL('../../../.browser/', import.meta.url))

const SIZES = { phone: { width: 390, height: 844 }, desktop: { width: 1_280, height: 800 } } as const
const SCHEMES = ['light', 'dark'] as const

/** A server and a browser for the stories of one file. */
export interface Stage {
  readonly server: TestServer
  readonly people: People
  readonly browser: Browser
  /** A browser of somebody: its own cookies, nothing else of the other's. */
  readonly newPerson: () => Promise<Person>
  /** Signs somebody in by a link, the way a person does it. */
  readonly signIn: (principal: string) => Promise<Person>
}

export interface Person {
  readonly context: BrowserContext
  readonly page: Page
  /** Opens a path of the server. */
  readonly open: (path: string) => Promise<void>
  /** What the browser complained of so far: scripts that broke, and what the policy of a page forbade. */
  readonly complaints: readonly string[]
}

/** Sets the stage before the file's stories and clears it after them. @param settings of the server. */
export function setStage(settings: () => object | Promise<object> = () => ({})): Stage {
  const parts: { server?: TestServer; people?: People; browser?: Browser } = {}
  const persons: Person[] = []
  beforeAll(async () => {
    parts.server = await startTestServer(await settings())
    parts.people = await peopleOf(parts.server)
    parts.browser = await startChromium()
  })
  afterAll(async () => {
    await parts.browser?.close()
    await parts.server?.close()
    expect(persons.flatMap(({ complaints }) => complaints)).toEqual([])
  })
  const there = <Part>(part: Part | undefined): Part => {
    if (part === undefined) throw new Error('the stage is not set yet')
    return part
  }
  const newPerson = async (): Promise<Person> => {
    const context = await there(parts.browser).newContext({
      viewport: SIZES.desktop,
      reducedMotion: 'reduce',
      locale: 'en-US',
    })
    const page = await context.newPage()
    const complaints: string[] = []
    const listen = (one: Page) => {
      one.on('pageerror', (error) => complaints.push(String(error)))
      one.on('console', (message) => {
        // That an answer was an error is for the story to say.
        if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
          complaints.push(message.text())
      })
    }
    context.on('page', listen)
    listen(page)
    const open = async (path: string) => {
      await page.goto(new URL(path, there(parts.server).issuer).href)
    }
    const person = { context, page, open, complaints }
    persons.push(person)
    return person
  }
  return {
    get server() {
      return there(parts.server)
    },
    get people() {
      return there(parts.people)
    },
    get browser() {
      return there(parts.browser)
    },
    newPerson,
    signIn: async (principal) => {
      const person = await newPerson()
      await person.open((await there(parts.people).linkFor(principal)).path)
      await person.page.getByRole('button', { name: 'Sign in' }).click()
      await person.page.waitForURL('**/me')
      return person
    },
  }
}

/**
 * Looks at the page as it is: at both widths and in both schemes, a picture each, nothing wider than the screen, and nothing that
 * keeps anybody out (axe-core; serious and critical).
 */
export async function look({ page }: Pick<Person, 'page'>, name: string): Promise<void> {
  mkdirSync(SCREENSHOTS, { recursive: true })
  for (const [size, viewport] of Object.entries(SIZES)) {
    await page.setViewportSize(viewport)
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await page.screenshot({ path: join(SCREENSHOTS, `${name}-${size}-${colorScheme}.png`), fullPage: true })
      expect(await violationsOn(page), `${name}, ${size}, ${colorScheme}`).toEqual([])
    }
    const overflow = await page.evaluate<number>(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    )
    expect(overflow, `${name} is wider than a ${size}`).toBeLessThanOrEqual(0)
  }
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' })
}

async function violationsOn(page: Page): Promise<readonly string[]> {
  // Put in by the debugger, which no policy of a page stands against.
  await page.evaluate(axe.source)
  const { violations } = await page.evaluate<AxeResults>("axe.run(document, { resultTypes: ['violations'] })")
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary ?? ''}`).join('\n')}`,
    )
}

interface Focused {
  readonly text: string
  readonly outlinePixels: number
  readonly outline: string
}

/** What has the keyboard, and how it shows that; run in the page. */
const FOCUSED = `(() => {
  const at = document.activeElement
  if (at === null || at === document.body) return undefined
  const style = getComputedStyle(at)
  return { text: (at.textContent ?? '').trim(), outlinePixels: parseFloat(style.outlineWidth), outline: style.outlineStyle }
})()`

/** Reaches a control by the keyboard alone and presses it. */
export async function pressByKeyboard(page: Page, name: RegExp, key: 'Enter' | 'Space' = 'Enter'): Promise<void> {
  for (let presses = 0; presses < 80; presses++) {
    await page.keyboard.press('Tab')
    const focused = await page.evaluate<Focused | undefined>(FOCUSED)
    if (focused === undefined || !name.test(focused.text)) continue
    // Whoever cannot see where he is cannot press it.
    expect([focused.outlinePixels >= 2, focused.outline], focused.text).toEqual([true, 'solid'])
    await page.keyboard.press(key)
    return
  }
  throw new Error(`no press of Tab reaches ${name}`)
}
