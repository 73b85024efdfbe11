import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/foreign/**', 'test/pg/**', 'test/bench/**', 'test/process/crash-embedded.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
