-- A token names the key that it is bound to, and no other. Of a key that is retired its followers are told by its name; of
-- tokens that stand on it otherwise (the request was signed with it, or they were exchanged from one that stood on it) one by
-- one. Ids of records begin with their time; no token lives longer than 300 seconds, and 300 more are for clocks that differ.
--
-- They are collected first: telling takes the lock that every other withdrawal waits for.
CREATE OR REPLACE FUNCTION writ_tell_key() RETURNS trigger LANGUAGE plpgsql AS $$
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

-- As before, but an expired token is told of to nobody, nothing is looked for from its time on, and nobody waits meanwhile.
CREATE OR REPLACE FUNCTION writ_tell_token() RETURNS trigger LANGUAGE plpgsql AS $$
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
