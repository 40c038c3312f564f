-- Reasons of what-if runs are phrases (base/phrase.h), put into words when they are shown; a text is a phrase, so the old ones stay as they are.
ALTER TABLE what_if_change ALTER COLUMN reason TYPE jsonb USING to_jsonb(reason);

-- A report of the operator's is in the language of whom it is made for, as an account's is.
CREATE FUNCTION report_language(which uuid) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT o.language FROM operator_user o WHERE o.id = which $$;
REVOKE ALL ON FUNCTION report_language(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION report_language(uuid) TO keyward_jobs;

-- Operators are mailed in their own language, so notice_operators does for all.
DROP FUNCTION licence_operators(), system_operators();
