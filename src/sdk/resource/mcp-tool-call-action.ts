import { sha256Base64url } from '../../core/hash.ts'
import { canonicalJson, type JsonObject } from '../../core/json.ts'

/** A call of an MCP tool: `params` of `tools/call`. */
export interface McpToolCall {
  readonly tool: string
  /** Absent arguments are `{}`. */
  readonly arguments?: JsonObject | undefined
}

/** Builds the `mcp_tool_call` action: with the arguments, and with the SHA-256 of their RFC 8785 form. */
export function mcpToolCallAction({ tool, arguments: given = {} }: McpToolCall): readonly JsonObject[] {
  return [
    { type: 'mcp_tool_call', tool, arguments: given },
    { type: 'mcp_tool_call', tool, arguments_s256: sha256Base64url(canonicalJson(given)) },
  ]
}
