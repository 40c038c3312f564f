-- A receiver of the log may want a certificate of ours (LOG-4). The private key of an account's is a blob under the account's key; the installation's
-- is a setting, under the root key.
ALTER TABLE log_forward ADD certificate text NOT NULL DEFAULT '' CHECK (length(certificate) <= 12288),      -- PEM, with those between it and its authority
	ADD client_key bytea;
GRANT UPDATE (client_key) ON log_forward TO keyward_jobs;
CREATE TRIGGER under_tenant_key BEFORE INSERT OR UPDATE OF client_key ON log_forward FOR EACH ROW EXECUTE FUNCTION under_tenant_key('client_key');
-- As in sql/0057, with that certificate.
CREATE OR REPLACE FUNCTION certificates_set() RETURNS TABLE (place text, pem text) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
	SELECT 'saml', s.certificate FROM operator_saml s WHERE s.certificate IS NOT NULL AND current_tenant() IS NULL
	UNION ALL SELECT 'saml-idp', certificate_last(s.idp) FROM operator_saml s WHERE s.mode <> 'off' AND current_tenant() IS NULL
	UNION ALL SELECT 'key-server', k.certificate FROM installation_key_server k WHERE current_tenant() IS NULL
	UNION ALL SELECT 'key-server-ca', certificates_in(k.ca) FROM installation_key_server k WHERE current_tenant() IS NULL
	UNION ALL SELECT 'mail-ca', certificates_in(s.value ->> 'ca') FROM setting s WHERE s.name = 'mail.server' AND current_tenant() IS NULL
	UNION ALL SELECT 'directory-ca', certificates_in(s.value ->> 'ca') FROM setting s WHERE s.name = 'directory.settings' AND current_tenant() IS NULL
	UNION ALL SELECT 'log-ca', certificates_in(f.ca) FROM log_forward f
		WHERE f.tenant = coalesce(current_tenant(), '00000000-0000-0000-0000-000000000000')
	UNION ALL SELECT 'log', certificates_in(f.certificate) FROM log_forward f
		WHERE f.tenant = coalesce(current_tenant(), '00000000-0000-0000-0000-000000000000')
	UNION ALL SELECT 'saml', s.certificate FROM saml s WHERE s.certificate IS NOT NULL AND s.tenant = current_tenant()
	UNION ALL SELECT 'saml-idp', certificate_last(s.idp) FROM saml s WHERE s.mode <> 'off' AND s.tenant = current_tenant()
	UNION ALL SELECT 'key-server', k.certificate FROM key_server k WHERE k.tenant = current_tenant()
	UNION ALL SELECT 'key-server-ca', certificates_in(k.ca) FROM key_server k WHERE k.tenant = current_tenant()
	UNION ALL SELECT 'directory-ca', certificates_in(d.settings ->> 'ca') FROM directory d WHERE d.tenant = current_tenant()
$$;
