-- The leave to hand a volume over or to decrypt it (VOL-7) is for the machine that has the device: it ends when that machine loses it, or another
-- one has it, whatever process writes so. One that has begun to be decrypted goes on.
CREATE FUNCTION device_leave_ends() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp
AS $$
BEGIN
	NEW.release := '';
	NEW.release_by := '';
	RETURN NEW;
END
$$;
CREATE TRIGGER device_leave_ends BEFORE UPDATE OF status, instance ON device FOR EACH ROW WHEN (OLD.release <> '' AND OLD.status <> 'decrypting'
	AND (NEW.status = 'undetected' OR NEW.instance IS DISTINCT FROM OLD.instance)) EXECUTE FUNCTION device_leave_ends();
