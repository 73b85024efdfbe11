import type { ActionTypeDefinition } from '../action-type.ts'
import { emailSend } from './email-send.ts'
import { httpRequest } from './http-request.ts'
import { mcpToolCall } from './mcp-tool-call.ts'
import { paymentInitiation } from './payment-initiation.ts'
import { sqlStatement } from './sql-statement.ts'

/** The action types that every installation has. */
export const BUILTIN_ACTION_TYPES: readonly ActionTypeDefinition[] = [
  emailSend,
  httpRequest,
  mcpToolCall,
  paymentInitiation,
  sqlStatement,
]
