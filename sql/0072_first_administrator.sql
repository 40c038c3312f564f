-- The operator invites an account's first administrator only before anybody has joined (TEN-3), also where somebody joins in the same moment: as it was
-- (sql/0002), but that it looks after the invitations are gone. Whoever is about to accept one is waited for there, and is seen then.
CREATE OR REPLACE FUNCTION tenant_invite_first_admin(target uuid, user_id uuid, email text, name text, token bytea, expires timestamptz)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
	former CONSTANT text := coalesce(current_setting('keyward.tenant', true), '');
BEGIN
	PERFORM set_config('keyward.tenant', target::text, true);
	PERFORM 1 FROM tenant t WHERE t.id = target AND t.state = 'active' FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'no such active tenant' USING ERRCODE = 'no_data_found';
	END IF;
	DELETE FROM app_user u WHERE u.state = 'invited';
	IF EXISTS (SELECT 1 FROM app_user u) THEN
		RAISE EXCEPTION 'the tenant has a user already' USING ERRCODE = 'insufficient_privilege';
	END IF;
	INSERT INTO app_user (tenant, id, email, name, role)
		VALUES (target, tenant_invite_first_admin.user_id, tenant_invite_first_admin.email, tenant_invite_first_admin.name,
			'account-administrator');
	INSERT INTO invitation (tenant, token, kind, user_id, expires)
		VALUES (target, tenant_invite_first_admin.token, 'invite', tenant_invite_first_admin.user_id,
			tenant_invite_first_admin.expires);
	-- The binding must not outlive the function; an error undoes it with everything else.
	PERFORM set_config('keyward.tenant', former, true);
END
$$;
