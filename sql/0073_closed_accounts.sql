-- The name of an account that is being destroyed, or was, leads nowhere: a try to sign in would be an entry in its log, with what was typed, and so a row of an
-- account whose certificate says that there are none.
CREATE OR REPLACE FUNCTION tenant_by_slug(wanted text) RETURNS TABLE (id uuid, name text, state text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT t.id, t.name, t.state FROM tenant t WHERE t.slug = wanted AND t.state NOT IN ('closing', 'closed') $$;

-- Nor is there a new chain for it: an agent that asks, or a page that was under way, would begin one.
CREATE OR REPLACE FUNCTION audit_open(actor_kind text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	nil CONSTANT uuid := '00000000-0000-0000-0000-000000000000';
	bound CONSTANT uuid := nullif(current_setting('keyward.tenant', true), '')::uuid;
	chain CONSTANT uuid := coalesce(bound, nil);
BEGIN
	IF chain = nil AND (bound IS NOT NULL OR session_user IN ('keyward_console', 'keyward_agent')) THEN
		RAISE EXCEPTION 'an entry needs a tenant' USING ERRCODE = 'insufficient_privilege';
	ELSIF audit_may(actor_kind) IS NOT TRUE THEN
		RAISE EXCEPTION 'role % cannot log as %', session_user, actor_kind USING ERRCODE = 'insufficient_privilege';
	ELSIF chain <> nil AND NOT EXISTS (SELECT 1 FROM tenant t WHERE t.id = chain
			AND (t.wrapped_key IS NOT NULL OR t.state NOT IN ('closing', 'closed'))) THEN
		RAISE EXCEPTION 'no such tenant' USING ERRCODE = 'insufficient_privilege';
	END IF;
	INSERT INTO audit_head VALUES (chain, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;
END
$$;
