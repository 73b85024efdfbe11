-- As for writ_commit: what these functions look for they find by a key, so no plan of theirs may read a whole table, even if it
-- was made when the table was empty. At a million agents and three million records a live token costs what it cost before.
ALTER FUNCTION writ_live_token(text, timestamptz) SET enable_seqscan = off;
ALTER FUNCTION writ_live_token(text, timestamptz) SET enable_hashjoin = off;
ALTER FUNCTION writ_live_token(text, timestamptz) SET enable_mergejoin = off;
ALTER FUNCTION writ_live_token(text, timestamptz) SET jit = off;

ALTER FUNCTION writ_consume(text, text, text) SET enable_seqscan = off;
ALTER FUNCTION writ_consume(text, text, text) SET jit = off;

ALTER FUNCTION writ_receipt(text, text, text, text, text, uuid, text) SET enable_seqscan = off;
ALTER FUNCTION writ_receipt(text, text, text, text, text, uuid, text) SET jit = off;

ALTER FUNCTION writ_delegate_on(jsonb, jsonb, int) SET enable_seqscan = off;
ALTER FUNCTION writ_delegate_on(jsonb, jsonb, int) SET jit = off;
