import { defineConfig } from 'vitest/config'

/** The suites that need PostgreSQL, and those of the stores once more on it. */
export default defineConfig({
  test: {
    include: ['test/pg/**/*.test.ts', 'test/contract/**/*.test.ts', 'test/adapters/**/*.test.ts'],
    env: { TEST_DATABASE_URL: process.env.TEST_DATABASE_URL || 'postgresql://postgres@127.0.0.1:5432/postgres' },
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
})
