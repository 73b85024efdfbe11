-- AlterTable
ALTER TABLE "generation" ADD COLUMN     "restored_at" TIMESTAMPTZ(3);

-- CreateTable
CREATE TABLE "enrolment" (
    "id" TEXT NOT NULL,
    "agent_id" TEXT NOT NULL,
    "code_hash" BYTEA NOT NULL,
    "jkt" TEXT,
    "created_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),
    "kid" TEXT,
    "withdrawn_at" TIMESTAMPTZ(3),

    CONSTRAINT "enrolment_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "enrolment_code_hash_key" ON "enrolment"("code_hash");

-- CreateIndex
CREATE INDEX "enrolment_agent_id_id_idx" ON "enrolment"("agent_id", "id");

-- AddForeignKey
ALTER TABLE "enrolment" ADD CONSTRAINT "enrolment_agent_id_fkey" FOREIGN KEY ("agent_id") REFERENCES "agent"("id") ON DELETE RESTRICT ON UPDATE CASCADE;



-- Commits a whole flush of concurrent issuances in one round trip and one transaction.
--
-- A function, not a statement: in READ COMMITTED each inner statement takes a fresh snapshot, so step 2 sees the marks
-- that step 1 wrote and every revocation that was committed before it. The parts of one plain statement could not.
--
-- entries: [{ n, request, decision: 'issued' | 'refused' | 'none', refusal, … columns of record,
--             assertion_kid, lineage, resource_id, resource_version }]; n counts from 0 without a gap.
-- marks:   [{ n, request, kind: 'assertion' | 'proof', key: hex, until: epoch seconds, issued: epoch seconds }]
-- Answers, for each n: 'ok', a refusal code, or 'stale' (decided on a version that is no longer the current one: nothing
-- was recorded, decide again), and whether a refusal was stored as a record (false above the cap: it was only counted).
CREATE OR REPLACE FUNCTION writ_commit(entries jsonb, marks jsonb, refusal_cap int)
RETURNS TABLE (n int, outcome text, stored boolean) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  moment timestamptz := clock_timestamp();
  this_hour timestamptz := date_trunc('hour', clock_timestamp());
  outcomes text[];
  storable boolean[];
BEGIN
  -- 1. The marks, in key order so that two flushes never wait for each other in a circle. The winner of a key is the
  --    request whose id stands in the row, also between two copies of one proof in this very flush.
  INSERT INTO "replay_mark" ("key", "request_id", "expires_at")
  SELECT decode(m.key, 'hex'), m.request, to_timestamp(m.until)
  FROM jsonb_to_recordset(marks) AS m (n int, request uuid, kind text, key text, until double precision)
  ORDER BY 1, m.n
  ON CONFLICT ("key") DO NOTHING;

  -- 2. The verdict on each entry, by the database's clock and the statuses of this moment.
  SELECT array_agg(verdict.outcome ORDER BY verdict.n) INTO outcomes
  FROM (
    SELECT e.n, CASE
      WHEN lost.kind = 'assertion' THEN 'assertion_replayed'
      WHEN lost.kind = 'proof' THEN 'proof_replayed'
      WHEN e.decision <> 'issued' THEN 'ok'
      WHEN a."status" IS DISTINCT FROM 'active' THEN 'client_inactive'
      WHEN ak."kid" IS NULL THEN 'assertion_invalid'
      WHEN pk."kid" IS NULL THEN 'proof_key_mismatch'
      WHEN p."status" IS DISTINCT FROM 'active' THEN 'principal_inactive'
      WHEN e.lineage IS NULL OR cardinality(e.lineage) = 0 OR EXISTS (
        SELECT 1 FROM unnest(e.lineage) AS l (id) LEFT JOIN "delegation" d ON d."id" = l.id
        WHERE d."status" IS DISTINCT FROM 'active' OR d."expires_at" <= moment OR d."not_before" > moment
      ) THEN 'delegation_inactive'
      WHEN r."status" IS DISTINCT FROM 'active' THEN 'resource_unknown'
      WHEN t."status" IS DISTINCT FROM 'active' THEN 'action_type_inactive'
      WHEN r."version" IS DISTINCT FROM e.resource_version OR t."version" IS DISTINCT FROM e.action_type_version THEN 'stale'
      ELSE 'ok'
    END AS outcome
    FROM jsonb_to_recordset(entries) AS e (
      n int, decision text, agent text, assertion_kid text, jkt text, principal text, lineage text[], resource_id text,
      resource_version int, action_type text, action_type_version int)
    LEFT JOIN (
      SELECT m.n, min(m.kind) AS kind
      FROM jsonb_to_recordset(marks) AS m (n int, request uuid, kind text, key text, issued double precision)
      LEFT JOIN "generation" g ON g."id" = 1
      LEFT JOIN "replay_mark" x ON x."key" = decode(m.key, 'hex') AND x."request_id" = m.request
      -- What was made before a restore may have been used in the time that the backup does not know of.
      WHERE x."key" IS NULL OR to_timestamp(m.issued) <= g."restored_at"
      GROUP BY m.n
    ) lost ON lost.n = e.n
    LEFT JOIN "agent" a ON a."id" = e.agent
    LEFT JOIN "key" ak ON ak."kid" = e.assertion_kid AND ak."owner_id" = e.agent AND ak."status" = 'active'
      AND (ak."expires_at" IS NULL OR ak."expires_at" > moment)
    LEFT JOIN "key" pk ON pk."kid" = e.jkt AND pk."owner_id" = e.agent AND pk."status" = 'active'
      AND (pk."expires_at" IS NULL OR pk."expires_at" > moment)
    LEFT JOIN "principal" p ON p."id" = e.principal
    LEFT JOIN "resource" r ON r."id" = e.resource_id
    LEFT JOIN "action_type" t ON t."type" = e.action_type
  ) verdict;

  -- 3. Refusals are counted; only the first ones of an hour are stored, so that nobody can fill the disk by asking.
  WITH refused AS (
    SELECT e.n, coalesce(e.client, '') AS client, CASE WHEN o.outcome = 'ok' THEN e.refusal ELSE o.outcome END AS code
    FROM jsonb_to_recordset(entries) AS e (n int, decision text, refusal text, client text)
    JOIN unnest(outcomes) WITH ORDINALITY AS o (outcome, i) ON o.i = e.n + 1
    WHERE (e.decision = 'refused' AND o.outcome <> 'stale') OR (e.decision <> 'refused' AND o.outcome NOT IN ('ok', 'stale'))
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

  -- 4. The records: what will be signed, and what was refused.
  INSERT INTO "record" ("id", "at", "kind", "decision", "refusal", "detail", "client", "agent", "principal", "delegation",
    "resource", "action_type", "action_type_version", "action", "action_digest", "claims_digest", "jti", "jkt", "txn",
    "because", "token_issued_at", "token_expires_at", "request_id")
  SELECT e.id, moment, e.kind, v.decision, v.refusal, CASE WHEN o.outcome = 'ok' THEN e.detail END, e.client, e.agent,
    e.principal, e.delegation, e.resource, e.action_type, e.action_type_version, e.action, e.action_digest,
    CASE WHEN v.issued THEN e.claims_digest END, CASE WHEN v.issued THEN e.jti END, e.jkt,
    CASE WHEN v.issued THEN e.txn END, e.because,
    CASE WHEN v.issued THEN to_timestamp(e.token_issued_at) END, CASE WHEN v.issued THEN to_timestamp(e.token_expires_at) END,
    e.request_id
  FROM jsonb_to_recordset(entries) AS e (
    n int, id uuid, kind text, decision text, refusal text, detail text, client text, agent text, principal text,
    delegation text, resource text, action_type text, action_type_version int, action text, action_digest text,
    claims_digest text, jti text, jkt text, txn text, because jsonb, token_issued_at bigint, token_expires_at bigint,
    request_id text)
  JOIN unnest(outcomes, storable) WITH ORDINALITY AS o (outcome, storable, i) ON o.i = e.n + 1
  CROSS JOIN LATERAL (SELECT
    e.decision = 'issued' AND o.outcome = 'ok' AS issued,
    CASE WHEN o.outcome = 'ok' THEN e.decision ELSE 'refused' END AS decision,
    CASE WHEN o.outcome = 'ok' THEN e.refusal ELSE o.outcome END AS refusal) v
  WHERE v.issued OR o.storable;

  RETURN QUERY SELECT (o.i - 1)::int, o.outcome, o.storable
    FROM unnest(outcomes, storable) WITH ORDINALITY AS o (outcome, storable, i);
END $$;
