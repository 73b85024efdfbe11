import type { Admission, RevocationFeed } from '../ports.ts'

/** What a follower of the revocation feed needs beyond its authorization. */
export interface FollowPorts {
  readonly admission: Admission
  readonly feed: RevocationFeed
}
