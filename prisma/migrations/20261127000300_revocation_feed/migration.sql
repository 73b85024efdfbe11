-- CreateTable
CREATE TABLE "revocation_event" (
    "id" BIGSERIAL NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),
    "kind" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "audience" TEXT,
    "is_lifted" BOOLEAN NOT NULL,

    CONSTRAINT "revocation_event_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "revocation_event_at_idx" ON "revocation_event"("at");


-- ---------------------------------------------------------------------------------------------------------------------
-- What Prisma cannot describe.
-- ---------------------------------------------------------------------------------------------------------------------

-- Writes an event down in the order of commits: the number is drawn under a lock that is held until the commit is over, so
-- that nobody who reads by number misses one that was drawn earlier and committed later. Called by deferred triggers
-- alone: at the end of its transaction, which then waits for no row any more, so that nobody waits in a circle.
CREATE FUNCTION writ_tell(told_kind text, told_subject text, told_audience text, lifted boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(8417);
  INSERT INTO "revocation_event" ("kind", "subject", "audience", "is_lifted")
  VALUES (told_kind, told_subject, told_audience, lifted);
END $$;

-- Agents, principals and resource servers have ids of one namespace: all are accounts.
CREATE FUNCTION writ_tell_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM writ_tell('account', NEW."id", NULL, NEW."status" = 'active');
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER "agent_is_told" AFTER UPDATE ON "agent" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (OLD."status" IS DISTINCT FROM NEW."status") EXECUTE FUNCTION writ_tell_account();
CREATE CONSTRAINT TRIGGER "principal_is_told" AFTER UPDATE ON "principal" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (OLD."status" IS DISTINCT FROM NEW."status") EXECUTE FUNCTION writ_tell_account();
CREATE CONSTRAINT TRIGGER "resource_is_told" AFTER UPDATE ON "resource" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (OLD."status" IS DISTINCT FROM NEW."status") EXECUTE FUNCTION writ_tell_account();

CREATE FUNCTION writ_tell_action_type() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM writ_tell('action_type', NEW."type", NULL, NEW."status" = 'active');
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER "action_type_is_told" AFTER UPDATE ON "action_type" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (OLD."status" IS DISTINCT FROM NEW."status") EXECUTE FUNCTION writ_tell_action_type();

-- One event for each delegation of a tree: an action token names only its own.
CREATE FUNCTION writ_tell_delegation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM writ_tell('delegation', NEW."id", NULL, false);
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER "delegation_is_told" AFTER UPDATE ON "delegation" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (OLD."status" = 'active' AND NEW."status" = 'revoked') EXECUTE FUNCTION writ_tell_delegation();

-- A token names the key that it is bound to, and no other. Of a key that is retired its followers are told by its name; of
-- tokens that stand on it otherwise (the request was signed with it, or they were exchanged from one that stood on it) one by
-- one. Ids of records begin with their time; no token lives longer than 300 seconds, and 300 more are for clocks that differ.
--
-- They are collected first: telling takes the lock that every other withdrawal waits for.
CREATE FUNCTION writ_tell_key() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  since uuid := lpad(to_hex((extract(epoch FROM clock_timestamp() - interval '600 seconds') * 1000)::bigint), 12, '0') || repeat('0', 20);
  jtis text[];
  audiences text[];
BEGIN
  WITH recent AS MATERIALIZED (
    SELECT c."jti", c."resource", c."client", c."jkt", c."assertion_kid", c."token_lineage" FROM "record" c
    WHERE c."id" > since AND c."kind" = 'action_token' AND c."decision" = 'issued' AND c."token_expires_at" > clock_timestamp()
  ), standing AS (
    SELECT r."jti" FROM recent r WHERE r."client" = NEW."owner_id" AND NEW."kid" IN (r."jkt", r."assertion_kid")
  ), exchanged AS (
    SELECT r."jti" FROM recent r CROSS JOIN LATERAL unnest(r."token_lineage") AS l (jti) JOIN standing s ON s."jti" = l.jti
  )
  SELECT array_agg(r."jti"), array_agg(r."resource") INTO jtis, audiences FROM recent r
  WHERE r."jkt" <> NEW."kid" AND r."jti" IN (SELECT s."jti" FROM standing s UNION SELECT x."jti" FROM exchanged x);
  PERFORM writ_tell('key', NEW."kid", NULL, false);
  PERFORM writ_tell('token', t.jti, t.audience, false) FROM unnest(jtis, audiences) AS t (jti, audience);
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER "key_is_told" AFTER UPDATE ON "key" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (OLD."status" = 'active' AND NEW."status" = 'retired') EXECUTE FUNCTION writ_tell_key();

-- A token that was withdrawn, and those that were exchanged from it; only action tokens go to resource servers. What was
-- exchanged from it is of the same delegation and at most a few minutes younger.
-- An expired one is told of to nobody, and nobody waits while it is looked for.
CREATE FUNCTION writ_tell_token() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  root "record";
  jtis text[];
  audiences text[];
BEGIN
  SELECT * INTO root FROM "record" c WHERE c."jti" = NEW."jti" AND c."kind" = 'action_token' AND c."decision" = 'issued'
    -- By a clock that may be a little behind ours it is still good.
    AND c."token_expires_at" > clock_timestamp() - interval '60 seconds';
  IF NOT FOUND THEN RETURN NULL; END IF;
  SELECT array_agg(c."jti"), array_agg(c."resource") INTO jtis, audiences FROM "record" c
  WHERE c."delegation" = root."delegation" AND c."id" > root."id" AND c."decision" = 'issued'
    AND c."kind" = 'action_token' AND root."jti" = ANY (c."token_lineage");
  PERFORM writ_tell('token', root."jti", root."resource", false);
  PERFORM writ_tell('token', t.jti, t.audience, false) FROM unnest(jtis, audiences) AS t (jti, audience);
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER "revoked_token_is_told" AFTER INSERT ON "revoked_token" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION writ_tell_token();

CREATE FUNCTION writ_tell_signing_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM writ_tell('signing_key', NEW."kid", NULL, false);
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER "signing_key_is_told" AFTER UPDATE ON "signing_key" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN (OLD."compromised_at" IS NULL AND NEW."compromised_at" IS NOT NULL) EXECUTE FUNCTION writ_tell_signing_key();

CREATE FUNCTION writ_tell_stop() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM writ_tell('everything', '*', NULL, NEW."stopped_at" IS NULL);
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER "stop_is_told" AFTER UPDATE ON "generation" DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW WHEN ((OLD."stopped_at" IS NULL) <> (NEW."stopped_at" IS NULL)) EXECUTE FUNCTION writ_tell_stop();
