/** Approvals that are open, and stand; of a principal whose id is `$1` or a column. */
export const openApprovals = (principal: string): string =>
  `approval a WHERE a.approvers @> ARRAY[${principal}] AND a.state = 'pending' AND a.expires_at > clock_timestamp()
     AND writ_approval_stands(a, clock_timestamp())`

/** What agents ask a principal to delegate, by the backchannel: found by the digest of who is asked. */
export const openConsents = (principal: string): string =>
  `oidc_model m WHERE m.model = 'BackchannelAuthenticationRequest' AND m.user_hash = sha256(convert_to(${principal}, 'UTF8'))
     AND m.answered_at IS NULL AND m.expires_at > clock_timestamp()`
