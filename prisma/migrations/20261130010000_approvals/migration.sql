-- Who is asked, each of them: several delegations of a chain may ask different people. No default: an approval that nobody
-- has to give is none.
-- AlterTable
ALTER TABLE "approval" ADD COLUMN     "needs" JSONB NOT NULL;

-- CreateIndex
CREATE INDEX "approval_approvers_idx" ON "approval" USING GIN ("approvers");


-- ---------------------------------------------------------------------------------------------------------------------
-- What Prisma cannot describe.
-- ---------------------------------------------------------------------------------------------------------------------

-- Open ones of an agent and a principal: those of the past are not looked at.
CREATE INDEX "approval_open_idx" ON "approval" ("agent_id", "principal_id") WHERE "state" IN ('pending', 'approved');

-- Whether everything that an approval rests on stands at one moment: agent, key, principal, every delegation of the chain with
-- its agent, the resource, and the action type in the version that was asked under. What is of before a restore may have been
-- redeemed after the backup was made.
CREATE FUNCTION writ_approval_stands(a "approval", moment timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET jit = off AS $$
BEGIN
  RETURN EXISTS (
    SELECT 1 FROM "delegation" d
    JOIN "agent" g ON g."id" = a."agent_id" AND g."status" = 'active'
    JOIN "key" k ON k."kid" = a."jkt" AND k."owner_id" = a."agent_id" AND k."status" = 'active'
      AND (k."expires_at" IS NULL OR k."expires_at" > moment)
    JOIN "principal" p ON p."id" = a."principal_id" AND p."status" = 'active'
    JOIN "resource" r ON r."identifier" = a."resource" AND r."status" = 'active'
    JOIN "action_type" t ON t."type" = a."action_type" AND t."status" = 'active' AND t."version" = a."action_type_version"
    WHERE d."id" = a."delegation_id" AND d."agent_id" = a."agent_id" AND d."principal_id" = a."principal_id"
      AND NOT EXISTS (SELECT 1 FROM "generation" x WHERE a."created_at" <= x."restored_at")
      AND NOT EXISTS (
        SELECT 1 FROM unnest(d."lineage") AS l (id) LEFT JOIN "delegation" e ON e."id" = l.id
        LEFT JOIN "agent" o ON o."id" = e."agent_id"
        WHERE e."status" IS DISTINCT FROM 'active' OR e."expires_at" <= moment OR e."not_before" > moment
          OR o."status" IS DISTINCT FROM 'active'));
END $$;

-- Whether as many as were asked for have said yes. Whoever is not active any more has not: each need by itself, and one at least.
CREATE FUNCTION writ_approval_is_backed(a "approval") RETURNS boolean LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET jit = off AS $$
BEGIN
  RETURN jsonb_array_length(a."needs") > 0 AND NOT EXISTS (
    SELECT 1 FROM jsonb_to_recordset(a."needs") AS n (approvers text[], threshold int)
    WHERE n.threshold IS NULL OR n.threshold < 1 OR n.threshold > (
      SELECT count(*) FROM "approval_vote" v JOIN "principal" p ON p."id" = v."approver" AND p."status" = 'active'
      WHERE v."approval_id" = a."id" AND v."is_yes" AND v."approver" = ANY (n.approvers)));
END $$;

-- Opens an approval for an entry of writ_commit, or finds the one that is open for the very same: delegation, resource, action,
-- version of its type, agent, key, principal and turn. Null: as many wait already as may. The caller lets one at a time in here
-- for each agent and principal.
--
-- opens: { id, auth_req_id, needs: [{ approvers, threshold }], approvers, purpose, seconds, until: epoch seconds,
--          notification_token: hex, max_pending }
CREATE FUNCTION writ_open_approval(entry jsonb, moment timestamptz) RETURNS jsonb LANGUAGE plpgsql
SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  e record;
  o record;
  a "approval";
  is_new boolean := false;
BEGIN
  SELECT * INTO e FROM jsonb_to_record(entry) AS x (
    client text, principal text, delegation text, jkt text, resource text, action text, action_digest text, action_type text,
    action_type_version int, turn text, request_id text, opens jsonb);
  SELECT * INTO o FROM jsonb_to_record(e.opens) AS x (
    id text, auth_req_id text, needs jsonb, approvers text[], purpose text, seconds int, until double precision,
    notification_token text, max_pending int);
  SELECT * INTO a FROM "approval" x WHERE x."agent_id" = e.client AND x."principal_id" = e.principal
    AND x."state" IN ('pending', 'approved') AND x."expires_at" > moment
    AND x."delegation_id" = e.delegation AND x."resource" = e.resource AND x."action_digest" = e.action_digest
    AND x."action_type" = e.action_type AND x."action_type_version" = e.action_type_version AND x."jkt" = e.jkt
    AND x."turn" IS NOT DISTINCT FROM e.turn
    AND NOT EXISTS (SELECT 1 FROM "generation" g WHERE x."created_at" <= g."restored_at")
    ORDER BY x."id" DESC LIMIT 1;
  IF NOT FOUND THEN
    IF (SELECT count(*) FROM "approval" x WHERE x."agent_id" = e.client AND x."principal_id" = e.principal
      AND x."state" = 'pending' AND x."expires_at" > moment) >= o.max_pending THEN RETURN NULL; END IF;
    INSERT INTO "approval" ("id", "auth_req_id", "delegation_id", "principal_id", "agent_id", "jkt", "resource", "action",
      "action_digest", "action_type", "action_type_version", "turn", "purpose", "needs", "approvers", "threshold", "request_id",
      "created_at", "expires_at", "notification_token")
    VALUES (o.id, o.auth_req_id, e.delegation, e.principal, e.client, e.jkt, e.resource, e.action,
      e.action_digest, e.action_type, e.action_type_version, e.turn, o.purpose, o.needs, o.approvers,
      (SELECT max(n.threshold) FROM jsonb_to_recordset(o.needs) AS n (threshold int)), e.request_id,
      moment, least(moment + make_interval(secs => o.seconds), to_timestamp(o.until)), decode(o.notification_token, 'hex'))
    RETURNING * INTO a;
    is_new := true;
  END IF;
  RETURN jsonb_build_object('outcome', CASE WHEN is_new THEN 'pending' ELSE 'pending_again' END, 'id', a."id",
    'auth_req_id', a."auth_req_id", 'interval', a."interval_seconds",
    'expires_in', greatest(1, floor(extract(epoch FROM a."expires_at" - moment))));
END $$;

-- Whether an entry of writ_commit is what was approved, to the byte, by the key that asked, and not redeemed yet. The row is
-- locked by the caller.
CREATE FUNCTION writ_may_redeem(entry jsonb, moment timestamptz) RETURNS boolean LANGUAGE plpgsql
SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
  RETURN EXISTS (
    SELECT 1 FROM jsonb_to_record(entry) AS e (approval text, client text, principal text, delegation text, jkt text,
      resource text, action text, action_digest text, action_type text, action_type_version int, turn text)
    JOIN "approval" a ON a."id" = e.approval
    WHERE a."state" = 'approved' AND a."expires_at" > moment AND a."agent_id" = e.client AND a."principal_id" = e.principal
      AND a."delegation_id" = e.delegation AND a."jkt" = e.jkt AND a."resource" = e.resource AND a."action" = e.action
      AND a."action_digest" = e.action_digest AND a."action_type" = e.action_type
      AND a."action_type_version" = e.action_type_version AND a."turn" IS NOT DISTINCT FROM e.turn
      AND NOT EXISTS (SELECT 1 FROM "generation" g WHERE a."created_at" <= g."restored_at")
      AND writ_approval_is_backed(a));
END $$;

-- One answer of one approver: it counts once, one no ends the approval, and the last yes that was needed approves it. Whatever
-- the approval rests on is looked at here, now; what has changed makes it void.
--
-- Answers what became of it, and the state of the approval after it.
CREATE FUNCTION writ_answer_approval(approval_id text, answering text, administrator text, says_yes boolean, login_id text,
  record_id uuid, request_id text) RETURNS TABLE (outcome text, state text) LANGUAGE plpgsql
SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_variable
DECLARE
  a "approval";
  v "approval_vote";
  who record;
  moment timestamptz;
  after text := 'pending';
BEGIN
  SELECT * INTO a FROM "approval" x WHERE x."id" = approval_id FOR UPDATE;
  moment := clock_timestamp();
  IF a."id" IS NULL OR NOT answering = ANY (a."approvers") THEN
    RETURN QUERY SELECT 'not_found', 'void'; RETURN;
  END IF;
  after := CASE WHEN a."state" IN ('pending', 'approved') AND a."expires_at" <= moment THEN 'expired' ELSE a."state"::text END;
  SELECT p."kind"::text AS kind, p."status"::text AS status INTO who FROM "principal" p WHERE p."id" = answering;
  IF who.status IS DISTINCT FROM 'active' OR (login_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "login" l
    WHERE l."id" = login_id AND l."principal_id" = answering AND l."ended_at" IS NULL AND l."expires_at" > moment)) THEN
    RETURN QUERY SELECT 'approver_inactive', after; RETURN;
  END IF;
  IF administrator IS NOT NULL AND who.kind NOT IN ('organization', 'service') THEN
    RETURN QUERY SELECT 'for_a_person', after; RETURN;
  END IF;
  SELECT * INTO v FROM "approval_vote" x WHERE x."approval_id" = a."id" AND x."approver" = answering;
  IF v."approver" IS NOT NULL AND v."is_yes" = says_yes AND after IN ('pending', 'approved', 'denied', 'redeemed') THEN
    RETURN QUERY SELECT 'repeat', after; RETURN;
  END IF;
  IF after <> 'pending' THEN
    RETURN QUERY SELECT 'over', after; RETURN;
  END IF;
  IF v."approver" IS NOT NULL THEN
    RETURN QUERY SELECT 'answered_before', after; RETURN;
  END IF;
  IF NOT writ_approval_stands(a, moment) THEN
    after := 'void';
  ELSE
    INSERT INTO "approval_vote" ("approval_id", "approver", "answered_by", "is_yes", "login_id", "at")
    VALUES (a."id", answering, coalesce('admin:' || administrator, 'principal'), says_yes, login_id, moment);
    after := CASE WHEN NOT says_yes THEN 'denied' WHEN writ_approval_is_backed(a) THEN 'approved' ELSE 'pending' END;
  END IF;
  IF after <> 'pending' THEN
    UPDATE "approval" x SET "state" = after::"approval_state", "decided_at" = moment,
      -- Whoever waited until the last moment still finds it.
      "expires_at" = CASE WHEN after = 'approved' THEN greatest(x."expires_at", moment + interval '30 seconds') ELSE x."expires_at" END
    WHERE x."id" = a."id";
  END IF;
  INSERT INTO "record" ("id", "at", "kind", "decision", "client", "agent", "principal", "delegation", "resource", "action_type",
    "action_type_version", "action_digest", "jkt", "turn", "because", "request_id")
  VALUES (record_id, moment, 'approval', 'done', administrator, a."agent_id", a."principal_id", a."delegation_id", a."resource",
    a."action_type", a."action_type_version", a."action_digest", a."jkt", a."turn",
    jsonb_strip_nulls(jsonb_build_object(
      'operation', CASE WHEN after = 'void' THEN 'approval.void' WHEN says_yes THEN 'approval.approve' ELSE 'approval.deny' END,
      'target', a."id", 'approver', answering, 'login', login_id, 'state', after)), request_id);
  RETURN QUERY SELECT CASE WHEN after = 'void' THEN 'void' ELSE 'answered' END, after;
END $$;

-- The commit as before, and approvals: an entry may be 'pending' and say in `opens` what is to be opened (it is held to all that
-- an issuance is held to, limits included, and counts at none), or be issued on one that was approved and name it in `approval`.
-- `knows_rule`: somebody looked whether a rule of the chain asks. A process of the version before does not say so, and is
-- answered 'stale' wherever there is such a rule.
--
-- Answers also 'pending' (opened, and on record) and 'pending_again' (it was open already): `claims` then says which one.
CREATE OR REPLACE FUNCTION writ_commit(entries jsonb, marks jsonb, refusal_cap int)
RETURNS TABLE (n int, outcome text, stored boolean, reached int, claims text) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
#variable_conflict use_column
DECLARE
  moment timestamptz := clock_timestamp();
  this_hour timestamptz := date_trunc('hour', clock_timestamp());
  outcomes text[];
  storable boolean[];
  -- By entry: the charge that reached its limit, its label, and the claims of a turn that is repeated.
  reacheds int[];
  labels text[];
  repeats text[];
  counts boolean := entries @? '$[*] ? (exists (@.turn_key) || exists (@.charges[0]) || exists (@.approval) || exists (@.opens))';
  opened jsonb;
  -- The counters of this flush, by position.
  counter_ids bigint[] := '{}';
  counter_owners text[] := '{}';
  counter_rules text[] := '{}';
  useds numeric[] := '{}';
  before numeric[];
  -- What is counted by this flush, one for each token and counter.
  use_jtis text[] := '{}';
  use_counters bigint[] := '{}';
  use_amounts numeric[] := '{}';
  use_leaves timestamptz[] := '{}';
  use_windows timestamptz[] := '{}';
  use_forgets timestamptz[] := '{}';
  e record;
  t "turn";
  u "token_use";
  is_void boolean;
  is_unknown boolean;
  window_end timestamptz;
BEGIN
  -- 1. The marks, in key order so that two flushes never wait for each other in a circle. The winner of a key is the
  --    request whose id stands in the row, also between two copies of one proof in this very flush.
  INSERT INTO "replay_mark" ("key", "request_id", "expires_at")
  SELECT decode(m.key, 'hex'), m.request, to_timestamp(m.until)
  FROM jsonb_to_recordset(marks) AS m (n int, request uuid, kind text, key text, until double precision)
  ORDER BY 1, m.n
  ON CONFLICT ("key") DO NOTHING;

  -- 2. The verdict on each entry, by the database's clock and the statuses of this moment.
  --    A refusal that says on what it was decided is held to the same: what is no longer so is decided again.
  SELECT array_agg(CASE WHEN verdict.decision IN ('issued', 'pending') OR verdict.outcome IN ('ok', 'assertion_replayed', 'proof_replayed')
    THEN verdict.outcome ELSE 'stale' END ORDER BY verdict.n) INTO outcomes
  FROM (
    SELECT e.n, e.decision, CASE
      WHEN lost.kind = 'assertion' THEN 'assertion_replayed'
      WHEN lost.kind = 'proof' THEN 'proof_replayed'
      WHEN e.decision NOT IN ('issued', 'pending') AND e.resource_id IS NULL THEN 'ok'
      WHEN g."stopped_at" IS NOT NULL THEN 'stopped'
      WHEN coalesce(a."status", rc."status") IS DISTINCT FROM 'active' THEN 'client_inactive'
      WHEN ak."kid" IS NULL THEN 'assertion_invalid'
      WHEN pk."kid" IS NULL THEN 'proof_key_mismatch'
      WHEN p."status" IS DISTINCT FROM 'active' THEN 'principal_inactive'
      WHEN line.is_over IS DISTINCT FROM false THEN 'delegation_inactive'
      WHEN chain.is_stopped IS DISTINCT FROM false THEN 'actor_inactive'
      WHEN cardinality(e.token_lineage) > 0
        AND NOT EXISTS (SELECT 1 FROM writ_live_token(e.token_lineage[cardinality(e.token_lineage)], moment))
        THEN 'subject_token_invalid'
      WHEN r."status" IS DISTINCT FROM 'active' THEN 'resource_unknown'
      WHEN t."status" IS DISTINCT FROM 'active' THEN 'action_type_inactive'
      WHEN r."version" IS DISTINCT FROM e.resource_version OR t."version" IS DISTINCT FROM e.action_type_version
        OR chain.is_changed
        -- The rules of the resource server that asks are part of it.
        OR (e.client_version IS NOT NULL AND rc."version" IS DISTINCT FROM e.client_version) THEN 'stale'
      -- Whoever does not know of limits does not mint where there are any.
      WHEN e.decision = 'issued' AND e.charges IS NULL AND (line.is_limited OR chain.is_limited OR r."limits" IS NOT NULL) THEN 'stale'
      -- Nor does whoever did not look whether somebody is to be asked.
      WHEN e.decision = 'issued' AND line.is_ruled AND e.knows_rule IS NOT TRUE THEN 'stale'
      ELSE 'ok'
    END AS outcome
    FROM jsonb_to_recordset(entries) AS e (
      n int, decision text, client text, agent text, assertion_kid text, jkt text, principal text, lineage text[],
      actors text[], actor_versions int[], token_lineage text[], resource_id text, resource_version int, action_type text,
      action_type_version int, charges jsonb, client_version int, knows_rule boolean)
    LEFT JOIN "generation" g ON g."id" = 1
    LEFT JOIN (
      SELECT m.n, min(m.kind) AS kind
      FROM jsonb_to_recordset(marks) AS m (n int, request uuid, kind text, key text, issued double precision)
      LEFT JOIN "generation" g ON g."id" = 1
      LEFT JOIN "replay_mark" x ON x."key" = decode(m.key, 'hex') AND x."request_id" = m.request
      -- What was made before a restore may have been used in the time that the backup does not know of.
      WHERE x."key" IS NULL OR to_timestamp(m.issued) <= g."restored_at"
      GROUP BY m.n
    ) lost ON lost.n = e.n
    LEFT JOIN "agent" a ON a."id" = e.client
    LEFT JOIN "resource" rc ON rc."id" = e.client
    LEFT JOIN "key" ak ON ak."kid" = e.assertion_kid AND ak."owner_id" = e.client AND ak."status" = 'active'
      AND (ak."expires_at" IS NULL OR ak."expires_at" > moment)
    LEFT JOIN "key" pk ON pk."kid" = e.jkt AND pk."owner_id" = e.client AND pk."status" = 'active'
      AND (pk."expires_at" IS NULL OR pk."expires_at" > moment)
    LEFT JOIN "principal" p ON p."id" = e.principal
    LEFT JOIN LATERAL (
      SELECT bool_or(d."status" IS DISTINCT FROM 'active' OR d."expires_at" <= moment OR coalesce(d."not_before" > moment, false))
        AS is_over, bool_or(d."limits" IS NOT NULL) AS is_limited, bool_or(d."approval" IS NOT NULL) AS is_ruled
      FROM unnest(e.lineage) AS l (id) LEFT JOIN "delegation" d ON d."id" = l.id
    ) line ON e.decision IN ('issued', 'pending') OR e.resource_id IS NOT NULL
    LEFT JOIN LATERAL (
      SELECT bool_or(x."status" IS DISTINCT FROM 'active') AS is_stopped,
        bool_or(c.version IS NOT NULL AND x."version" IS DISTINCT FROM c.version) AS is_changed,
        bool_or(x."limits" IS NOT NULL) AS is_limited
      FROM unnest(coalesce(e.actors, ARRAY[e.agent]), e.actor_versions) AS c (id, version) LEFT JOIN "agent" x ON x."id" = c.id
    ) chain ON e.decision IN ('issued', 'pending') OR e.resource_id IS NOT NULL
    LEFT JOIN "resource" r ON r."id" = e.resource_id
    LEFT JOIN "action_type" t ON t."type" = e.action_type
  ) verdict;
  reacheds := array_fill(NULL::int, ARRAY[cardinality(outcomes)]);
  labels := array_fill(NULL::text, ARRAY[cardinality(outcomes)]);
  repeats := array_fill(NULL::text, ARRAY[cardinality(outcomes)]);

  IF counts THEN
    -- 3. The turns, then the counters, each in one order for everyone, and the clock after the last lock.
    --    A row without a token is a turn that nobody has taken yet; what is left of them at the end is removed.
    INSERT INTO "turn" ("key", "request_id", "forget_at")
    SELECT DISTINCT ON (1) decode(e.turn_key, 'hex'), e.request, to_timestamp(e.turn_until)
    FROM jsonb_to_recordset(entries) AS e (n int, request uuid, turn_key text, turn_until double precision)
    WHERE e.turn_key IS NOT NULL AND outcomes[e.n + 1] = 'ok'
    ORDER BY 1, e.n
    ON CONFLICT ("key") DO UPDATE SET "key" = excluded."key";

    INSERT INTO "limit_counter" ("owner", "rule", "forget_at")
    SELECT DISTINCT ON (ch.owner, ch.rule) ch.owner, ch.rule, to_timestamp(ch.until)
    FROM jsonb_to_recordset(entries) AS e (n int, charges jsonb)
    CROSS JOIN LATERAL jsonb_to_recordset(e.charges) AS ch (owner text, rule text, until double precision)
    WHERE outcomes[e.n + 1] = 'ok'
      AND NOT EXISTS (SELECT 1 FROM "limit_counter" c WHERE c."owner" = ch.owner AND c."rule" = ch.rule)
    ORDER BY ch.owner, ch.rule
    ON CONFLICT ("owner", "rule") DO NOTHING;
    SELECT coalesce(array_agg(l."id"), '{}'), coalesce(array_agg(l."owner"), '{}'), coalesce(array_agg(l."rule"), '{}'),
      coalesce(array_agg(l."used"), '{}')
    INTO counter_ids, counter_owners, counter_rules, useds
    FROM (
      SELECT c."id", c."owner", c."rule", c."used" FROM "limit_counter" c
      WHERE (c."owner", c."rule") IN (
        SELECT ch.owner, ch.rule FROM jsonb_to_recordset(entries) AS e (n int, charges jsonb)
        CROSS JOIN LATERAL jsonb_to_recordset(e.charges) AS ch (owner text, rule text)
        WHERE outcomes[e.n + 1] = 'ok')
      ORDER BY c."id" FOR UPDATE
    ) l;
    -- Approvals that are redeemed, and whoever opens one: those of an agent and a principal are counted one at a time.
    IF entries @? '$[*].approval' THEN
      PERFORM 1 FROM "approval" x WHERE x."id" IN (
        SELECT e.approval FROM jsonb_to_recordset(entries) AS e (n int, approval text)
        WHERE e.approval IS NOT NULL AND outcomes[e.n + 1] = 'ok') ORDER BY x."id" FOR UPDATE;
    END IF;
    IF entries @? '$[*].opens' THEN
      PERFORM pg_advisory_xact_lock(k.lock) FROM (
        SELECT DISTINCT hashtextextended('approval ' || e.client || ' ' || e.principal, 0) AS lock
        FROM jsonb_to_recordset(entries) AS e (n int, client text, principal text, opens jsonb)
        WHERE e.opens IS NOT NULL AND outcomes[e.n + 1] = 'ok' ORDER BY 1) k;
    END IF;
    moment := clock_timestamp();

    -- 4. What has left by itself counts no more; the oldest of it first, and so much at once that nobody waits for long for
    --    what somebody else let lie. What is over is taken off the next time: until then too much is counted, never too little.
    --    By place: nobody else moves a row of a counter that is locked here.
    before := useds;
    IF cardinality(counter_ids) > 0 THEN
      WITH gone AS (
        DELETE FROM "limit_use" u WHERE u.ctid = ANY (ARRAY (
          SELECT o.place FROM unnest(counter_ids) AS c (id) CROSS JOIN LATERAL (
            SELECT o.ctid AS place FROM "limit_use" o WHERE o."counter_id" = c.id AND o."leaves_at" <= moment
            ORDER BY o."leaves_at" LIMIT 20000) o))
        RETURNING u."counter_id", u."amount"
      ), sums AS (SELECT g."counter_id", sum(g."amount") AS amount FROM gone g GROUP BY g."counter_id")
      SELECT array_agg(c.used - coalesce(s.amount, 0) ORDER BY c.position) INTO useds
      FROM unnest(counter_ids, useds) WITH ORDINALITY AS c (id, used, position) LEFT JOIN sums s ON s."counter_id" = c.id;
    END IF;

    -- 5. Entry by entry, in the order they came: each sees what those before it have counted.
    FOR e IN
      SELECT x.n, x.request, decode(x.turn_key, 'hex') AS turn_key, x.jti, x.jkt, x.claims,
        to_timestamp(x.token_expires_at) AS expires_at, r."enforcement", g."restored_at", q.positions, q.amounts, q.maxima,
        q.seconds, q.labels, coalesce(jsonb_array_length(x.charges), 0) AS wanted, x.approval, x.opens IS NOT NULL AS opens
      FROM jsonb_to_recordset(entries) AS x (
        n int, request uuid, turn_key text, jti text, jkt text, claims text, token_expires_at bigint, resource_id text,
        charges jsonb, approval text, opens jsonb)
      LEFT JOIN "generation" g ON g."id" = 1
      LEFT JOIN "resource" r ON r."id" = x.resource_id
      LEFT JOIN (
        SELECT y.n, array_agg(k.position ORDER BY ch.i) AS positions, array_agg(ch.amount ORDER BY ch.i) AS amounts,
          array_agg(ch.max ORDER BY ch.i) AS maxima, array_agg(ch.seconds ORDER BY ch.i) AS seconds,
          array_agg(ch.label ORDER BY ch.i) AS labels
        FROM jsonb_to_recordset(entries) AS y (n int, charges jsonb)
        CROSS JOIN LATERAL ROWS FROM (jsonb_to_recordset(y.charges) AS (
          owner text, rule text, max numeric, amount numeric, seconds int, label text)) WITH ORDINALITY
          AS ch (owner, rule, max, amount, seconds, label, i)
        JOIN unnest(counter_owners, counter_rules) WITH ORDINALITY AS k (owner, rule, position)
          ON k.owner = ch.owner AND k.rule = ch.rule
        GROUP BY y.n
      ) q ON q.n = x.n
      WHERE x.turn_key IS NOT NULL OR jsonb_array_length(x.charges) > 0 OR x.approval IS NOT NULL OR x.opens IS NOT NULL
      ORDER BY x.n
    LOOP
      CONTINUE WHEN outcomes[e.n + 1] <> 'ok';
      -- A counter that went away meanwhile: what cannot be counted is decided again, never let through.
      IF coalesce(cardinality(e.positions), 0) <> e.wanted THEN
        outcomes[e.n + 1] := 'stale';
        CONTINUE;
      END IF;
      -- Before anything else: of many polls of one approval, one finds it.
      IF e.approval IS NOT NULL AND NOT writ_may_redeem(entries -> e.n, moment) THEN
        outcomes[e.n + 1] := 'approval_unknown';
        CONTINUE;
      END IF;
      IF e.turn_key IS NOT NULL THEN
        SELECT * INTO t FROM "turn" WHERE "key" = e.turn_key;
        IF t."jti" IS NOT NULL THEN
          SELECT * INTO u FROM "token_use" WHERE "jti" = t."jti";
          -- Of the time before a restore: it may have been used after the backup was made.
          is_unknown := EXISTS (SELECT 1 FROM "record" c WHERE c."jti" = t."jti" AND c."at" <= e.restored_at);
          is_void := EXISTS (SELECT 1 FROM "revoked_token" x WHERE x."jti" = t."jti")
            OR (is_unknown AND t."expires_at" > moment);
          IF t."jkt" <> e.jkt THEN
            outcomes[e.n + 1] := 'turn_key_mismatch';
            CONTINUE;
          ELSIF is_void THEN
            outcomes[e.n + 1] := 'turn_over';
            CONTINUE;
          ELSIF t."expires_at" > moment AND u."jti" IS NULL THEN
            outcomes[e.n + 1] := 'repeat';
            repeats[e.n + 1] := t."claims";
            CONTINUE;
          ELSIF t."expires_at" > moment
            -- It may have run, unless its resource server says that it did not, or would have had to ask first, then and now.
            OR (u."receipt_outcome" IS DISTINCT FROM 'refused' AND (u."jti" IS NOT NULL OR is_unknown
              OR NOT t."must_be_consumed" OR e."enforcement" <> 'consume')) THEN
            outcomes[e.n + 1] := 'turn_over';
            CONTINUE;
          END IF;
        END IF;
      END IF;
      FOR i IN 1 .. coalesce(cardinality(e.positions), 0) LOOP
        IF useds[e.positions[i]] + e.amounts[i] > e.maxima[i] THEN
          outcomes[e.n + 1] := 'limit_reached';
          reacheds[e.n + 1] := i - 1;
          labels[e.n + 1] := e.labels[i];
          FOR j IN 1 .. i - 1 LOOP
            useds[e.positions[j]] := useds[e.positions[j]] - e.amounts[j];
          END LOOP;
          EXIT;
        END IF;
        useds[e.positions[i]] := useds[e.positions[i]] + e.amounts[i];
      END LOOP;
      CONTINUE WHEN outcomes[e.n + 1] <> 'ok';
      IF e.opens THEN
        -- It would fit under every limit; it counts when it is redeemed.
        FOR i IN 1 .. coalesce(cardinality(e.positions), 0) LOOP
          useds[e.positions[i]] := useds[e.positions[i]] - e.amounts[i];
        END LOOP;
        opened := writ_open_approval(entries -> e.n, moment);
        outcomes[e.n + 1] := coalesce(opened ->> 'outcome', 'approvals_full');
        repeats[e.n + 1] := opened::text;
        CONTINUE;
      END IF;
      IF e.approval IS NOT NULL THEN
        UPDATE "approval" SET "state" = 'redeemed', "jti" = e.jti WHERE "id" = e.approval;
      END IF;
      FOR i IN 1 .. coalesce(cardinality(e.positions), 0) LOOP
        window_end := moment + make_interval(secs => e.seconds[i]);
        use_jtis := use_jtis || e.jti;
        use_counters := use_counters || counter_ids[e.positions[i]];
        use_amounts := use_amounts || e.amounts[i];
        -- A token that its resource server would have consumed, and did not, was not used.
        use_leaves := use_leaves || CASE WHEN e."enforcement" = 'consume' THEN least(window_end, e.expires_at) ELSE window_end END;
        use_windows := use_windows || window_end;
        use_forgets := use_forgets || greatest(e.expires_at + interval '25 hours', window_end);
      END LOOP;
      IF e.turn_key IS NOT NULL THEN
        UPDATE "turn" SET "request_id" = e.request, "jti" = e.jti, "jkt" = e.jkt, "claims" = e.claims, "expires_at" = e.expires_at,
          "must_be_consumed" = (e."enforcement" = 'consume') WHERE "key" = e.turn_key;
      END IF;
    END LOOP;

    -- 6. All of it, written at once.
    UPDATE "limit_counter" c SET "used" = k.used
      FROM unnest(counter_ids, useds, before) AS k (id, used, before) WHERE c."id" = k.id AND k.used <> k.before;
    INSERT INTO "limit_use" ("jti", "counter_id", "amount", "leaves_at", "window_ends_at", "forget_at")
      SELECT * FROM unnest(use_jtis, use_counters, use_amounts, use_leaves, use_windows, use_forgets);
    DELETE FROM "turn" WHERE "jti" IS NULL AND "key" IN (
      SELECT decode(e.turn_key, 'hex') FROM jsonb_to_recordset(entries) AS e (turn_key text) WHERE e.turn_key IS NOT NULL);
  END IF;

  -- 7. Refusals are counted; only the first ones of an hour are stored, so that nobody can fill the disk by asking.
  WITH refused AS (
    SELECT e.n, coalesce(e.client, '') AS client, CASE WHEN o.outcome = 'ok' THEN e.refusal ELSE o.outcome END AS code
    FROM jsonb_to_recordset(entries) AS e (n int, decision text, refusal text, client text)
    JOIN unnest(outcomes) WITH ORDINALITY AS o (outcome, i) ON o.i = e.n + 1
    WHERE CASE WHEN e.decision = 'refused' THEN o.outcome <> 'stale' ELSE o.outcome NOT IN ('ok', 'stale', 'repeat', 'pending', 'pending_again') END
  ), tallied AS (
    INSERT INTO "refusal_tally" AS tally ("client", "hour", "code", "count")
    SELECT client, this_hour, code, count(*) FROM refused GROUP BY client, code ORDER BY client, code
    ON CONFLICT ("client", "hour", "code") DO UPDATE SET "count" = tally."count" + excluded."count"
    RETURNING tally."client", tally."code", tally."count"
  )
  SELECT array_agg(coalesce(s.storable, false) ORDER BY o.i) INTO storable
  FROM unnest(outcomes) WITH ORDINALITY AS o (outcome, i)
  LEFT JOIN (
    SELECT f.n, f.client <> '' AND t."count" - count(*) OVER (PARTITION BY f.client, f.code)
      + row_number() OVER (PARTITION BY f.client, f.code ORDER BY f.n) <= refusal_cap AS storable
    FROM refused f JOIN tallied t ON t."client" = f.client AND t."code" = f.code
  ) s ON s.n = o.i - 1;

  -- 8. The records: what will be signed, and what was refused. A turn that is repeated has its record.
  INSERT INTO "record" ("id", "at", "kind", "decision", "refusal", "detail", "client", "agent", "principal", "delegation",
    "resource", "action_type", "action_type_version", "action", "action_digest", "claims_digest", "jti", "jkt", "assertion_kid",
    "txn", "turn", "because", "token_issued_at", "token_expires_at", "token_lineage", "request_id")
  SELECT e.id, moment, e.kind, v.decision, v.refusal, CASE WHEN o.outcome IN ('ok', 'pending') THEN e.detail ELSE o.label END, e.client, e.agent,
    e.principal, e.delegation, e.resource, e.action_type, e.action_type_version, e.action, e.action_digest,
    CASE WHEN v.issued THEN e.claims_digest END, CASE WHEN v.issued THEN e.jti END, e.jkt, e.assertion_kid,
    CASE WHEN v.issued THEN e.txn END, e.turn, e.because,
    CASE WHEN v.issued THEN to_timestamp(e.token_issued_at) END, CASE WHEN v.issued THEN to_timestamp(e.token_expires_at) END,
    coalesce(e.token_lineage, '{}'), e.request_id
  FROM jsonb_to_recordset(entries) AS e (
    n int, id uuid, kind text, decision text, refusal text, detail text, client text, agent text, principal text,
    delegation text, resource text, action_type text, action_type_version int, action text, action_digest text,
    claims_digest text, jti text, jkt text, assertion_kid text, txn text, turn text, because jsonb, token_issued_at bigint,
    token_expires_at bigint, token_lineage text[], request_id text)
  JOIN unnest(outcomes, storable, labels) WITH ORDINALITY AS o (outcome, storable, label, i) ON o.i = e.n + 1
  CROSS JOIN LATERAL (SELECT
    e.decision = 'issued' AND o.outcome = 'ok' AS issued,
    CASE WHEN o.outcome IN ('ok', 'pending') THEN e.decision ELSE 'refused' END AS decision,
    CASE WHEN o.outcome IN ('ok', 'pending') THEN e.refusal ELSE o.outcome END AS refusal) v
  WHERE v.issued OR o.storable OR o.outcome = 'pending';

  RETURN QUERY SELECT (o.i - 1)::int, o.outcome, o.storable, o.reached, o.claims
    FROM unnest(outcomes, storable, reacheds, repeats) WITH ORDINALITY AS o (outcome, storable, reached, claims, i);
END $$;
