-- Links in mails that wait are wrapped by the root key, too: they move to another one with the rest, and keep a former one from being retired.
-- Definer: jobd sees of a job what it has taken, and here only the wrapped link.
CREATE FUNCTION waiting_link(nth bigint) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT j.payload->>'link' FROM job j WHERE j.kind = 'mail' AND j.payload ? 'link' ORDER BY j.id OFFSET nth LIMIT 1 $$;
CREATE FUNCTION waiting_link_rewrapped(before text, after text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ UPDATE job SET payload = jsonb_set(payload, '{link}', to_jsonb(after)) WHERE kind = 'mail' AND payload->>'link' = before $$;
GRANT EXECUTE ON FUNCTION waiting_link(bigint), waiting_link_rewrapped(text, text) TO keyward_jobs;
