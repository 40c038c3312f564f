-- How much an account's reports may take, in MiB; null: no limit. Looked at by src/store/report_storage.c: what was made stays until its time is over.
ALTER TABLE tenant ADD COLUMN quota_reports int DEFAULT 5120 CHECK (quota_reports >= 0);
GRANT SELECT (quota_reports), UPDATE (quota_reports) ON tenant TO keyward_central;
GRANT SELECT (quota_reports) ON tenant TO keyward_console, keyward_jobs;

-- As in sql/0046, and what reports take.
DROP FUNCTION quota_used(uuid);
CREATE FUNCTION quota_used(target uuid) RETURNS TABLE (devices bigint, instances bigint, users bigint, reports bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	former CONSTANT text := coalesce(current_setting('keyward.tenant', true), '');
BEGIN
	PERFORM set_config('keyward.tenant', target::text, true);
	SELECT count(*) INTO devices FROM (SELECT 1 FROM device d WHERE d.tenant = target LIMIT 100000) x;
	SELECT count(*) INTO instances FROM (SELECT 1 FROM instance i WHERE i.tenant = target LIMIT 100000) x;
	SELECT count(*) INTO users FROM (SELECT 1 FROM app_user u WHERE u.tenant = target LIMIT 100000) x;
	SELECT (coalesce(sum(r.bytes), 0) / 1048576)::bigint INTO reports FROM report r WHERE r.tenant = target;
	PERFORM set_config('keyward.tenant', former, true);
	RETURN NEXT;
END
$$;
GRANT EXECUTE ON FUNCTION quota_used(uuid) TO keyward_central;
