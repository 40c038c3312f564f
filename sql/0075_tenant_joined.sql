-- Whether anybody of an account has accepted an invitation: as long as nobody has, the operator invites its first administrator (0002). Definer: the
-- operator hears this alone, and sees no row.
CREATE FUNCTION tenant_joined(target uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	former CONSTANT text := coalesce(current_setting('keyward.tenant', true), '');
	joined boolean;
BEGIN
	PERFORM set_config('keyward.tenant', target::text, true);
	SELECT EXISTS (SELECT 1 FROM app_user u WHERE u.tenant = target AND u.state <> 'invited') INTO joined;
	PERFORM set_config('keyward.tenant', former, true);
	RETURN joined;
END
$$;
GRANT EXECUTE ON FUNCTION tenant_joined(uuid) TO keyward_central;
