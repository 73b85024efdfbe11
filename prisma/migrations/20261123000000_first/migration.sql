-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateEnum
CREATE TYPE "identity_kind" AS ENUM ('agent', 'principal', 'resource', 'administrator');

-- CreateEnum
CREATE TYPE "status" AS ENUM ('active', 'suspended', 'retired');

-- CreateEnum
CREATE TYPE "key_status" AS ENUM ('active', 'retired');

-- CreateEnum
CREATE TYPE "principal_kind" AS ENUM ('person', 'organization', 'service');

-- CreateEnum
CREATE TYPE "risk" AS ENUM ('read', 'write', 'destructive');

-- CreateEnum
CREATE TYPE "enforcement" AS ENUM ('consume', 'offline');

-- CreateEnum
CREATE TYPE "token_content" AS ENUM ('full', 'digest');

-- CreateEnum
CREATE TYPE "delegation_status" AS ENUM ('active', 'revoked');

-- CreateTable
CREATE TABLE "identity" (
    "id" TEXT NOT NULL,
    "kind" "identity_kind" NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "identity_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "key" (
    "kid" TEXT NOT NULL,
    "owner_id" TEXT NOT NULL,
    "jwk" JSONB NOT NULL,
    "label" TEXT,
    "status" "key_status" NOT NULL DEFAULT 'active',
    "expires_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "retired_at" TIMESTAMPTZ(3),

    CONSTRAINT "key_pkey" PRIMARY KEY ("kid")
);

-- CreateTable
CREATE TABLE "agent" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "owner" TEXT,
    "status" "status" NOT NULL DEFAULT 'active',
    "reason" TEXT,
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "agent_pkey" PRIMARY KEY ("id")
);

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

-- CreateTable
CREATE TABLE "principal" (
    "id" TEXT NOT NULL,
    "kind" "principal_kind" NOT NULL,
    "name" TEXT NOT NULL,
    "email" TEXT,
    "status" "status" NOT NULL DEFAULT 'active',
    "reason" TEXT,
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "principal_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "resource" (
    "id" TEXT NOT NULL,
    "identifier" TEXT NOT NULL,
    "identifier_folded" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "action_types" TEXT[],
    "token_lifetime_seconds" INTEGER,
    "enforcement" "enforcement" NOT NULL DEFAULT 'offline',
    "token_content" "token_content" NOT NULL DEFAULT 'full',
    "status" "status" NOT NULL DEFAULT 'active',
    "reason" TEXT,
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "resource_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "administrator" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "scope" TEXT[],
    "status" "status" NOT NULL DEFAULT 'active',
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "administrator_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "action_type" (
    "type" TEXT NOT NULL,
    "title" TEXT NOT NULL,
    "schema" JSONB NOT NULL,
    "digestible" JSONB NOT NULL,
    "template" TEXT NOT NULL,
    "risk" "risk" NOT NULL,
    "single_use" BOOLEAN NOT NULL,
    "built_in" BOOLEAN NOT NULL DEFAULT false,
    "status" "status" NOT NULL DEFAULT 'active',
    "reason" TEXT,
    "version" INTEGER NOT NULL DEFAULT 1,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "action_type_pkey" PRIMARY KEY ("type")
);

-- CreateTable
CREATE TABLE "delegation" (
    "id" TEXT NOT NULL,
    "principal_id" TEXT NOT NULL,
    "agent_id" TEXT NOT NULL,
    "resource" TEXT,
    "authorization_details" JSONB NOT NULL,
    "granted_by" TEXT NOT NULL,
    "purpose" TEXT,
    "not_before" TIMESTAMPTZ(3),
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "lineage" TEXT[],
    "status" "delegation_status" NOT NULL DEFAULT 'active',
    "revoked_at" TIMESTAMPTZ(3),
    "reason" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "delegation_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "signing_key" (
    "kid" TEXT NOT NULL,
    "alg" TEXT NOT NULL,
    "public_jwk" JSONB NOT NULL,
    "sealed" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "activates_at" TIMESTAMPTZ(3) NOT NULL,
    "compromised_at" TIMESTAMPTZ(3),

    CONSTRAINT "signing_key_pkey" PRIMARY KEY ("kid")
);

-- CreateTable
CREATE TABLE "server_secret" (
    "name" TEXT NOT NULL,
    "sealed" BYTEA NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "server_secret_pkey" PRIMARY KEY ("name")
);

-- CreateTable
CREATE TABLE "generation" (
    "id" INTEGER NOT NULL,
    "value" BIGINT NOT NULL,
    "restored_at" TIMESTAMPTZ(3),

    CONSTRAINT "generation_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "replay_mark" (
    "key" BYTEA NOT NULL,
    "request_id" UUID NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "replay_mark_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "revoked_token" (
    "jti" TEXT NOT NULL,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "revoked_by" TEXT NOT NULL,
    "revoked_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "revoked_token_pkey" PRIMARY KEY ("jti")
);

-- CreateTable
CREATE TABLE "record" (
    "id" UUID NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),
    "kind" TEXT NOT NULL,
    "decision" TEXT NOT NULL,
    "refusal" TEXT,
    "detail" TEXT,
    "client" TEXT,
    "agent" TEXT,
    "principal" TEXT,
    "delegation" TEXT,
    "resource" TEXT,
    "action_type" TEXT,
    "action_type_version" INTEGER,
    "action" TEXT,
    "action_digest" TEXT,
    "claims_digest" TEXT,
    "jti" TEXT,
    "jkt" TEXT,
    "assertion_kid" TEXT,
    "txn" TEXT,
    "turn" TEXT,
    "because" JSONB,
    "token_issued_at" TIMESTAMPTZ(0),
    "token_expires_at" TIMESTAMPTZ(0),
    "request_id" TEXT,

    CONSTRAINT "record_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "refusal_tally" (
    "client" TEXT NOT NULL,
    "hour" TIMESTAMPTZ(0) NOT NULL,
    "code" TEXT NOT NULL,
    "count" BIGINT NOT NULL,

    CONSTRAINT "refusal_tally_pkey" PRIMARY KEY ("client","hour","code")
);

-- CreateTable
CREATE TABLE "idempotency_key" (
    "client" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "request_hash" TEXT NOT NULL,
    "status" INTEGER,
    "body" JSONB,
    "location" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "idempotency_key_pkey" PRIMARY KEY ("client","key")
);

-- CreateIndex
CREATE INDEX "key_owner_id_idx" ON "key"("owner_id");

-- CreateIndex
CREATE UNIQUE INDEX "enrolment_code_hash_key" ON "enrolment"("code_hash");

-- CreateIndex
CREATE INDEX "enrolment_agent_id_id_idx" ON "enrolment"("agent_id", "id");

-- CreateIndex
CREATE UNIQUE INDEX "resource_identifier_key" ON "resource"("identifier");

-- CreateIndex
CREATE UNIQUE INDEX "resource_identifier_folded_key" ON "resource"("identifier_folded");

-- CreateIndex
CREATE INDEX "delegation_agent_id_id_idx" ON "delegation"("agent_id", "id");

-- CreateIndex
CREATE INDEX "delegation_principal_id_id_idx" ON "delegation"("principal_id", "id");

-- CreateIndex
CREATE INDEX "delegation_lineage_idx" ON "delegation" USING GIN ("lineage");

-- CreateIndex
CREATE INDEX "replay_mark_expires_at_idx" ON "replay_mark"("expires_at");

-- CreateIndex
CREATE INDEX "revoked_token_expires_at_idx" ON "revoked_token"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "record_jti_key" ON "record"("jti");

-- CreateIndex
CREATE INDEX "record_agent_id_idx" ON "record"("agent", "id");

-- CreateIndex
CREATE INDEX "record_principal_id_idx" ON "record"("principal", "id");

-- CreateIndex
CREATE INDEX "record_delegation_id_idx" ON "record"("delegation", "id");

-- CreateIndex
CREATE INDEX "idempotency_key_created_at_idx" ON "idempotency_key"("created_at");

-- AddForeignKey
ALTER TABLE "key" ADD CONSTRAINT "key_owner_id_fkey" FOREIGN KEY ("owner_id") REFERENCES "identity"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "agent" ADD CONSTRAINT "agent_id_fkey" FOREIGN KEY ("id") REFERENCES "identity"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "enrolment" ADD CONSTRAINT "enrolment_agent_id_fkey" FOREIGN KEY ("agent_id") REFERENCES "agent"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "principal" ADD CONSTRAINT "principal_id_fkey" FOREIGN KEY ("id") REFERENCES "identity"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "resource" ADD CONSTRAINT "resource_id_fkey" FOREIGN KEY ("id") REFERENCES "identity"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "administrator" ADD CONSTRAINT "administrator_id_fkey" FOREIGN KEY ("id") REFERENCES "identity"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "delegation" ADD CONSTRAINT "delegation_principal_id_fkey" FOREIGN KEY ("principal_id") REFERENCES "principal"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "delegation" ADD CONSTRAINT "delegation_agent_id_fkey" FOREIGN KEY ("agent_id") REFERENCES "agent"("id") ON DELETE RESTRICT ON UPDATE CASCADE;



-- ---------------------------------------------------------------------------------------------------------------------
-- What Prisma cannot describe.
-- ---------------------------------------------------------------------------------------------------------------------

-- One row, always there.
INSERT INTO "generation" ("id", "value") VALUES (1, 1);
ALTER TABLE "generation" ADD CONSTRAINT "generation_is_one_row" CHECK ("id" = 1);

-- Every process compares the generation it was built from with this one, and builds anew when it differs.
-- For each row: a statement that changes none, as every start makes some, must not make every process build anew.
CREATE FUNCTION writ_raise_generation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE "generation" SET "value" = "value" + 1 WHERE "id" = 1;
  RETURN NULL;
END $$;
CREATE TRIGGER "action_type_raises_generation" AFTER INSERT OR UPDATE OR DELETE ON "action_type"
  FOR EACH ROW EXECUTE FUNCTION writ_raise_generation();
CREATE TRIGGER "signing_key_raises_generation" AFTER INSERT OR UPDATE OR DELETE ON "signing_key"
  FOR EACH ROW EXECUTE FUNCTION writ_raise_generation();

-- The account is append-only: not even a bug of ours rewrites it.
CREATE FUNCTION writ_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER "record_is_append_only" BEFORE UPDATE OR DELETE ON "record"
  FOR EACH ROW EXECUTE FUNCTION writ_refuse_change();
CREATE TRIGGER "record_is_never_truncated" BEFORE TRUNCATE ON "record"
  FOR EACH STATEMENT EXECUTE FUNCTION writ_refuse_change();
CREATE TRIGGER "identity_is_never_reused" BEFORE DELETE ON "identity"
  FOR EACH ROW EXECUTE FUNCTION writ_refuse_change();
CREATE TRIGGER "key_is_never_reused" BEFORE DELETE ON "key"
  FOR EACH ROW EXECUTE FUNCTION writ_refuse_change();

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
CREATE FUNCTION writ_commit(entries jsonb, marks jsonb, refusal_cap int)
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
    "resource", "action_type", "action_type_version", "action", "action_digest", "claims_digest", "jti", "jkt", "assertion_kid", "txn",
    "because", "token_issued_at", "token_expires_at", "request_id")
  SELECT e.id, moment, e.kind, v.decision, v.refusal, CASE WHEN o.outcome = 'ok' THEN e.detail END, e.client, e.agent,
    e.principal, e.delegation, e.resource, e.action_type, e.action_type_version, e.action, e.action_digest,
    CASE WHEN v.issued THEN e.claims_digest END, CASE WHEN v.issued THEN e.jti END, e.jkt, e.assertion_kid,
    CASE WHEN v.issued THEN e.txn END, e.because,
    CASE WHEN v.issued THEN to_timestamp(e.token_issued_at) END, CASE WHEN v.issued THEN to_timestamp(e.token_expires_at) END,
    e.request_id
  FROM jsonb_to_recordset(entries) AS e (
    n int, id uuid, kind text, decision text, refusal text, detail text, client text, agent text, principal text,
    delegation text, resource text, action_type text, action_type_version int, action text, action_digest text,
    claims_digest text, jti text, jkt text, assertion_kid text, txn text, because jsonb, token_issued_at bigint, token_expires_at bigint,
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
