-- Whether a backup was looked at since it was made, and what came of it (ADM-2). Decrypted: with its private key, which is not here.
ALTER TABLE backup ADD verified timestamptz, ADD decrypted timestamptz, ADD verify_error text,
	ADD removed timestamptz;                -- because it was too old
CREATE INDEX backup_place ON backup (place);
GRANT UPDATE (verified, decrypted, verify_error, removed) ON backup TO keyward_jobs;

-- How far the replacement of tenants' keys is, for the operator: that it goes on, and nothing else of a tenant.
CREATE POLICY tenant_rotation_owner ON tenant_rotation FOR SELECT TO keyward_owner USING (true);
CREATE FUNCTION tenant_rotations_running(most int) RETURNS TABLE (tenant uuid, name text, state text, done bigint, total bigint, error text,
	started timestamptz, finished timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT t.id, t.name, r.state, r.done, r.total, r.error, r.started, r.finished FROM tenant_rotation r JOIN tenant t ON t.id = r.tenant
	WHERE r.state = 'running' ORDER BY r.started LIMIT most
$$;
GRANT EXECUTE ON FUNCTION tenant_rotations_running(int) TO keyward_central;
