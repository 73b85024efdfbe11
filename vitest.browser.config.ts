import { defineConfig } from 'vitest/config'

/** Stories of people in a real browser: Debian's Chromium, driven by playwright-core, against a whole server. */
export default defineConfig({
  test: {
    include: ['test/browser/**/*.test.ts'],
    // The embedded database: a person's first minutes need no server.
    env: { TEST_DATABASE_URL: '' },
    // One browser and one server at a time: what is seen must not depend on what else runs.
    fileParallelism: false,
    isolate: false,
    testTimeout: 90_000,
    hookTimeout: 90_000,
  },
})
