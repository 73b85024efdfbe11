-- Introspection in one statement: the marks of what the resource server authenticated with, whether it may still, and the tokens.
--
-- asks: array of {n, client: id of a resource, assertion_kid, jkt: of its proof where it sent one, jti: of the token; without one
-- nothing is looked up}; marks: as those of writ_commit. Answers for each 'ok', with the action of a token that is live and not
-- used up, 'assertion_replayed', 'proof_replayed', or 'stale': the caller decided on what is no longer so, and reads afresh.
--
-- The process asks before it verified the token, so what the token says is not believed yet: a resource server that makes up a
-- token for itself with the `jti` of another's learns nothing of it, not even by how long the answer takes.
CREATE FUNCTION writ_introspect(asks jsonb, marks jsonb) RETURNS TABLE (n int, outcome text, action text) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  moment timestamptz;
BEGIN
  -- In key order, as in writ_commit, so that two statements never wait for each other in a circle.
  INSERT INTO "replay_mark" ("key", "request_id", "expires_at")
  SELECT decode(m.key, 'hex'), m.request, to_timestamp(m.until)
  FROM jsonb_to_recordset(marks) AS m (n int, request uuid, kind text, key text, until double precision)
  ORDER BY 1, m.n
  ON CONFLICT ("key") DO NOTHING;

  -- After the last lock. What was withdrawn before this line is not live.
  moment := clock_timestamp();
  RETURN QUERY
  SELECT v.n, v.outcome, l.action
  FROM (
    SELECT q.n, q.jti, r."identifier", CASE
      WHEN lost.kind = 'assertion' THEN 'assertion_replayed'
      WHEN lost.kind = 'proof' THEN 'proof_replayed'
      WHEN r."status" IS DISTINCT FROM 'active' OR ak."kid" IS NULL OR (q.jkt IS NOT NULL AND pk."kid" IS NULL) THEN 'stale'
      ELSE 'ok'
    END AS outcome
    FROM jsonb_to_recordset(asks) AS q (n int, client text, assertion_kid text, jkt text, jti text)
    LEFT JOIN (
      SELECT m.n, min(m.kind) AS kind
      FROM jsonb_to_recordset(marks) AS m (n int, request uuid, kind text, key text, issued double precision)
      LEFT JOIN "generation" g ON g."id" = 1
      LEFT JOIN "replay_mark" x ON x."key" = decode(m.key, 'hex') AND x."request_id" = m.request
      -- What was made before a restore may have been used in the time that the backup does not know of.
      WHERE x."key" IS NULL OR to_timestamp(m.issued) <= g."restored_at"
      GROUP BY m.n
    ) lost ON lost.n = q.n
    LEFT JOIN "resource" r ON r."id" = q.client
    LEFT JOIN "key" ak ON ak."kid" = q.assertion_kid AND ak."owner_id" = q.client AND ak."status" = 'active'
      AND (ak."expires_at" IS NULL OR ak."expires_at" > moment)
    LEFT JOIN "key" pk ON pk."kid" = q.jkt AND pk."owner_id" = q.client AND pk."status" = 'active'
      AND (pk."expires_at" IS NULL OR pk."expires_at" > moment)
  ) v
  LEFT JOIN LATERAL (
    SELECT t.action FROM writ_live_token(v.jti, moment) t
    -- Subqueries, which are never made into joins (writ_live_unused). OFFSET keeps all of this here: as conditions of the join they
    -- would be looked at after the function was called.
    WHERE v.outcome = 'ok' AND (SELECT c."resource" FROM "record" c WHERE c."jti" = v.jti) = v.identifier
      AND (SELECT true FROM "token_use" u WHERE u."jti" = v.jti) IS NULL
    OFFSET 0
  ) l ON true;
END $$;
