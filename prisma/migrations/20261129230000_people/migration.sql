-- CreateEnum
CREATE TYPE "approval_state" AS ENUM ('pending', 'approved', 'denied', 'redeemed', 'void');

-- AlterTable
ALTER TABLE "agent" ADD COLUMN     "backchannel_client_notification_endpoint" TEXT,
ADD COLUMN     "backchannel_token_delivery_mode" TEXT,
ADD COLUMN     "grant_types" TEXT[] DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "redirect_uris" TEXT[] DEFAULT ARRAY[]::TEXT[];

-- AlterTable
ALTER TABLE "delegation" ADD COLUMN     "approval" JSONB;

-- CreateTable
CREATE TABLE "approval" (
    "id" TEXT NOT NULL,
    "auth_req_id" TEXT NOT NULL,
    "delegation_id" TEXT NOT NULL,
    "principal_id" TEXT NOT NULL,
    "agent_id" TEXT NOT NULL,
    "jkt" TEXT NOT NULL,
    "resource" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "action_digest" TEXT NOT NULL,
    "action_type" TEXT NOT NULL,
    "action_type_version" INTEGER NOT NULL,
    "turn" TEXT,
    "purpose" TEXT,
    "approvers" TEXT[],
    "threshold" INTEGER NOT NULL DEFAULT 1,
    "state" "approval_state" NOT NULL DEFAULT 'pending',
    "request_id" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "decided_at" TIMESTAMPTZ(3),
    "jti" TEXT,
    "interval_seconds" INTEGER NOT NULL DEFAULT 5,
    "next_poll_at" TIMESTAMPTZ(3),
    "notification_token" BYTEA,

    CONSTRAINT "approval_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "approval_vote" (
    "approval_id" TEXT NOT NULL,
    "approver" TEXT NOT NULL,
    "answered_by" TEXT NOT NULL,
    "is_yes" BOOLEAN NOT NULL,
    "login_id" TEXT,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "approval_vote_pkey" PRIMARY KEY ("approval_id","approver")
);

-- CreateTable
CREATE TABLE "notification" (
    "id" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "url" TEXT NOT NULL,
    "sealed" BYTEA NOT NULL,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "next_try_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "delivered_at" TIMESTAMPTZ(3),
    "failure" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "notification_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "oidc_model" (
    "model" TEXT NOT NULL,
    "id_hash" BYTEA NOT NULL,
    "sealed" BYTEA NOT NULL,
    "grant_hash" BYTEA,
    "user_hash" BYTEA,
    "uid_hash" BYTEA,
    "consumed_at" TIMESTAMPTZ(3),
    "expires_at" TIMESTAMPTZ(3),

    CONSTRAINT "oidc_model_pkey" PRIMARY KEY ("model","id_hash")
);

-- CreateTable
CREATE TABLE "login" (
    "id" TEXT NOT NULL,
    "secret_hash" BYTEA NOT NULL,
    "principal_id" TEXT NOT NULL,
    "method" TEXT NOT NULL,
    "detail" TEXT,
    "user_agent" TEXT,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_seen_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "ended_at" TIMESTAMPTZ(3),

    CONSTRAINT "login_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "sign_in_link" (
    "id" TEXT NOT NULL,
    "principal_id" TEXT NOT NULL,
    "code_hash" BYTEA NOT NULL,
    "created_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,
    "used_at" TIMESTAMPTZ(3),

    CONSTRAINT "sign_in_link_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "passkey" (
    "id" TEXT NOT NULL,
    "credential_id" BYTEA NOT NULL,
    "principal_id" TEXT NOT NULL,
    "public_key" BYTEA NOT NULL,
    "counter" BIGINT NOT NULL DEFAULT 0,
    "transports" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "label" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "last_used_at" TIMESTAMPTZ(3),
    "removed_at" TIMESTAMPTZ(3),

    CONSTRAINT "passkey_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "upstream_identity" (
    "issuer" TEXT NOT NULL,
    "subject" TEXT NOT NULL,
    "principal_id" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "upstream_identity_pkey" PRIMARY KEY ("issuer","subject")
);

-- CreateIndex
CREATE UNIQUE INDEX "approval_auth_req_id_key" ON "approval"("auth_req_id");

-- CreateIndex
CREATE UNIQUE INDEX "approval_jti_key" ON "approval"("jti");

-- CreateIndex
CREATE INDEX "approval_principal_id_id_idx" ON "approval"("principal_id", "id");

-- CreateIndex
CREATE INDEX "approval_agent_id_id_idx" ON "approval"("agent_id", "id");

-- CreateIndex
CREATE INDEX "approval_expires_at_idx" ON "approval"("expires_at");

-- CreateIndex
CREATE INDEX "notification_next_try_at_idx" ON "notification"("next_try_at");

-- CreateIndex
CREATE INDEX "notification_expires_at_idx" ON "notification"("expires_at");

-- CreateIndex
CREATE INDEX "oidc_model_grant_hash_idx" ON "oidc_model"("grant_hash");

-- CreateIndex
CREATE INDEX "oidc_model_user_hash_idx" ON "oidc_model"("user_hash");

-- CreateIndex
CREATE INDEX "oidc_model_uid_hash_idx" ON "oidc_model"("uid_hash");

-- CreateIndex
CREATE INDEX "oidc_model_expires_at_idx" ON "oidc_model"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "login_secret_hash_key" ON "login"("secret_hash");

-- CreateIndex
CREATE INDEX "login_principal_id_id_idx" ON "login"("principal_id", "id");

-- CreateIndex
CREATE INDEX "login_expires_at_idx" ON "login"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "sign_in_link_code_hash_key" ON "sign_in_link"("code_hash");

-- CreateIndex
CREATE INDEX "sign_in_link_principal_id_id_idx" ON "sign_in_link"("principal_id", "id");

-- CreateIndex
CREATE INDEX "sign_in_link_expires_at_idx" ON "sign_in_link"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "passkey_credential_id_key" ON "passkey"("credential_id");

-- CreateIndex
CREATE INDEX "passkey_principal_id_id_idx" ON "passkey"("principal_id", "id");

-- CreateIndex
CREATE INDEX "upstream_identity_principal_id_idx" ON "upstream_identity"("principal_id");

-- AddForeignKey
ALTER TABLE "approval_vote" ADD CONSTRAINT "approval_vote_approval_id_fkey" FOREIGN KEY ("approval_id") REFERENCES "approval"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "login" ADD CONSTRAINT "login_principal_id_fkey" FOREIGN KEY ("principal_id") REFERENCES "principal"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "sign_in_link" ADD CONSTRAINT "sign_in_link_principal_id_fkey" FOREIGN KEY ("principal_id") REFERENCES "principal"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "passkey" ADD CONSTRAINT "passkey_principal_id_fkey" FOREIGN KEY ("principal_id") REFERENCES "principal"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "upstream_identity" ADD CONSTRAINT "upstream_identity_principal_id_fkey" FOREIGN KEY ("principal_id") REFERENCES "principal"("id") ON DELETE RESTRICT ON UPDATE CASCADE;
