-- What is given on may ask for approval: its rule is stored with it. The rest is as it was.
-- Gives a delegation on: the replay marks, the re-check of everything it will stand on, the new delegation and its record, in
-- one transaction. What it stands on is locked first, so that whoever revokes or suspends any of it either is seen here, or
-- waits and then sees the new delegation too. Parents before children, in one order for everyone (see also revocations.ts).
--
-- entry: { request, id, client, assertion_kid, jkt, principal, lineage: of the new one, root first, itself last,
--          actors: of every agent above it, actor, actor_kid, actor_jti, actor_issued_at, actor_expires_at,
--          resource, authorization_details, limits, delegable, approval, not_before, expires_at: epoch seconds, granted_by, created_at,
--          record_id, because, request_id, max_tree: delegations below the root that are in force; absent: as many as may be }
-- marks: as for writ_commit, of this one request.
-- Answers 'ok' or a refusal code: then the marks are used up, and nothing else was written.
CREATE OR REPLACE FUNCTION writ_delegate_on(entry jsonb, marks jsonb, max_children int) RETURNS text LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  e record;
  moment timestamptz;
  lost text;
  above text[];
  parent text;
BEGIN
  SELECT * INTO e FROM jsonb_to_record(entry) AS x (
    request uuid, id text, client text, assertion_kid text, jkt text, principal text, lineage text[], actors text[],
    actor text, actor_kid text, actor_jti text, actor_issued_at double precision, actor_expires_at double precision,
    resource text, authorization_details jsonb, limits jsonb, delegable jsonb, approval jsonb, not_before double precision,
    expires_at double precision, granted_by text, created_at double precision, record_id uuid, because jsonb, request_id text, max_tree int);
  above := e.lineage[:cardinality(e.lineage) - 1];
  parent := above[cardinality(above)];

  -- 1. The marks: used up whatever the decision.
  INSERT INTO "replay_mark" ("key", "request_id", "expires_at")
  SELECT decode(m.key, 'hex'), e.request, to_timestamp(m.until)
  FROM jsonb_to_recordset(marks) AS m (key text, until double precision) ORDER BY 1
  ON CONFLICT ("key") DO NOTHING;
  SELECT min(m.kind) INTO lost
  FROM jsonb_to_recordset(marks) AS m (kind text, key text, issued double precision)
  LEFT JOIN "generation" g ON g."id" = 1
  LEFT JOIN "replay_mark" x ON x."key" = decode(m.key, 'hex') AND x."request_id" = e.request
  WHERE x."key" IS NULL OR to_timestamp(m.issued) <= g."restored_at";
  IF lost IS NOT NULL THEN RETURN lost || '_replayed'; END IF;

  -- 2. Everything it stands on, held until the end.
  PERFORM 1 FROM "principal" p WHERE p."id" = e.principal FOR SHARE;
  PERFORM 1 FROM "agent" a WHERE a."id" = ANY (e.actors || e.actor) ORDER BY a."id" FOR SHARE;
  PERFORM 1 FROM "key" k WHERE k."kid" IN (e.assertion_kid, e.jkt, e.actor_kid) ORDER BY k."kid" FOR SHARE;
  PERFORM 1 FROM "delegation" d WHERE d."id" = ANY (above) AND d."id" <> parent ORDER BY cardinality(d."lineage") FOR SHARE;
  -- One at a time for each parent, so that its children can be counted.
  PERFORM 1 FROM "delegation" d WHERE d."id" = parent FOR NO KEY UPDATE;
  PERFORM 1 FROM "generation" g WHERE g."id" = 1 FOR SHARE;
  moment := clock_timestamp();

  -- 3. Does all of it stand, now?
  IF EXISTS (SELECT 1 FROM "generation" g WHERE g."stopped_at" IS NOT NULL) THEN RETURN 'stopped'; END IF;
  IF NOT EXISTS (SELECT 1 FROM "agent" a WHERE a."id" = e.client AND a."status" = 'active') THEN RETURN 'client_inactive'; END IF;
  IF NOT EXISTS (SELECT 1 FROM "key" k WHERE k."kid" = e.assertion_kid AND k."owner_id" = e.client AND k."status" = 'active'
    AND (k."expires_at" IS NULL OR k."expires_at" > moment)) THEN RETURN 'assertion_invalid'; END IF;
  IF NOT EXISTS (SELECT 1 FROM "key" k WHERE k."kid" = e.jkt AND k."owner_id" = e.client AND k."status" = 'active'
    AND (k."expires_at" IS NULL OR k."expires_at" > moment)) THEN RETURN 'proof_key_mismatch'; END IF;
  IF NOT EXISTS (SELECT 1 FROM "principal" p WHERE p."id" = e.principal AND p."status" = 'active') THEN
    RETURN 'principal_inactive';
  END IF;
  IF EXISTS (
    SELECT 1 FROM unnest(above) AS l (id) LEFT JOIN "delegation" d ON d."id" = l.id
    WHERE d."status" IS DISTINCT FROM 'active' OR d."expires_at" <= moment OR coalesce(d."not_before" > moment, false)
      -- It ends no later than any of them.
      OR d."expires_at" < to_timestamp(e.expires_at)
  ) THEN RETURN 'delegation_inactive'; END IF;
  IF EXISTS (SELECT 1 FROM unnest(e.actors) AS l (id) LEFT JOIN "agent" a ON a."id" = l.id
    WHERE a."status" IS DISTINCT FROM 'active') THEN RETURN 'actor_inactive'; END IF;
  IF NOT EXISTS (
    SELECT 1 FROM "agent" a JOIN "key" k ON k."owner_id" = a."id" AND k."kid" = e.actor_kid AND k."status" = 'active'
      AND (k."expires_at" IS NULL OR k."expires_at" > moment)
    WHERE a."id" = e.actor AND a."status" = 'active' AND to_timestamp(e.actor_expires_at) > moment
      AND NOT EXISTS (SELECT 1 FROM "revoked_token" x WHERE x."jti" = e.actor_jti)
      AND NOT EXISTS (SELECT 1 FROM "generation" g WHERE to_timestamp(e.actor_issued_at) <= g."restored_at")
  ) THEN RETURN 'actor_token_invalid'; END IF;
  IF (SELECT count(*) FROM "delegation" d WHERE cardinality(d."lineage") > 1
    AND d."lineage"[cardinality(d."lineage") - 1] = parent AND d."status" = 'active' AND d."expires_at" > moment
  ) >= max_children THEN RETURN 'delegation_full'; END IF;
  -- All of a tree is ended in one transaction, which must be over before anybody's patience. Counted without a lock on the
  -- root: those who add at the same moment in different places may go a little beyond.
  IF (SELECT count(*) FROM (
    SELECT FROM "delegation" d WHERE cardinality(d."lineage") > 1 AND d."lineage"[1] = above[1] AND d."status" = 'active'
      AND d."expires_at" > moment LIMIT e.max_tree) x
  ) >= e.max_tree THEN RETURN 'delegation_full'; END IF;

  -- 4. The delegation, and its record.
  INSERT INTO "delegation" ("id", "principal_id", "agent_id", "resource", "authorization_details", "granted_by", "not_before",
    "expires_at", "lineage", "limits", "delegable", "approval", "created_at")
  VALUES (e.id, e.principal, e.actor, e.resource, e.authorization_details, e.granted_by, to_timestamp(e.not_before),
    to_timestamp(e.expires_at), e.lineage, e.limits, e.delegable, e.approval, to_timestamp(e.created_at));
  INSERT INTO "record" ("id", "at", "kind", "decision", "client", "agent", "principal", "delegation", "jkt", "assertion_kid",
    "because", "request_id")
  VALUES (e.record_id, moment, 'delegation', 'issued', e.client, e.client, e.principal, e.id, e.jkt, e.assertion_kid,
    e.because, e.request_id);
  RETURN 'ok';
END $$;

-- As 20261129200100_looked_up_by_key has it: replacing a function drops its settings.
ALTER FUNCTION writ_delegate_on(jsonb, jsonb, int) SET enable_seqscan = off;
ALTER FUNCTION writ_delegate_on(jsonb, jsonb, int) SET jit = off;
