-- Our own key of single sign-on is renewed while the former works (IDN-3): a second one stands beside the one in use, first as the next, so that the identity
-- provider can be given it before it is needed, then as the former, so that what is under way can still be read. Single sign-on can be removed.

ALTER TABLE saml ADD COLUMN second_certificate text,
	ADD COLUMN second_key bytea,            -- a blob of keyd
	ADD COLUMN second_is text CHECK (second_is IN ('next', 'former')),
	ADD COLUMN second_days int,             -- as long as each of the two stands there
	ADD COLUMN second_until timestamptz,    -- when the next takes over, or the former goes, by itself
	ADD CONSTRAINT saml_second CHECK (num_nulls(second_certificate, second_key, second_is, second_days, second_until) IN (0, 5));
CREATE INDEX saml_second_until ON saml (second_until) WHERE second_until IS NOT NULL;
CREATE TRIGGER under_tenant_key_too BEFORE INSERT OR UPDATE OF second_key ON saml FOR EACH ROW EXECUTE FUNCTION under_tenant_key('second_key');
GRANT DELETE ON saml TO keyward_console;
GRANT SELECT (certificate, second_certificate, second_key, second_is, second_days, second_until),
	UPDATE (certificate, second_certificate, second_key, second_is, second_days, second_until) ON saml TO keyward_jobs;
ALTER TABLE operator_saml ADD COLUMN second_certificate text,        -- its private key is in setting
	ADD COLUMN second_is text CHECK (second_is IN ('next', 'former')),
	ADD COLUMN second_days int,
	ADD COLUMN second_until timestamptz,
	ADD CONSTRAINT operator_saml_second CHECK (num_nulls(second_certificate, second_is, second_days, second_until) IN (0, 4));
GRANT DELETE ON operator_saml TO keyward_central;
GRANT SELECT (certificate, second_certificate, second_is, second_until) ON operator_saml TO keyward_jobs;

-- Accounts where a second key's time is over. Definer, and a policy for it: jobs see no account's rows while they are bound to none.
CREATE POLICY saml_owner ON saml FOR SELECT TO keyward_owner USING (true);
CREATE FUNCTION saml_second_due() RETURNS TABLE (id uuid) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT tenant FROM saml WHERE second_until <= now() $$;
REVOKE EXECUTE ON FUNCTION saml_second_due() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION saml_second_due() TO keyward_jobs;

-- The operator's two keys change places where WANTED is the second one's certificate; what was read before is not exchanged twice. Definer: jobs may not write
-- settings.
CREATE FUNCTION operator_saml_turn(wanted text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	UPDATE operator_saml SET certificate = second_certificate, second_certificate = certificate,
		second_is = CASE second_is WHEN 'next' THEN 'former' ELSE 'next' END, second_until = now() + make_interval(days => second_days)
		WHERE second_certificate = wanted;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	UPDATE setting s SET value = o.value FROM setting o WHERE (s.name, o.name) IN (('saml.key', 'saml.second-key'), ('saml.second-key', 'saml.key'));
	RETURN true;
END
$$;
-- And the second one goes.
CREATE FUNCTION operator_saml_drop(unwanted text) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
	UPDATE operator_saml SET second_certificate = NULL, second_is = NULL, second_days = NULL, second_until = NULL WHERE second_certificate = unwanted;
	IF NOT FOUND THEN
		RETURN false;
	END IF;
	DELETE FROM setting WHERE name = 'saml.second-key';
	RETURN true;
END
$$;
REVOKE EXECUTE ON FUNCTION operator_saml_turn(text), operator_saml_drop(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION operator_saml_turn(text), operator_saml_drop(text) TO keyward_central, keyward_jobs;

-- Whom an identity provider vouched for becomes a local user without a password when single sign-on is removed: who was disabled stays so.
ALTER TABLE app_user DROP CONSTRAINT app_user_proof,
	ADD CONSTRAINT app_user_proof CHECK (CASE WHEN source = 'local' THEN state <> 'active' OR password IS NOT NULL
		ELSE password IS NULL AND state <> 'invited' END);
ALTER TABLE operator_user DROP CONSTRAINT operator_user_proof,
	ADD CONSTRAINT operator_user_proof CHECK (CASE WHEN source = 'local' THEN state <> 'active' OR password IS NOT NULL
		ELSE password IS NULL AND state <> 'invited' END);
