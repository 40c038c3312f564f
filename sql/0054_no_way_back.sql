-- An account whose end has begun has no way back (TEN-7): whoever asks, its state becomes closed and nothing else.
CREATE FUNCTION tenant_no_way_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'an account that is % cannot become %', OLD.state, NEW.state USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER tenant_no_way_back BEFORE UPDATE OF state ON tenant FOR EACH ROW
	WHEN ((OLD.state = 'closing' AND NEW.state NOT IN ('closing', 'closed')) OR (OLD.state = 'closed' AND NEW.state <> 'closed'))
	EXECUTE FUNCTION tenant_no_way_back();
