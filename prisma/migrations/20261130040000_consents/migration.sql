-- AlterTable
ALTER TABLE "oidc_model" ADD COLUMN     "answered_at" TIMESTAMPTZ(3);
