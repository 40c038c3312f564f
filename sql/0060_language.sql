-- In which language a person is spoken to; null: as the account has it (tenant.settings, "language"), or the browser.
ALTER TABLE app_user ADD language text CHECK (language ~ '^[a-z]{2,3}(-[A-Z]{2})?$');
ALTER TABLE operator_user ADD language text CHECK (language ~ '^[a-z]{2,3}(-[A-Z]{2})?$');
GRANT SELECT (language) ON app_user TO keyward_jobs;

DROP FUNCTION notice_operators(text[]);
CREATE FUNCTION notice_operators(wanted text[]) RETURNS TABLE (email text, language text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT o.email, o.language FROM operator_user o WHERE o.state = 'active' AND o.role = ANY (wanted) ORDER BY o.email $$;
REVOKE ALL ON FUNCTION notice_operators(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION notice_operators(text[]) TO keyward_jobs;
