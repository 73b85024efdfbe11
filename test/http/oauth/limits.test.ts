import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { agentToken, type Answer, exchange, newClient, send } from '../../support/clients.ts'
