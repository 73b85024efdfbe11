import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [
      ...['test/foreign/**', 'test/pg/**', 'test/bench/**', 'test/stress/**', 'test/browser/**'],
      ...['test/process/crash-embedded.test.ts', 'test/process/demo-broken.test.ts'],
    ],
    // One file on every core: most of them wait for a server of their own to boot.
    maxWorkers: '100%',
    // Files of one worker share what they import: loading it anew for each would take a third of the whole time.
    isolate: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
