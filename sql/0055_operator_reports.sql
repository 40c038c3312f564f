-- The operator's reports (RPT-5): the same tables as the tenants', the installation's rows under the nil UUID as in its log.

-- What they are made of is read as this role, which jobd and the operator's console take for those statements alone. It has a right to nothing of a
-- tenant's but what the operator bills by: name and state of the account, licence, number of keys in use. NOINHERIT: what it may see, the two
-- do not see while they are themselves.
RESET ROLE;
DO $$
BEGIN
	IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'keyward_summaries') THEN
		CREATE ROLE keyward_summaries NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
	END IF;
	IF NOT pg_has_role('keyward_jobs', 'keyward_summaries', 'MEMBER') OR NOT pg_has_role('keyward_central', 'keyward_summaries', 'MEMBER') THEN
		ALTER ROLE keyward_jobs NOINHERIT;
		ALTER ROLE keyward_central NOINHERIT;
		GRANT keyward_summaries TO keyward_jobs, keyward_central;
	END IF;
END
$$;
SET ROLE keyward_owner;
GRANT USAGE ON SCHEMA public TO keyward_summaries;
GRANT SELECT (id, slug, name, state, state_reason, created, state_changed, close_at) ON tenant TO keyward_summaries;
CREATE POLICY tenant_summaries ON tenant FOR SELECT TO keyward_summaries USING (true);
GRANT SELECT (tenant, kind, keys, until, replaced) ON licence TO keyward_summaries;
CREATE POLICY licence_summaries ON licence FOR SELECT TO keyward_summaries USING (true);
GRANT SELECT (tenant, used, at) ON licence_use TO keyward_summaries;
CREATE POLICY licence_summaries ON licence_use FOR SELECT TO keyward_summaries USING (true);
GRANT SELECT (id, account, serial, kind, keys, until, issued, issued_by, note) ON licence_issue TO keyward_summaries;
GRANT SELECT ON process, health_sample, backup TO keyward_summaries;
GRANT SELECT ON audit_entry TO keyward_summaries;
CREATE POLICY audit_summaries ON audit_entry FOR SELECT TO keyward_summaries USING (tenant = '00000000-0000-0000-0000-000000000000');
CREATE POLICY audit_summaries_alone ON audit_entry AS RESTRICTIVE FOR SELECT TO keyward_summaries
	USING (tenant = '00000000-0000-0000-0000-000000000000');
GRANT EXECUTE ON FUNCTION current_tenant(), licence_level_keys(bigint, bigint), licence_level_end(timestamptz, text, timestamptz) TO keyward_summaries;

-- Whose: notice_scope().
ALTER TABLE report_template DROP CONSTRAINT report_template_tenant_fkey;
ALTER TABLE report DROP CONSTRAINT report_tenant_fkey;
DROP POLICY tenant ON report_template;
DROP POLICY tenant ON report;
DROP POLICY tenant ON report_piece;
SELECT isolate_notice('report_template'), isolate_notice('report'), isolate_notice('report_piece');
GRANT SELECT, INSERT, DELETE, UPDATE ON report_template TO keyward_central;
GRANT SELECT, INSERT, DELETE ON report TO keyward_central;
GRANT SELECT ON report_piece TO keyward_central;
GRANT EXECUTE ON FUNCTION report_period(text, text, timestamptz), report_next(text, int, int, time, text, timestamptz),
	integrity_next(text, int, time, text, timestamptz) TO keyward_central;

-- By whose clock, and in whose name. Definer: the roles that ask see no more of accounts and operators than this.
CREATE FUNCTION notice_zone() RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT coalesce((SELECT t.time_zone FROM tenant t WHERE t.id = current_tenant()), 'UTC') $$;
GRANT EXECUTE ON FUNCTION notice_zone() TO keyward_central, keyward_console, keyward_jobs;
CREATE FUNCTION report_operator(which uuid) RETURNS TABLE (role text, state text) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT o.role, o.state FROM operator_user o WHERE o.id = which $$;
GRANT EXECUTE ON FUNCTION report_operator(uuid) TO keyward_jobs;
-- Once more: only accounts have a task of their own.
CREATE OR REPLACE FUNCTION report_tenants() RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT DISTINCT r.tenant FROM report_template r JOIN tenant t ON t.id = r.tenant WHERE t.state = 'active' AND r.due <= now()
$$;
