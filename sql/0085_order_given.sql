-- An order that waits is locked while something is written for which it is to be carried out (store/order.c): that takes a right to
-- change it.
GRANT UPDATE (finished) ON agent_order TO keyward_jobs;
