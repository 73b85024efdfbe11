-- The plans of writ_commit are kept by each connection, and made while it is young: on an empty database every plan reads
-- whole tables, and is kept while they grow. Each statement of it finds its rows by a key, so no plan may read or hash a whole
-- table where an index leads to the row. Nor is any of it compiled: what a forbidden way is said to cost would have the
-- planner believe that compiling pays, for milliseconds in every call.
ALTER FUNCTION writ_commit(jsonb, jsonb, int) SET enable_seqscan = off;
ALTER FUNCTION writ_commit(jsonb, jsonb, int) SET enable_hashjoin = off;
ALTER FUNCTION writ_commit(jsonb, jsonb, int) SET enable_mergejoin = off;
ALTER FUNCTION writ_commit(jsonb, jsonb, int) SET jit = off;
