-- What everything is, for whoever looks with a SQL client: columns, and functions that say nothing where they are made.

COMMENT ON COLUMN role.id IS 'What steps and versions refer to it by; it stays when the name changes.';
COMMENT ON COLUMN role.name IS 'What steps call it: unique, a letter first.';
COMMENT ON COLUMN role.description IS 'What it is for, in words for people and agents.';
COMMENT ON COLUMN role.base_prompt IS 'The system prompt of every call to a model.';
COMMENT ON COLUMN role.tools IS 'Names of tools, patterns such as files.*, and tags such as meta.';
COMMENT ON COLUMN role.needs_tools IS 'Whether only models that can call tools will do.';
COMMENT ON COLUMN role.model IS
  'Which models it wishes for: preferred, fallbacks, providers, capabilities, minContextTokens, maxCostPerMillion.';
COMMENT ON COLUMN role.parameters IS 'How models are asked: temperature, maxOutputTokens, repairs, contextPolicy.';
COMMENT ON COLUMN role.output_schema IS 'The JSON Schema that an answer has to satisfy; null for any.';
COMMENT ON COLUMN role.is_active IS 'Whether executions may still use it.';
COMMENT ON COLUMN role.created_by IS 'The principal that made it.';
COMMENT ON COLUMN role.created_at IS 'When it was made.';
COMMENT ON COLUMN role.updated_at IS 'When it was last changed; the database writes it.';

COMMENT ON COLUMN role_version.id IS 'What executions pin when they start.';
COMMENT ON COLUMN role_version.role_id IS 'The role that was so.';
COMMENT ON COLUMN role_version.number IS 'Counted from 1 within the role.';
COMMENT ON COLUMN role_version.content IS 'The role as it was or could be, its columns as keys.';
COMMENT ON COLUMN role_version.created_at IS 'When the role became so, or this was drafted.';
COMMENT ON COLUMN role_version.message IS 'Why this version was made, in the words of who made it.';
COMMENT ON COLUMN role_version.published_at IS 'When the role became so; null before that.';
COMMENT ON COLUMN role_version.rejected_at IS 'When the proposal was declined; null otherwise.';
COMMENT ON COLUMN role_version.rejection IS 'Why the proposal was declined.';

COMMENT ON COLUMN orchestration.id IS 'What versions and requests refer to it by; it stays when the name changes.';
COMMENT ON COLUMN orchestration.name IS 'What it is started by: unique, and that of its active version.';
COMMENT ON COLUMN orchestration.description IS 'What it is for; that of its active version.';
COMMENT ON COLUMN orchestration.tags IS 'Words to find it by; those of its active version.';
COMMENT ON COLUMN orchestration.is_active IS 'Whether anything new may start; what runs goes on.';
COMMENT ON COLUMN orchestration.active_version_id IS
  'The published version that executions start from; null while there is none.';
COMMENT ON COLUMN orchestration.created_by IS 'The principal that made it.';
COMMENT ON COLUMN orchestration.created_at IS 'When it was made.';
COMMENT ON COLUMN orchestration.updated_at IS 'When it was last changed; the database writes it.';

COMMENT ON COLUMN orchestration_version.id IS 'What steps and executions refer to it by.';
COMMENT ON COLUMN orchestration_version.orchestration_id IS 'The orchestration that it is a state of.';
COMMENT ON COLUMN orchestration_version.number IS 'Counted from 1 within the orchestration.';
COMMENT ON COLUMN orchestration_version.status IS
  'Where it stands: a draft is edited, a proposal decided about, and what was published never changes.';
COMMENT ON COLUMN orchestration_version.digest IS
  'The hash by which equal documents are known, steps included; written when it is published.';
COMMENT ON COLUMN orchestration_version.max_step_runs IS
  'No execution of it runs more steps than this; counted when it is published.';
COMMENT ON COLUMN orchestration_version.message IS 'Why this version was made, in the words of who made it.';
COMMENT ON COLUMN orchestration_version.created_by IS 'The principal that made it.';
COMMENT ON COLUMN orchestration_version.created_at IS 'When it was made.';
COMMENT ON COLUMN orchestration_version.published_at IS 'When it was published; null before that.';
COMMENT ON COLUMN orchestration_version.rejected_at IS 'When the proposal was declined; null otherwise.';
COMMENT ON COLUMN orchestration_version.rejection IS 'Why the proposal was declined.';
COMMENT ON COLUMN orchestration_version.requested_at IS 'When its publication was last asked for.';

COMMENT ON COLUMN orchestration_step.id IS 'What the steps inside it refer to it by.';
COMMENT ON COLUMN orchestration_step.version_id IS 'The version that it is a step of.';
COMMENT ON COLUMN orchestration_step.parent_id IS 'The step that it stands in; null at the top level.';
COMMENT ON COLUMN orchestration_step.slot IS
  'Where it stands: main, onFailure or finally at the top; body, case:<name>, else, catch:<n> or compensate in a step.';
COMMENT ON COLUMN orchestration_step.name IS 'The key of its output in the context: unique within the version.';
COMMENT ON COLUMN orchestration_step."order" IS
  'Its place in its slot, from 0; only members of one parallel group share a number.';
COMMENT ON COLUMN orchestration_step.kind IS 'What it does: agent, llm, tool, transform, wait, branch, loop and so on.';
COMMENT ON COLUMN orchestration_step.parallel_group IS 'Neighbours with the same group run together.';
COMMENT ON COLUMN orchestration_step.role_id IS 'The role whose name the step says, as it was resolved at publication.';
COMMENT ON COLUMN orchestration_step.role_name IS 'The role that an agent or llm step acts in.';
COMMENT ON COLUMN orchestration_step.condition IS 'When it is false the step is skipped; null for always.';
COMMENT ON COLUMN orchestration_step.input_mapping IS 'What the step is given; null for the whole context.';
COMMENT ON COLUMN orchestration_step.output_mapping IS
  'What of its output is kept under which keys; null for all of it under its name.';
COMMENT ON COLUMN orchestration_step.config IS
  'Every field that has no column of its own, under its name in the document.';
COMMENT ON COLUMN orchestration_step.max_retries IS 'How many attempts may follow the first.';
COMMENT ON COLUMN orchestration_step.retry_delay_ms IS 'How many milliseconds pass before the next attempt.';

COMMENT ON COLUMN worker.id IS 'What executions name as their owner.';
COMMENT ON COLUMN worker.name IS 'For people: the host and the process.';
COMMENT ON COLUMN worker.started_at IS 'When the process began to work.';
COMMENT ON COLUMN worker.heartbeat_at IS 'When it last said that it lives.';
COMMENT ON COLUMN worker.lease_seconds IS 'How long it is taken to live after its last heartbeat.';

COMMENT ON COLUMN execution.id IS 'A UUIDv7: it carries the start, so that later ones are greater.';
COMMENT ON COLUMN execution.version_id IS 'The version that it runs, and keeps to until its end.';
COMMENT ON COLUMN execution.status IS
  'Where it stands: queued, running, waiting, paused, cancelling, or one of four ends.';
COMMENT ON COLUMN execution.input IS 'What it was started with, defaults filled in.';
COMMENT ON COLUMN execution.output IS 'What it has given; null unless it is completed.';
COMMENT ON COLUMN execution.error IS 'Why it has not completed: code and message.';
COMMENT ON COLUMN execution.started_by IS 'The principal that started it: kind, name and scopes.';
COMMENT ON COLUMN execution.idempotency_key IS 'By which a repeated start is known; unique for each who starts.';
COMMENT ON COLUMN execution.request_digest IS 'Tells the same key with another request.';
COMMENT ON COLUMN execution.owner IS 'The worker that runs it now; null while nobody does.';
COMMENT ON COLUMN execution.active_ms IS 'How many milliseconds workers have spent on it.';
COMMENT ON COLUMN execution.created_at IS 'When it was asked for.';
COMMENT ON COLUMN execution.started_at IS 'When a worker first took it up.';
COMMENT ON COLUMN execution.finished_at IS 'When it ended; null before that.';
COMMENT ON COLUMN execution.parent_execution_id IS 'The execution that started it from one of its steps.';

COMMENT ON COLUMN execution_request.id IS 'What the execution will be called.';
COMMENT ON COLUMN execution_request.orchestration IS 'The name of what is to be started.';
COMMENT ON COLUMN execution_request.input IS 'What it is to be started with.';
COMMENT ON COLUMN execution_request.idempotency_key IS
  'By which a repeated request is known; unique for each who asks.';
COMMENT ON COLUMN execution_request.requested_by IS 'The database user of the session that asked.';
COMMENT ON COLUMN execution_request.requested_at IS 'When it was asked for.';
COMMENT ON COLUMN execution_request.answered_at IS 'When a server answered; null until then.';
COMMENT ON COLUMN execution_request.execution_id IS
  'The execution that came of it: its own id, unless the key had started another before.';
COMMENT ON COLUMN execution_request.problems IS 'Why nothing was started; empty when something was.';

COMMENT ON COLUMN journal.execution_id IS 'The execution that this happened in.';
COMMENT ON COLUMN journal.seq IS 'Counted from 1 within the execution, without gaps.';
COMMENT ON COLUMN journal.kind IS 'What happened, such as step_completed.';
COMMENT ON COLUMN journal.path IS
  'At which instance of a step, such as Duel[2]/Critic; empty for the execution itself.';
COMMENT ON COLUMN journal.attempt IS 'At which attempt, from 1; 0 where it was none.';
COMMENT ON COLUMN journal.payload IS 'The event as JSON, exactly as the engine wrote it.';
COMMENT ON COLUMN journal.recorded_at IS 'When it was written down.';

COMMENT ON COLUMN inbox.id IS 'Counted up: messages are read in this order.';
COMMENT ON COLUMN inbox.execution_id IS 'Whom the message is for.';
COMMENT ON COLUMN inbox.kind IS 'What it says, such as signal, cancel, pause or resume.';
COMMENT ON COLUMN inbox.payload IS 'What belongs to it, as JSON.';
COMMENT ON COLUMN inbox.sender IS 'Who sent it: a principal, a database user, or an execution.';
COMMENT ON COLUMN inbox.created_at IS 'When it was put in.';

COMMENT ON COLUMN signal_key.execution_id IS 'The execution that was signalled.';
COMMENT ON COLUMN signal_key.key IS 'What the sender gave, to know the signal by.';
COMMENT ON COLUMN signal_key.request_digest IS 'Tells the same key with another signal.';
COMMENT ON COLUMN signal_key.created_at IS 'When it was first used.';

COMMENT ON COLUMN token.id IS 'What sessions refer to it by.';
COMMENT ON COLUMN token.prefix IS 'The first letters of the secret, by which it is found.';
COMMENT ON COLUMN token.hash IS 'The SHA-256 of the secret: 32 bytes.';
COMMENT ON COLUMN token.name IS 'Whom it stands for: the name of the principal.';
COMMENT ON COLUMN token.kind IS 'What that is: a human, an agent or a service.';
COMMENT ON COLUMN token.scopes IS 'What whoever shows it may do.';
COMMENT ON COLUMN token.created_at IS 'When it was made.';
COMMENT ON COLUMN token.expires_at IS 'When it ceases to hold; null for never.';
COMMENT ON COLUMN token.revoked_at IS 'When somebody put an end to it.';
COMMENT ON COLUMN token.last_used_at IS 'When it was last shown, to the minute.';

COMMENT ON COLUMN session.id IS 'Its own key; nothing refers to it.';
COMMENT ON COLUMN session.hash IS 'The SHA-256 of the cookie: 32 bytes.';
COMMENT ON COLUMN session.token_id IS 'The token that was signed in with; null for a person from an issuer.';
COMMENT ON COLUMN session.name IS 'The person, when an issuer has named one.';
COMMENT ON COLUMN session.scopes IS 'What that person may do; null where the token says it.';
COMMENT ON COLUMN session.created_at IS 'When somebody signed in.';
COMMENT ON COLUMN session.last_used_at IS 'When it was last used, to the minute.';
COMMENT ON COLUMN session.expires_at IS 'When it ends in any case.';
COMMENT ON COLUMN session.revoked_at IS 'When somebody signed out of it.';

COMMENT ON COLUMN idempotency_key.principal IS 'Who called: kind and name.';
COMMENT ON COLUMN idempotency_key.key IS 'What the caller gave, to be known by again.';
COMMENT ON COLUMN idempotency_key.procedure IS 'What was called, such as role.create.';
COMMENT ON COLUMN idempotency_key.request_digest IS 'Tells the same key with another request.';
COMMENT ON COLUMN idempotency_key.answer IS 'What was answered, byte by byte.';
COMMENT ON COLUMN idempotency_key.created_at IS 'When it was first used.';

COMMENT ON COLUMN journal_event.execution_id IS 'The execution that this happened in.';
COMMENT ON COLUMN journal_event.seq IS 'Counted from 1 within the execution, without gaps.';
COMMENT ON COLUMN journal_event.kind IS 'What happened, such as step_completed.';
COMMENT ON COLUMN journal_event.path IS
  'At which instance of a step, such as Duel[2]/Critic; empty for the execution itself.';
COMMENT ON COLUMN journal_event.attempt IS 'At which attempt, from 1; 0 where it was none.';
COMMENT ON COLUMN journal_event.payload IS 'The event as JSON that can be asked for its fields.';
COMMENT ON COLUMN journal_event.recorded_at IS 'When it was written down.';
COMMENT ON COLUMN journal_event.epoch IS 'The epoch under which it was written.';

COMMENT ON COLUMN execution_priority.priority IS 'One that some execution which is, or will be, due has.';

COMMENT ON COLUMN row_request.kind IS 'What is asked for: publication of a version, or the start of an execution.';
COMMENT ON COLUMN row_request.id IS 'The row that asks.';
COMMENT ON COLUMN row_request.requested_by IS 'The database user who asks.';
COMMENT ON COLUMN row_request.requested_at IS 'When that was asked.';

COMMENT ON COLUMN workflow_overview.name IS 'What the orchestration is called.';
COMMENT ON COLUMN workflow_overview.is_active IS 'Whether anything new may start.';
COMMENT ON COLUMN workflow_overview.active_version IS
  'The number of the version that executions start from; null for none.';
COMMENT ON COLUMN workflow_overview.published_at IS 'When that version was published.';
COMMENT ON COLUMN workflow_overview.steps IS 'How many steps that version has, inner ones counted.';
COMMENT ON COLUMN workflow_overview.drafts IS 'How many versions are being worked on.';
COMMENT ON COLUMN workflow_overview.proposals IS 'How many versions wait for a decision.';
COMMENT ON COLUMN workflow_overview.unfinished IS 'How many executions have not ended yet.';
COMMENT ON COLUMN workflow_overview.last_execution IS 'The execution that was started last.';
COMMENT ON COLUMN workflow_overview.last_status IS 'How that one stands.';
COMMENT ON COLUMN workflow_overview.last_created_at IS 'When that one was started.';
COMMENT ON COLUMN workflow_overview.tags IS 'Words to find it by.';
COMMENT ON COLUMN workflow_overview.description IS 'What it is for.';
COMMENT ON COLUMN workflow_overview.id IS 'The orchestration''s own id, as other tables know it.';

COMMENT ON COLUMN version_history.orchestration IS 'The name of the orchestration.';
COMMENT ON COLUMN version_history.number IS 'Which of its versions this is.';
COMMENT ON COLUMN version_history.status IS
  'Where it stands: draft, proposed, publishing, published, rejected or archived.';
COMMENT ON COLUMN version_history.is_active IS 'Whether executions start from it.';
COMMENT ON COLUMN version_history.major IS 'Versions of one major can take each other''s place.';
COMMENT ON COLUMN version_history.message IS 'Why it was made.';
COMMENT ON COLUMN version_history.created_by IS 'Who made it.';
COMMENT ON COLUMN version_history.created_at IS 'When it was made.';
COMMENT ON COLUMN version_history.decided_by IS 'Who published or declined it.';
COMMENT ON COLUMN version_history.published_at IS 'When it was published.';
COMMENT ON COLUMN version_history.rejected_at IS 'When the proposal was declined.';
COMMENT ON COLUMN version_history.rejection IS 'Why the proposal was declined.';
COMMENT ON COLUMN version_history.steps IS 'How many steps it has, inner ones counted.';
COMMENT ON COLUMN version_history.max_step_runs IS 'No execution of it runs more steps than this.';
COMMENT ON COLUMN version_history.last_execution IS 'The execution that ran it last.';
COMMENT ON COLUMN version_history.last_created_at IS 'When that one was started.';
COMMENT ON COLUMN version_history.digest IS 'The hash by which equal documents are known.';
COMMENT ON COLUMN version_history.id IS 'What its steps and executions refer to it by.';

COMMENT ON COLUMN role_usage.role IS 'The name of the role.';
COMMENT ON COLUMN role_usage.role_version IS 'The number of its newest version.';
COMMENT ON COLUMN role_usage.role_is_active IS 'Whether executions may still use it.';
COMMENT ON COLUMN role_usage.orchestration IS 'Whose active version uses it; null when none does.';
COMMENT ON COLUMN role_usage.version IS 'The number of that version.';
COMMENT ON COLUMN role_usage.steps IS 'The names of the steps that act in it.';

COMMENT ON COLUMN execution_overview.id IS 'What the execution is called everywhere.';
COMMENT ON COLUMN execution_overview.orchestration IS 'The name of what it runs.';
COMMENT ON COLUMN execution_overview.version IS 'The number of the version that it keeps to.';
COMMENT ON COLUMN execution_overview.status IS 'Where it stands.';
COMMENT ON COLUMN execution_overview.started_by IS 'The name of who started it.';
COMMENT ON COLUMN execution_overview.created_at IS 'When it was asked for.';
COMMENT ON COLUMN execution_overview.started_at IS 'When a worker first took it up.';
COMMENT ON COLUMN execution_overview.finished_at IS 'When it ended.';
COMMENT ON COLUMN execution_overview.took IS 'From its first claim to its end, or until now.';
COMMENT ON COLUMN execution_overview.error_code IS 'Why it has not completed, as a code.';
COMMENT ON COLUMN execution_overview.error_message IS 'Why it has not completed, in words.';
COMMENT ON COLUMN execution_overview.due_at IS 'When a worker takes it up next; null while one has it.';
COMMENT ON COLUMN execution_overview.worker IS 'Who runs it now.';
COMMENT ON COLUMN execution_overview.parent IS 'The execution that started it from a step.';
COMMENT ON COLUMN execution_overview.restart_of IS 'The execution whose history it began with.';
COMMENT ON COLUMN execution_overview.input IS 'What it was started with.';
COMMENT ON COLUMN execution_overview.output IS 'What it has given.';

COMMENT ON COLUMN waiting_for.execution IS 'The one that waits.';
COMMENT ON COLUMN waiting_for.orchestration IS 'The name of what it runs.';
COMMENT ON COLUMN waiting_for.version IS 'The number of its version.';
COMMENT ON COLUMN waiting_for.waits_for IS 'An event, a time, a child or a retry; nothing when something is wrong.';
COMMENT ON COLUMN waiting_for.path IS 'The step that keeps it waiting.';
COMMENT ON COLUMN waiting_for.event IS 'The name of the event, where it is one.';
COMMENT ON COLUMN waiting_for.child IS 'The execution that runs the step, where it is one.';
COMMENT ON COLUMN waiting_for.since IS 'When that began.';
COMMENT ON COLUMN waiting_for.due_at IS 'When it is taken up in any case; null for not before a message comes.';
COMMENT ON COLUMN waiting_for.started_by IS 'The name of who started it.';

COMMENT ON COLUMN step_log.execution_id IS 'The execution that this happened in.';
COMMENT ON COLUMN step_log.seq IS 'Its place in the journal of that execution.';
COMMENT ON COLUMN step_log.path IS 'The instance of the step, such as Duel[2]/Critic.';
COMMENT ON COLUMN step_log.step IS 'The name of the step.';
COMMENT ON COLUMN step_log.attempt IS 'Which attempt, from 1; 0 where there was none.';
COMMENT ON COLUMN step_log.outcome IS 'How it came out: completed, failed, skipped, cancelled or overridden.';
COMMENT ON COLUMN step_log.at IS 'When that was written down.';
COMMENT ON COLUMN step_log.duration_ms IS 'How many milliseconds the attempt took.';
COMMENT ON COLUMN step_log.model IS 'The model that was asked, where one was.';
COMMENT ON COLUMN step_log.input_tokens IS 'What the model was sent, in tokens.';
COMMENT ON COLUMN step_log.output_tokens IS 'What the model answered, in tokens.';
COMMENT ON COLUMN step_log.cost_usd IS 'What that cost in dollars; null where the price is not known.';
COMMENT ON COLUMN step_log.failure_code IS 'Why it failed, as a code.';
COMMENT ON COLUMN step_log.failure_message IS 'Why it failed, in words.';
COMMENT ON COLUMN step_log.output IS 'What the step gave.';
COMMENT ON COLUMN step_log.model_calls IS 'How many calls of models it took: model_call_log has each.';

COMMENT ON COLUMN model_call_log.execution_id IS 'The execution that made it.';
COMMENT ON COLUMN model_call_log.seq IS 'The place in its journal of the attempt that made it.';
COMMENT ON COLUMN model_call_log.path IS 'The instance of the step, such as Duel[2]/Critic.';
COMMENT ON COLUMN model_call_log.step IS 'The name of the step.';
COMMENT ON COLUMN model_call_log.attempt IS 'Which attempt made it, from 1.';
COMMENT ON COLUMN model_call_log.place IS 'Which of its calls, from 1.';
COMMENT ON COLUMN model_call_log.model IS 'The model that was asked.';
COMMENT ON COLUMN model_call_log.outcome IS 'answered, or why it was not, as a code.';
COMMENT ON COLUMN model_call_log.reason IS 'Why this model was asked.';
COMMENT ON COLUMN model_call_log.input_tokens IS 'What it was sent, in tokens; 0 where nobody counted.';
COMMENT ON COLUMN model_call_log.output_tokens IS 'What it answered, in tokens; 0 where nobody counted.';
COMMENT ON COLUMN model_call_log.cost_usd IS 'What that cost in dollars; null where it is not known.';
COMMENT ON COLUMN model_call_log.price IS 'The price that the cost was reckoned with.';
COMMENT ON COLUMN model_call_log.duration_ms IS 'How many milliseconds it took.';
COMMENT ON COLUMN model_call_log.is_cached IS 'Whether an earlier answer to the same question was given.';
COMMENT ON COLUMN model_call_log.at IS 'When the attempt was written down.';

COMMENT ON COLUMN failure_overview.orchestration IS 'The name of what has failed.';
COMMENT ON COLUMN failure_overview.step IS 'The step that it failed at; null where it was none.';
COMMENT ON COLUMN failure_overview.code IS 'Why it failed, as a code.';
COMMENT ON COLUMN failure_overview.failures IS 'How many executions have failed so.';
COMMENT ON COLUMN failure_overview.first_at IS 'When the first of them ended.';
COMMENT ON COLUMN failure_overview.last_at IS 'When the last of them ended.';
COMMENT ON COLUMN failure_overview.last_execution IS 'The last of them, to look at.';
COMMENT ON COLUMN failure_overview.last_message IS 'What that one said.';

COMMENT ON COLUMN cost_by_role.role IS 'The name of the role that was acted in.';
COMMENT ON COLUMN cost_by_role.model IS 'The model that was asked.';
COMMENT ON COLUMN cost_by_role.day IS 'The day, in UTC.';
COMMENT ON COLUMN cost_by_role.attempts IS 'How many attempts asked a model.';
COMMENT ON COLUMN cost_by_role.calls IS 'How many calls they made.';
COMMENT ON COLUMN cost_by_role.input_tokens IS 'What the model was sent, in tokens.';
COMMENT ON COLUMN cost_by_role.output_tokens IS 'What the model answered, in tokens.';
COMMENT ON COLUMN cost_by_role.cost_usd IS 'What that cost in dollars, as far as the price is known.';
COMMENT ON COLUMN cost_by_role.attempts_without_price IS 'Of how many attempts the cost of some call is not known.';

COMMENT ON FUNCTION orchestration_version_finding_guard() IS
  'Keeps people from writing what only a server can find out.';
COMMENT ON FUNCTION database_roles_create() IS
  'Makes the database roles as far as that is permitted, and says what is left to be run.';
COMMENT ON FUNCTION database_roles_grant() IS 'Gives each database role the rights of database_rights.';
COMMENT ON FUNCTION database_roles_own() IS 'Makes what is here rolecall_owner''s, when whoever asks is in that.';
COMMENT ON FUNCTION hint_checks(regclass) IS 'The CHECKs of a table as statements that refuse a row with a hint.';
COMMENT ON FUNCTION hint_columns(oid, smallint[], text) IS 'The columns of a key as they stand in a statement.';
COMMENT ON FUNCTION hint_keys(regclass, boolean) IS 'The keys of a table as statements that refuse a row with a hint.';
COMMENT ON FUNCTION hint_nulls(regclass) IS
  'What may not be null in a table, as statements that refuse a row with a hint.';
COMMENT ON FUNCTION hint_refusal(text, text, text, pg_constraint) IS
  'A statement that refuses with the hint of a constraint.';
COMMENT ON FUNCTION hint_triggers(regclass, boolean) IS
  'Makes the triggers that refuse with hints what the constraints of a table refuse without.';
COMMENT ON FUNCTION hint_uses(regclass) IS
  'What keeps a row from being deleted, as statements that refuse that with a hint.';
COMMENT ON FUNCTION orchestration__with_hints() IS
  'Refuses with a hint what the constraints of an orchestration do not allow.';
COMMENT ON FUNCTION orchestration__with_hints_at_end() IS
  'Refuses with a hint, at the commit, what the keys of an orchestration do not allow.';
COMMENT ON FUNCTION orchestration_step__with_hints() IS
  'Refuses with a hint what the constraints of a step do not allow.';
COMMENT ON FUNCTION orchestration_step__with_hints_at_end() IS
  'Refuses with a hint, at the commit, what the keys of a step do not allow.';
COMMENT ON FUNCTION orchestration_version__with_hints() IS
  'Refuses with a hint what the constraints of a version do not allow.';
COMMENT ON FUNCTION orchestration_version__with_hints_on_use() IS
  'Refuses with a hint to delete a version that is in use.';
COMMENT ON FUNCTION budget__with_hints() IS 'Refuses with a hint what the constraints of a budget do not allow.';
COMMENT ON FUNCTION role__with_hints() IS 'Refuses with a hint what the constraints of a role do not allow.';
COMMENT ON FUNCTION role_version__with_hints() IS 'Refuses with a hint what the constraints of a role_version do not allow.';
COMMENT ON FUNCTION role__with_hints_on_use() IS 'Refuses with a hint to delete a role that is in use.';
COMMENT ON FUNCTION role_version_publish() IS 'Makes a version of a role that is published what the role is.';
COMMENT ON FUNCTION orchestration_end_canary() IS 'Ends the canary when another version becomes active.';
COMMENT ON FUNCTION orchestration_canary_guard() IS
  'Holds the canary to be a published version of the same orchestration that breaks nobody.';
COMMENT ON FUNCTION orchestration_version_stays_canary() IS 'Keeps a version from being archived while it is a canary.';
COMMENT ON FUNCTION execution_expiry_guard() IS 'Lets nothing start that has expired.';
COMMENT ON FUNCTION definition_changed() IS
  'Says on the channel rolecall_definition that a definition has changed, or something was asked for.';
COMMENT ON FUNCTION is_publishing() IS 'Whether a server publishes something in this transaction.';
COMMENT ON FUNCTION orchestration_version_start_guard() IS 'Lets versions begin as drafts only.';
COMMENT ON FUNCTION refuse() IS
  'Refuses the statement that it is attached to; its arguments are the rule, the reason and what to do instead.';
COMMENT ON FUNCTION touch_updated_at() IS 'Writes the time of the change into the row.';
COMMENT ON FUNCTION role_content(role) IS 'What makes one version of a role differ from another.';
COMMENT ON FUNCTION role_count_version() IS 'Counts the versions of a role, and refuses those counted by hand.';
COMMENT ON FUNCTION role_keep_version() IS 'Keeps each new content of a role in role_version.';
COMMENT ON FUNCTION role_version_change_guard() IS 'Holds what may become of a draft, a proposal, a request and a version.';
COMMENT ON FUNCTION role_version_guard() IS
  'Lets versions of roles be written by the role, or as drafts and proposals, and drafts alone be deleted.';
COMMENT ON FUNCTION orchestration_active_version_guard() IS
  'Holds the active version to be a published one of the same orchestration.';
COMMENT ON FUNCTION orchestration_version_stays_active() IS 'Keeps a version from being archived while it is active.';
COMMENT ON FUNCTION orchestration_version_guard() IS
  'Lets versions go only the way from draft to archived, and keeps what was published.';
COMMENT ON FUNCTION orchestration_step_count_edit() IS 'Counts the edits of the steps of each version, each statement once.';
COMMENT ON FUNCTION orchestration_step_role() IS 'Keeps the id and the name of the role of a step in agreement.';
COMMENT ON FUNCTION orchestration_steps_guard() IS
  'Holds what the steps of a version are to each other when a transaction that edited them ends.';
COMMENT ON FUNCTION orchestration_step_guard() IS 'Keeps the steps of whatever is no draft.';
COMMENT ON FUNCTION execution_start_guard() IS
  'Lets executions start only from what may be run, and from their beginning.';
COMMENT ON FUNCTION execution_identity_guard() IS 'Keeps what an execution is and where it comes from.';
COMMENT ON FUNCTION execution_transition_guard() IS
  'Lets executions go only from states to states that follow them, and counts their claims.';
COMMENT ON FUNCTION execution_end_guard() IS
  'Holds an end to stand in the journal, and tells parents and children of it.';
COMMENT ON FUNCTION execution_history_guard() IS 'Keeps executions that have a history.';
COMMENT ON FUNCTION execution_request_ask() IS
  'Writes who asks for a start, when, and what the execution will be called.';
COMMENT ON FUNCTION execution_request_guard() IS 'Lets a request to start be answered once, as it was made.';
COMMENT ON FUNCTION journal_fence() IS
  'Lets only the owner of an execution write its history, under its present epoch.';
COMMENT ON FUNCTION journal_guard() IS 'Keeps the journal append-only, but for whole executions that are pruned.';
COMMENT ON FUNCTION journal_dress(text) IS
  'Gives a partition of the journal the indexes and triggers that it does not get from it.';
COMMENT ON FUNCTION journal_add_partition(date) IS
  'Makes the partition of a month of the journal; false when there is one, or none is needed.';
COMMENT ON FUNCTION is_pruning() IS 'Whether execution_prune is at work in this transaction.';
COMMENT ON FUNCTION inbox_wake() IS 'Wakes the execution that a message is for, and hands a cancel on to its children.';
COMMENT ON FUNCTION inbox_cancel_guard() IS 'Keeps a cancel in the inbox until it stands in the journal.';
COMMENT ON FUNCTION signal_key_guard() IS 'Keeps the keys of signals as long as their execution.';
COMMENT ON FUNCTION uuid7() IS 'A new id as servers make them: later ones are greater.';

COMMENT ON COLUMN budget_overview.id IS 'The row of budget.';
COMMENT ON COLUMN budget_overview.kind IS 'What it is for: a role, an orchestration or the whole installation.';
COMMENT ON COLUMN budget_overview.name IS 'What that is called; null for the whole installation.';
COMMENT ON COLUMN budget_overview.usd_per_day IS 'US dollars that a day''s model calls may cost; null for any number.';
COMMENT ON COLUMN budget_overview.tokens_per_day IS 'Tokens that they may read and write; null for any number.';
COMMENT ON COLUMN budget_overview.reserved_usd IS 'US dollars set aside today for calls under way.';
COMMENT ON COLUMN budget_overview.settled_usd IS 'US dollars that today''s calls have cost.';
COMMENT ON COLUMN budget_overview.reserved_tokens IS 'Tokens set aside today for calls under way.';
COMMENT ON COLUMN budget_overview.settled_tokens IS 'Tokens that today''s calls have read and written.';

COMMENT ON COLUMN secret.id IS 'What its encryption is bound to; it stays when the name changes.';
COMMENT ON COLUMN secret.name IS 'What others name it by: unique, a letter first.';
COMMENT ON COLUMN secret.description IS 'What it opens, in words for people.';
COMMENT ON COLUMN secret.value IS 'enc:v1:<key id>:<nonce>:<ciphertext>: AES-GCM, bound to the id and the hosts.';
COMMENT ON COLUMN secret.hosts IS
  'Where it may be sent: hosts, with a port if it is not the usual one. Part of what is encrypted: secret.set changes it.';
COMMENT ON COLUMN secret.key_id IS 'Which of the servers'' keys it is encrypted with.';
COMMENT ON COLUMN secret.created_by IS 'The principal that made it.';
COMMENT ON COLUMN secret.created_at IS 'When it was made.';
COMMENT ON COLUMN secret.updated_at IS 'When it was last changed; the database writes it.';

COMMENT ON COLUMN provider.id IS 'What models refer to it by; it stays when the name changes.';
COMMENT ON COLUMN provider.name IS 'The first part of the names of its models, as in openai/gpt-6-luna: unique, small letters.';
COMMENT ON COLUMN provider.preset IS
  'What it is like: openai, anthropic, ollama, gemini, mistral, deepseek, huggingface, or compatible with a base_url.';
COMMENT ON COLUMN provider.base_url IS 'Where it is; null for the address of the preset.';
COMMENT ON COLUMN provider.api IS 'chat or responses, where the preset has both; null for the usual one.';
COMMENT ON COLUMN provider.secret IS 'The name of the secret that is its key.';
COMMENT ON COLUMN provider.key_variable IS
  'Instead of a secret: the variable ROLECALL_KEY_… in the servers'' environment that holds its key.';
COMMENT ON COLUMN provider.timeout_ms IS 'No call may take longer, whatever its step allows; null for no such bound.';
COMMENT ON COLUMN provider.max_concurrent IS 'How many calls may be under way at a time; null for any number.';
COMMENT ON COLUMN provider.requests_per_minute IS 'How many calls may begin in a minute; null for any number.';
COMMENT ON COLUMN provider.tokens_per_minute IS 'How many tokens calls may take in a minute; null for any number.';
COMMENT ON COLUMN provider.capabilities IS 'What its models can do: tools, json, vision, streaming; null for what the preset says.';
COMMENT ON COLUMN provider.is_active IS 'Whether anything may be asked of it.';
COMMENT ON COLUMN provider.created_by IS 'The principal that made it.';
COMMENT ON COLUMN provider.created_at IS 'When it was made.';
COMMENT ON COLUMN provider.updated_at IS 'When it was last changed; the database writes it.';

COMMENT ON COLUMN model.id IS 'The key of this row; others name a model as provider/model.';
COMMENT ON COLUMN model.provider_id IS 'Who runs it.';
COMMENT ON COLUMN model.name IS 'What its provider calls it.';
COMMENT ON COLUMN model.capabilities IS 'What it can do: tools, json, vision, streaming; null for what its provider can.';
COMMENT ON COLUMN model.context_tokens IS 'How many tokens it takes, question and answer together; null where it is not known.';
COMMENT ON COLUMN model.max_output_tokens IS 'How many tokens it answers with at most; null where it is not known.';
COMMENT ON COLUMN model.only_by_name IS 'Whether it is chosen only by roles that name it.';
COMMENT ON COLUMN model.is_active IS 'Whether anything may be asked of it.';
COMMENT ON COLUMN model.created_by IS 'The principal that made it.';
COMMENT ON COLUMN model.created_at IS 'When it was made.';
COMMENT ON COLUMN model.updated_at IS 'When it was last changed; the database writes it.';

COMMENT ON COLUMN model_price.id IS 'The key by which the audit names it.';
COMMENT ON COLUMN model_price.number IS 'Counted by the database; costs name it as row:<number>.';
COMMENT ON COLUMN model_price.model IS 'Of which model: provider/model.';
COMMENT ON COLUMN model_price.valid_from IS 'From when on it counts; calls that were made before keep their cost.';
COMMENT ON COLUMN model_price.input IS 'USD for a million tokens of the question.';
COMMENT ON COLUMN model_price.cached_input IS
  'USD for a million tokens of the question that the provider had in its cache; null for the same as others.';
COMMENT ON COLUMN model_price.output IS 'USD for a million tokens of the answer.';
COMMENT ON COLUMN model_price.long_from IS 'Calls with more tokens in the question than this cost the long_ prices; null for none.';
COMMENT ON COLUMN model_price.long_input IS 'USD for a million tokens of such a question.';
COMMENT ON COLUMN model_price.long_output IS 'USD for a million tokens of the answer to such a question.';
COMMENT ON COLUMN model_price.note IS 'Where the price comes from, in words for people.';
COMMENT ON COLUMN model_price.created_by IS 'The principal that put it in.';
COMMENT ON COLUMN model_price.created_at IS 'When it was put in.';

COMMENT ON COLUMN default_model.id IS 'The key by which the audit names it.';
COMMENT ON COLUMN default_model.is_only IS 'There is no second row.';
COMMENT ON COLUMN default_model.model IS 'provider/model, as model.list shows it.';
COMMENT ON COLUMN default_model.updated_at IS 'When it was last changed; the database writes it.';

COMMENT ON FUNCTION secret_use_guard() IS 'Refuses to delete or rename a secret that a provider names as its key.';
COMMENT ON FUNCTION secret__with_hints() IS 'Refuses with a hint what the constraints of a secret do not allow.';
COMMENT ON FUNCTION provider__with_hints() IS 'Refuses with a hint what the constraints of a provider do not allow.';
COMMENT ON FUNCTION model__with_hints() IS 'Refuses with a hint what the constraints of a model do not allow.';
COMMENT ON FUNCTION model_price__with_hints() IS 'Refuses with a hint what the constraints of a price of a model do not allow.';
COMMENT ON FUNCTION default_model__with_hints() IS 'Refuses with a hint what the constraints of the default model do not allow.';

COMMENT ON COLUMN mcp_source.id IS 'The key of this row; it stays when the name changes.';
COMMENT ON COLUMN mcp_source.name IS 'The first part of the names of its tools, as in weather.now.';
COMMENT ON COLUMN mcp_source.description IS 'What it is for, for people.';
COMMENT ON COLUMN mcp_source.transport IS
  'How it is spoken to: stdio for a program that servers start, http for one that is there.';
COMMENT ON COLUMN mcp_source.command IS 'Which of the commands in ROLECALL_MCP_COMMANDS starts it.';
COMMENT ON COLUMN mcp_source.url IS 'Where it answers, for http.';
COMMENT ON COLUMN mcp_source.headers IS 'Sent with each request: names of secrets, by header.';
COMMENT ON COLUMN mcp_source.timeout_ms IS 'How long it may take to answer; a call that takes longer has failed.';
COMMENT ON COLUMN mcp_source.is_active IS 'Whether its tools can be called.';
COMMENT ON COLUMN mcp_source.listed_at IS 'When a server last asked for its tools; null asks for that.';
COMMENT ON COLUMN mcp_source.problem IS
  'Why its tools could not be listed, or which were left out; null when all is well.';
COMMENT ON COLUMN mcp_source.created_by IS 'The principal that made it.';
COMMENT ON COLUMN mcp_source.created_at IS 'When it was made.';

COMMENT ON COLUMN mcp_tool.id IS 'The key of this row; steps and roles name a tool as source.tool.';
COMMENT ON COLUMN mcp_tool.source_id IS 'The MCP server that it is of.';
COMMENT ON COLUMN mcp_tool.name IS 'What its server calls it; roles call it source.name.';
COMMENT ON COLUMN mcp_tool.description IS 'What its server says it does; models read that once it is approved.';
COMMENT ON COLUMN mcp_tool.input_schema IS 'The JSON Schema of its arguments, as its server says.';
COMMENT ON COLUMN mcp_tool.annotations IS 'What its server says of its effects: a hint, and no promise.';
COMMENT ON COLUMN mcp_tool.digest IS
  'Of the name, description, schema and annotations that its server says now; null when it lists the tool no more.';
COMMENT ON COLUMN mcp_tool.approved_digest IS 'What was approved. The tool is called as long as this is the digest.';
COMMENT ON COLUMN mcp_tool.approved_by IS 'Who has approved it; the database writes it.';
COMMENT ON COLUMN mcp_tool.approved_at IS 'When that was; the database writes it.';
COMMENT ON COLUMN mcp_tool.effect IS
  'How far its calls reach: none, read, write or external, until an admin says less.';
COMMENT ON COLUMN mcp_tool.security IS
  'How much harm a call can do: low, medium, high or critical, until an admin says less.';
COMMENT ON COLUMN mcp_tool.created_at IS 'When its server first listed it.';

COMMENT ON FUNCTION mcp_tool_approval() IS 'Puts an approval down to who gives it, and refuses one of something else.';
COMMENT ON FUNCTION mcp_source_moved() IS 'Withdraws the approvals of a source that is another server from now on.';
COMMENT ON FUNCTION mcp_tool_finding_guard() IS 'Refuses what people write of a tool that only its server can say.';
COMMENT ON FUNCTION mcp_source__with_hints() IS 'Refuses with a hint what the constraints of a source do not allow.';
COMMENT ON FUNCTION mcp_tool__with_hints() IS 'Refuses with a hint what the constraints of a tool do not allow.';
