-- Which tenants have something to do for jobd's tasks, asked once for all of them before it binds to one. Definer: it learns ids, nothing else.

CREATE POLICY instance_owner ON instance FOR SELECT TO keyward_owner USING (true);
CREATE FUNCTION instance_missing_tenants(before timestamptz) RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT t.id FROM tenant t WHERE EXISTS (SELECT 1 FROM instance i WHERE i.tenant = t.id AND i.state = 'running' AND i.last_seen < before)
$$;
CREATE POLICY request_count_change_owner ON request_count_change FOR SELECT TO keyward_owner USING (true);
CREATE FUNCTION request_count_tenants() RETURNS TABLE (id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT DISTINCT c.tenant FROM request_count_change c $$;
GRANT EXECUTE ON FUNCTION instance_missing_tenants(timestamptz), request_count_tenants() TO keyward_jobs;

-- Long jobs take a short lease and prolong it as they go on: what a killed jobd had is taken over soon.
CREATE FUNCTION job_keep(kept uuid, lease interval) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ UPDATE job SET locked_until = now() + lease WHERE id = kept AND state = 'waiting' $$;
GRANT EXECUTE ON FUNCTION job_keep(uuid, interval) TO keyward_jobs;
