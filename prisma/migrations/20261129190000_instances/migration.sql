-- AlterTable
ALTER TABLE "key" ADD COLUMN     "vouched_by" TEXT;


-- ---------------------------------------------------------------------------------------------------------------------
-- What Prisma cannot describe.
-- ---------------------------------------------------------------------------------------------------------------------

-- An instance of an agent is a key of it that a registered key of the same agent vouched for: a row of "key" like any other,
-- so that writ_commit, writ_delegate_on and writ_live_token hold it to what they hold every key to: its owner, its status, its
-- end. It always has an end. `vouched_by` is no foreign key: a backup is put back row by row, in any order within a table.
ALTER TABLE "key" ADD CONSTRAINT "key_instance_has_an_end" CHECK ("vouched_by" IS NULL OR "expires_at" IS NOT NULL);

-- Instances of an agent that are in force are counted; those of the past are not looked at.
CREATE INDEX "key_instance_idx" ON "key" ("owner_id", "expires_at") WHERE "vouched_by" IS NOT NULL;
-- And removed some day, by the time they ended.
CREATE INDEX "key_instance_end_idx" ON "key" ("expires_at") WHERE "vouched_by" IS NOT NULL;

-- What a key vouched for ends with it: whoever retires a key, by whatever path, retires those too. The registered key is held
-- while an instance is added (attestations.ts), so none is added behind its back.
CREATE FUNCTION writ_retire_vouched() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE "key" SET "status" = 'retired', "retired_at" = NEW."retired_at"
  WHERE "owner_id" = NEW."owner_id" AND "vouched_by" = NEW."kid" AND "status" = 'active';
  RETURN NULL;
END $$;
CREATE TRIGGER "key_retires_vouched" AFTER UPDATE ON "key" FOR EACH ROW
  WHEN (OLD."status" = 'active' AND NEW."status" = 'retired' AND NEW."vouched_by" IS NULL)
  EXECUTE FUNCTION writ_retire_vouched();

-- A registered key is never forgotten; an instance may be, long after its end.
DROP TRIGGER "key_is_never_reused" ON "key";
CREATE TRIGGER "key_is_never_reused" BEFORE DELETE ON "key" FOR EACH ROW WHEN (OLD."vouched_by" IS NULL)
  EXECUTE FUNCTION writ_refuse_change();

-- As before, and: an instance that ends with the key that vouched for it is told by its name alone. Every token that stands on
-- it stands on that key as well (`assertion_kid`), which is told of in the same transaction, token by token.
CREATE OR REPLACE FUNCTION writ_tell_key() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  since uuid := lpad(to_hex((extract(epoch FROM clock_timestamp() - interval '600 seconds') * 1000)::bigint), 12, '0') || repeat('0', 20);
  jtis text[];
  audiences text[];
BEGIN
  IF NEW."vouched_by" IS NOT NULL
    AND EXISTS (SELECT 1 FROM "key" k WHERE k."kid" = NEW."vouched_by" AND k."status" = 'retired') THEN
    PERFORM writ_tell('key', NEW."kid", NULL, false);
    RETURN NULL;
  END IF;
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
