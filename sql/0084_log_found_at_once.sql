-- What the planner is to avoid it prices so high that it has statements compiled first (JIT), which takes longer than they do.
ALTER FUNCTION audit_found(text, text[], timestamptz, timestamptz, bigint, bigint, text, boolean, text, bigint, int) SET jit = off;
