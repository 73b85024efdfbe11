-- AlterTable
ALTER TABLE "sign_in_link" ADD COLUMN     "withdrawn_at" TIMESTAMPTZ(3);
