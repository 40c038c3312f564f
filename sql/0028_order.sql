-- Orders that people give to agents, and the history of all of them.

ALTER TABLE agent_order ADD COLUMN due timestamptz;      -- not given before

CREATE INDEX agent_order_history ON agent_order (tenant, agent, created DESC, id DESC);
CREATE INDEX agent_order_finished ON agent_order (finished) WHERE finished IS NOT NULL;
CREATE INDEX agent_of_instance ON agent (tenant, instance);

-- A new order takes the place of one that waits.
GRANT UPDATE (finished, done, detail) ON agent_order TO keyward_console;
-- What is old enough goes.
GRANT DELETE ON agent_order TO keyward_jobs;
