-- Of tokens that come back for introspection those that are live and not used up, with their place in the list. A function, so
-- that what holds for writ_live_token holds for the look at their use as well: as part of a plain statement it is a join,
-- which, planned while hardly anything was used, reads every use there is.
CREATE FUNCTION writ_live_unused(tokens jsonb) RETURNS TABLE (n int, action text) LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY
  SELECT (q.n - 1)::int, l.action FROM jsonb_array_elements_text(tokens) WITH ORDINALITY AS q (jti, n)
  CROSS JOIN LATERAL writ_live_token(q.jti, clock_timestamp()) l
  -- A subquery, which is never made into a join.
  WHERE (SELECT true FROM "token_use" u WHERE u."jti" = q.jti) IS NULL;
END $$;
