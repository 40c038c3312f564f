-- The operator's groups of recipients (NTF-1): the installation's rows beside the accounts', as of its notices.
ALTER TABLE notice_group DROP CONSTRAINT notice_group_tenant_fkey;
DROP POLICY tenant ON notice_group;
SELECT isolate_notice('notice_group');
GRANT SELECT, INSERT, UPDATE, DELETE ON notice_group TO keyward_central;
GRANT EXECUTE ON FUNCTION notice_head(), notice_due(text, time, text, timestamptz) TO keyward_central;
-- Once more: only accounts have a task of their own.
CREATE OR REPLACE FUNCTION notice_group_tenants() RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT DISTINCT g.tenant FROM notice_group g WHERE g.tenant <> '00000000-0000-0000-0000-000000000000' AND g.enabled AND CASE WHEN g.due IS NULL
		THEN EXISTS (SELECT 1 FROM notice n WHERE n.tenant = g.tenant AND n.seq > g.told) ELSE g.due <= now() END
$$;
