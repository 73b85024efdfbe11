import { defineConfig } from 'prisma/config'

/** For the Prisma CLI only; the server reads its own configuration. */
export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  // Without DATABASE_URL the commands that write migrations use a scratch database in memory (scripts/schema-engine.mjs).
  datasource: { url: process.env.DATABASE_URL || 'postgresql://scratch.invalid/scratch' },
})
