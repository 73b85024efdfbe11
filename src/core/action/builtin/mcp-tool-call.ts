import type { ActionTypeDefinition } from '../action-type.ts'

/**
 * One call of a tool of an MCP server. `arguments_s256` is over the RFC 8785 form of the arguments; a call without
 * arguments is written as `"arguments": {}`.
 */
export const mcpToolCall: ActionTypeDefinition = {
  type: 'mcp_tool_call',
  title: 'MCP tool call',
  schema: {
    type: 'object',
    properties: {
      tool: { type: 'string', minLength: 1, maxLength: 128, pattern: '^[!-~]+$' },
      arguments: { type: 'object', 'x-free-form': true },
      arguments_s256: { type: 'string', pattern: '^[A-Za-z0-9_-]{43}$' },
    },
    required: ['tool'],
    oneOf: [{ required: ['arguments'] }, { required: ['arguments_s256'] }],
    additionalProperties: false,
  },
  template: 'Call the tool {tool} with the arguments {arguments}, SHA-256 of the arguments {arguments_s256}',
  risk: 'write',
}
