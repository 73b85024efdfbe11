/** What the doors show and hand in: the nouns of the registry, as the commands take and return them. */
export type {
  AuditRecord,
  ClientNoun,
  Entities,
  Members,
  NewEntity,
  NewKey,
  Noun,
  Page,
  RegisteredActionType,
  RegisteredAgent,
  RegisteredDelegation,
  RegisteredEnrolment,
  RegisteredInstance,
  RegisteredKey,
  RegisteredResource,
  RegisteredSignInLink,
  RegisteredSigningKey,
  SignSubjectToken,
  StoredAnswer,
} from '../../admin-ports.ts'
export type { RegisteredDownstreamRule, TreeNode } from '../../chain-ports.ts'
