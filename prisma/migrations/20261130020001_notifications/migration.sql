-- AlterTable
ALTER TABLE "notification" ADD COLUMN     "approval_id" TEXT NOT NULL,
ALTER COLUMN "url" DROP NOT NULL,
ALTER COLUMN "sealed" DROP NOT NULL;

-- ---------------------------------------------------------------------------------------------------------------------
-- What Prisma cannot describe.
-- ---------------------------------------------------------------------------------------------------------------------

-- Who is to be told is written down in the transaction that opens or decides an approval, whatever the path: by triggers, as
-- revocation events are.

-- A new approval: for the webhook, where one is configured. Where none is, the row is never looked at and is pruned.
CREATE FUNCTION writ_announce_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "notification" ("id", "kind", "approval_id", "expires_at")
  VALUES ('ntf_' || gen_random_uuid(), 'webhook', NEW."id", NEW."expires_at");
  RETURN NULL;
END $$;
CREATE TRIGGER "approval_is_announced" AFTER INSERT ON "approval" FOR EACH ROW
  WHEN (NEW."state" = 'pending') EXECUTE FUNCTION writ_announce_approval();

-- A decided one: a ping to an agent that asked for it, at the endpoint it has now (CIBA Core 10.2).
CREATE FUNCTION writ_ping_agent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO "notification" ("id", "kind", "approval_id", "url", "sealed", "expires_at")
  SELECT 'ntf_' || gen_random_uuid(), 'ping', NEW."id", a."backchannel_client_notification_endpoint",
    NEW."notification_token", NEW."expires_at"
  FROM "agent" a
  WHERE a."id" = NEW."agent_id" AND a."status" = 'active' AND a."backchannel_token_delivery_mode" = 'ping'
    AND a."backchannel_client_notification_endpoint" IS NOT NULL;
  RETURN NULL;
END $$;
CREATE TRIGGER "approval_pings_its_agent" AFTER UPDATE OF "state" ON "approval" FOR EACH ROW
  WHEN (OLD."state" = 'pending' AND NEW."state" IN ('approved', 'denied', 'void') AND NEW."notification_token" IS NOT NULL)
  EXECUTE FUNCTION writ_ping_agent();

-- What waits to be sent, and nothing that was.
CREATE INDEX "notification_open_idx" ON "notification" ("next_try_at") WHERE "delivered_at" IS NULL;
DROP INDEX "notification_next_try_at_idx";
