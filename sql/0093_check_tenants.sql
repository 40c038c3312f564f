-- Whose questions to agents are open and asked: jobd looks at these accounts' alone for answers that did not come (store/check.h), where it began a
-- transaction for every account every half minute.
CREATE INDEX integrity_check_asked ON integrity_check (tenant) WHERE result IS NULL AND ordered IS NOT NULL;
CREATE FUNCTION check_tenants() RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT DISTINCT c.tenant FROM integrity_check c JOIN tenant t ON t.id = c.tenant
	WHERE t.state <> 'closed' AND c.result IS NULL AND c.ordered IS NOT NULL
$$;
GRANT EXECUTE ON FUNCTION check_tenants() TO keyward_jobs;
