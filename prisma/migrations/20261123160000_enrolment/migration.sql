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
