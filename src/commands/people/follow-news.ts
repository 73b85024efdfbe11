import type { NewsFeed } from '../../me-ports.ts'

/** What an open page of a principal follows. */
export interface FollowNewsPorts {
  readonly news: NewsFeed
}
