-- Certificates that accounts have entered, and how near to their end they were when the account's administrators were told last.

CREATE TABLE tenant_certificate_told (
	tenant uuid NOT NULL REFERENCES tenant,
	fingerprint text NOT NULL CHECK (length(fingerprint) = 64),     -- SHA-256 of it
	level int NOT NULL,                     -- days that were left, of the thresholds
	at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant, fingerprint)
);
SELECT isolate('tenant_certificate_told');
GRANT SELECT, INSERT, UPDATE, DELETE ON tenant_certificate_told TO keyward_jobs;

-- Each certificate of a text that holds several.
CREATE FUNCTION certificates_in(pem text) RETURNS SETOF text LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$ SELECT m[1] FROM regexp_matches(pem, '-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----', 'g') m LIMIT 20 $$;
-- Of an identity provider's the one that ends last: metadata name the next one beside the one that is in use.
CREATE FUNCTION certificate_last(idp jsonb) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$ SELECT c ->> 'pem' FROM jsonb_array_elements(idp -> 'certificates') c ORDER BY nullif(c ->> 'not_after', '') DESC NULLS LAST LIMIT 1 $$;

-- Certificates that stand in settings, for jobd to look at: public all of them. Of the account that is bound; without one, the installation's.
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
	UNION ALL SELECT 'saml', s.certificate FROM saml s WHERE s.certificate IS NOT NULL AND s.tenant = current_tenant()
	UNION ALL SELECT 'saml-idp', certificate_last(s.idp) FROM saml s WHERE s.mode <> 'off' AND s.tenant = current_tenant()
	UNION ALL SELECT 'key-server', k.certificate FROM key_server k WHERE k.tenant = current_tenant()
	UNION ALL SELECT 'key-server-ca', certificates_in(k.ca) FROM key_server k WHERE k.tenant = current_tenant()
	UNION ALL SELECT 'directory-ca', certificates_in(d.settings ->> 'ca') FROM directory d WHERE d.tenant = current_tenant()
$$;
