-- CreateIndex
CREATE INDEX "record_resource_id_idx" ON "record"("resource", "id");

-- CreateIndex
CREATE INDEX "record_action_type_id_idx" ON "record"("action_type", "id");

-- Without them the account of a rare resource, type or decision is looked for in all of it, newest first: at ten million
-- records longer than a statement may take. An exchange pays for the first two in pages that it has just written, for
-- there are few resources and types and ids ascend; for this one it does not pay at all.
CREATE INDEX "record_not_issued_idx" ON "record" ("decision", "id") WHERE "decision" <> 'issued';
