-- What waits in the inboxes of the executions that worker $1 owns, with the wake count that covers it.
SELECT inbox.id, inbox.execution_id, inbox.kind, inbox.payload::text AS payload, inbox.sender, execution.wake_seq
FROM inbox JOIN execution ON execution.id = inbox.execution_id
WHERE execution.owner = $1 ORDER BY inbox.id
