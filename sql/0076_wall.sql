-- A browser that shows the operator's overview to a room and may do nothing else: its session is no step of a sign-in, and is never idle.
ALTER TABLE operator_session DROP CONSTRAINT operator_session_step_check,
	ADD CONSTRAINT operator_session_step_check CHECK (step IN ('', 'code', 'enrol', 'wall'));
