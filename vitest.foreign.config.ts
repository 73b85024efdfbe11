import { defineConfig } from 'vitest/config'

/** Clients and resource servers that others wrote, against a running server. */
export default defineConfig({
  test: {
    include: ['test/foreign/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})
