import { ACCESS_TOKEN_TYPE, type Exchange } from '../../support/clients.ts'

/** The parameters of an exchange that are not the library's own business (RFC 8693 §2.1, RFC 8707 §2, RFC 9396 §2). */
export const exchangeParameters = ({ subjectToken, resource, action }: Exchange): Record<string, string> => ({
  subject_token: subjectToken,
  subject_token_type: ACCESS_TOKEN_TYPE,
  resource,
  authorization_details: JSON.stringify([action]),
})
