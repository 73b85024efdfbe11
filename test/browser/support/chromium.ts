import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/** Debian's, or whichever is named. */
const PROGRAM = process.env.WRIT_TEST_CHROMIUM || '/usr/bin/chromium'

const FLAGS = [
  ...['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
  ...['--disable-sync', '--no-first-run', '--disable-dev-shm-usage', '--font-render-hinting=none'],
]

/** Starts a browser with a profile of its own, which ends with it. */
export async function startChromium(): Promise<Browser> {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is missing: apt-get install chromium`)
  return chromium.launch({ executablePath: PROGRAM, headless: true, args: FLAGS })
}
