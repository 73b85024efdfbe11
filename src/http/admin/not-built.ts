/**
 * Paths that the contract names and this version does not have yet: refused as not supported, which is not the same as
 * not being there.
 */
export const NOT_BUILT: readonly string[] = ['/approvals', '/approvals/:id/approve', '/approvals/:id/deny']
