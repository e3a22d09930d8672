// Generated from the procedures; do not edit.
// Types only: `import type { AppRouter }` and hand it to `createTRPCClient<AppRouter>()`.
import type {
  TRPCBuiltRouter,
  TRPCDefaultErrorData,
  TRPCErrorShape,
  TRPCMutationProcedure,
  TRPCQueryProcedure,
  TRPCSubscriptionProcedure,
} from "@trpc/server";

export type Query<I, O> = TRPCQueryProcedure<{ input: I; output: O; meta: object }>;
export type Mutation<I, O> = TRPCMutationProcedure<{ input: I; output: O; meta: object }>;
export type Subscription<I, T> = TRPCSubscriptionProcedure<{ input: I; output: Stream<T>; meta: object }>;

/** What comes item by item. */
export type Stream<T> = AsyncIterable<T, void, any>;

/** An item, and what to give as `lastEventId` to go on behind it. */
export type Tracked<T> = { id: string; data: T };

/** Whatever JSON can hold. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Put `value` at `path`: a new member, in the place of one of that name, or before the item of that index. */
export type Add = {
  op: "add";
  path: string;
  value: Json;
};

/** An entry as it was kept elsewhere. */
export type Anchored = {
  seq: number;
  hash: string;
};

/** That a tool may be called as long as it is what this digest is of; `effect` and `security` stay when left out. */
export type Approval = {
  name: string;
  digest: string;
  effect?: "external" | "none" | "read" | "write" | undefined;
  security?: "critical" | "high" | "low" | "medium" | undefined;
};

/** Who may decide an approval. */
export type Assignees = {
  roles: string[];
  users: string[];
  notInitiator: boolean;
};

/** An attempt was handed to its performer; `at` is by the clock of the worker's machine. */
export type AttemptStarted = {
  type: "attempt_started";
  path: string;
  attempt: number;
  at: string;
};

/** What the model calls of one instance of a step may take, in all its attempts; null where nothing limits it. */
export type Budget = {
  maxCostUsd: string | null;
  maxTokens: number | null;
};

/** That the models' answers are kept for a time, and given again where the same is asked. */
export type Cache = {
  ttlMs: number;
  scope: "everyone" | "execution";
};

/** The version of an orchestration that was called, by its number and its digest. */
export type CalledThen = {
  number: number;
  digest: string;
};

/** A version that takes a share of the starts beside the active one: of a hundred keys about `percent`. */
export type Canary = {
  version: number;
  percent: number;
};

/** A model, or a wish for one, that was looked at, and what is against it. */
export type Candidate = {
  name: string;
  why: string;
  lacks: string;
};

/** One way of a branch: taken when its condition holds, or by weight. */
export type Case = {
  name: string;
  when: Json;
  weight: number | null;
  steps: Step[];
};

/** What is done about some failures; its last output becomes that of the step. */
export type Catch = {
  errors: string[];
  as: string | null;
  steps: Step[];
};

/** One difference. Without `step` it is one of the document itself; without `field`, of the step as a whole. */
export type Change = {
  what: "added" | "changed" | "moved" | "removed";
  step: string | null;
  field: string | null;
  before: Json;
  after: Json;
};

/** A model to call, and why that one. */
export type Choice = {
  provider: string;
  model: string;
  reason: string;
};

/** What a version leads to, itself and through what it calls: roles by the names that steps use, orchestrations by how steps say it (`Brief`, `Brief@3`). */
export type Closure = {
  roles: { [key: string]: RoleThen };
  orchestrations: { [key: string]: CalledThen };
};

/** What to change about the content of a role; what is left out stays as it is. */
export type ContentChanges = {
  name?: string | undefined;
  description?: string | undefined;
  basePrompt?: string | undefined;
  tools?: string[] | undefined;
  needsTools?: boolean | undefined;
  model?: ModelConstraints | undefined;
  parameters?: ParametersInput | undefined;
  outputSchema?: Json | undefined;
};

/** What a model may cost at most, in USD per million tokens; null is no limit. */
export type CostCeiling = {
  input?: string | null | undefined;
  output?: string | null | undefined;
};

/** What the model calls of a day (UTC) may take, and what those of today have taken. */
export type DailyBudget = {
  kind: "installation" | "orchestration" | "role";
  name: string | null;
  usdPerDay: string | null;
  tokensPerDay: number | null;
  reservedUsd: string;
  settledUsd: string;
  reservedTokens: number;
  settledTokens: number;
};

/** What the steps that make attempts have where they do not say it themselves. */
export type Defaults = {
  maxRetries: number | null;
  retryDelay: number | null;
  retry: Retry | null;
  timeout: number | null;
};

/** A piece of a model's answer, of at most 500 characters; it goes on where the one before it ended. */
export type Delta = {
  type: "delta";
  path: string;
  attempt: number;
  text: string;
};

/** One orchestration: what it takes, its steps in their order, what it gives back. */
export type Document = {
  rolecall: 1;
  name: string;
  description: string;
  tags: string[];
  input: Json;
  limits: Limits;
  defaults: Defaults;
  groups: { [key: string]: Group };
  steps: Step[];
  onFailure: Step[];
  finally: Step[];
  output: { [key: string]: Json } | null;
  outputSchema: Json;
};

/** One thing outside that executions can reach, and the steps that do, by name. */
export type Effect = {
  kind: "code" | "domain" | "event" | "model" | "orchestration" | "tool";
  name: string;
  steps: string[];
  tags?: string[] | undefined;
  effect?: "external" | "none" | "read" | "write" | null | undefined;
  security?: "critical" | "high" | "low" | "medium" | null | undefined;
};

/** A change of one row. */
export type Entry = {
  seq: number;
  at: string;
  actor: string;
  channel: string;
  dbUser: string;
  action: "delete" | "insert" | "update";
  noun: string;
  subject: string;
  before: Json;
  after: Json;
  hash: string;
};

/** Entries, the newest first. */
export type EntryPage = {
  items: Entry[];
  nextCursor: string | null;
};

/** One run of one version of an orchestration. */
export type Execution = {
  id: string;
  orchestration: string;
  version: number;
  status: "cancelled" | "cancelling" | "completed" | "failed" | "paused" | "queued" | "running" | "timed_out" | "waiting";
  input: Json;
  output: Json;
  error: Failure | null;
  startedBy: string;
  parent: string | null;
  idempotencyKey: string | null;
  restartOf: string | null;
  priority: number;
  createdAt: string;
  availableAt: string | null;
  startedAt: string | null;
  finishedAt: string | null;
};

/** What the model calls of an execution, and of all that it has started, may take and have taken. */
export type ExecutionBudget = {
  grantedUsd: string | null;
  grantedTokens: number | null;
  reservedUsd: string;
  settledUsd: string;
  reservedTokens: number;
  settledTokens: number;
};

/** An execution with what its steps have left so far. `budget` is null where it has none of its own. */
export type ExecutionDetail = {
  id: string;
  orchestration: string;
  version: number;
  status: "cancelled" | "cancelling" | "completed" | "failed" | "paused" | "queued" | "running" | "timed_out" | "waiting";
  input: Json;
  output: Json;
  error: Failure | null;
  startedBy: string;
  parent: string | null;
  idempotencyKey: string | null;
  restartOf: string | null;
  priority: number;
  createdAt: string;
  availableAt: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  context: { [key: string]: Json };
  stepsTotal: number;
  stepsSettled: number;
  inputTokens: number;
  outputTokens: number;
  costUsd: string | null;
  budget: ExecutionBudget | null;
};

/** Which executions are meant: those to which all that is given applies. */
export type ExecutionFilter = {
  orchestration?: string | null | undefined;
  version?: number | null | undefined;
  role?: string | null | undefined;
  tool?: string | null | undefined;
  status?: "cancelled" | "cancelling" | "completed" | "failed" | "paused" | "queued" | "running" | "timed_out" | "waiting" | null | undefined;
  startedBy?: string | null | undefined;
  startedBefore?: string | null | undefined;
  startedAfter?: string | null | undefined;
  ids?: string[] | null | undefined;
  all?: boolean | undefined;
};

/** Executions in the order that was asked for. */
export type ExecutionPage = {
  items: Execution[];
  nextCursor: string | null;
};

/** By what, and which way. By `finishedAt` are only those that have finished. */
export type ExecutionSort = {
  by?: "createdAt" | "finishedAt" | undefined;
  order?: "asc" | "desc" | undefined;
};

/** Which model is called, which ones after it when calls fail, and what was looked at, in its order. */
export type Explanation = {
  chosen: Choice | null;
  chain: Choice[];
  candidates: Candidate[];
};

/** Roles and orchestrations as a text that can be imported, and the names of what is in it. */
export type Exported = {
  text: string;
  roles: string[];
  orchestrations: string[];
  missing: string[];
};

/** Why an attempt did not work. */
export type Failure = {
  code: string;
  message: string;
  retryable: boolean;
  retryAfterSeconds?: number | null | undefined;
  others?: OtherFailure[] | undefined;
};

/** What takes the place of an output after the last attempt: a value, or what a handler gives. */
export type Fallback = {
  default?: Json | undefined;
  catch?: Catch[] | undefined;
};

/** A field that differs. `lines` is how a text does: each line of either with `- `, `+ ` or two blanks before it. */
export type FieldChange = {
  field: string;
  before: Json;
  after: Json;
  lines: string[];
};

/** Something that is not as it was written, or that keeps changes from being written. */
export type Finding = {
  code: "ANCHOR" | "BAD_SIGNATURE" | "CHANGED" | "FUNCTION_REPLACED" | "GAP" | "TRIGGER_OFF" | "UNRECORDED";
  message: string;
  seq: number | null;
  noun: string | null;
  subject: string | null;
};

/** How the members of a parallel group come together. */
export type Group = {
  join: "all" | "all_settled" | "any" | "n_of";
  n: number | null;
  minSuccess: number;
  onMemberFailure: "fail_fast" | "wait_all";
  maxConcurrency: number | null;
  merge: { [key: string]: "append" | "last" | "object" };
};

/** The last entry of the audit. Whoever keeps its `hash` elsewhere can tell later whether this entry, or any before it, was tampered with. */
export type Head = {
  seq: number;
  hash: string;
  at: string;
};

/** Whether calls are answered and executions run. */
export type Health = {
  status: "degraded" | "ok";
  version: string;
  database: "down" | "read-only" | "up";
  pool: "ok" | "starved";
  hints: "off" | "ok";
  worker: "down" | "live" | "none";
  workers: number;
  unanswered: number;
  problems: string[];
  defaultModel: string;
};

/** What an import has done, or with `dryRun` what it would do, role by role and orchestration by orchestration. */
export type Imported = {
  dryRun: boolean;
  items: Item[];
};

/** What a load makes of one role or orchestration, and at which version it is then. */
export type Item = {
  noun: "orchestration" | "role";
  name: string;
  outcome: "absent" | "created" | "switched_off" | "unchanged" | "updated";
  version: number | null;
  changes: Change[];
};

/** What one execution may take; null where only the server's own limits hold. */
export type Limits = {
  timeoutMs: number | null;
  maxStepRuns: number | null;
  maxCostUsd: string | null;
  maxTokens: number | null;
  maxContextBytes: number;
};

/** One call of a model, made by the attempt of that number. */
export type LoggedCall = {
  model: string;
  outcome: string;
  reason: string;
  inputTokens: number;
  outputTokens: number;
  costUsd: string | null;
  price: string | null;
  durationMs: number;
  isCached: boolean;
  attempt: number;
};

/** What the attempts at steps of one kind or role have taken, or the calls of one model. */
export type MetricRow = {
  name: string | null;
  count: number;
  succeeded: number;
  successRate: number;
  p50Ms: number;
  p95Ms: number;
  inputTokens: number;
  outputTokens: number;
  costUsd: string;
  unpriced: number;
  cached: number;
};

/** What the executions that finished from `since` on and before `until`, both full hours, have taken. */
export type Metrics = {
  since: string;
  until: string;
  rows: MetricRow[];
};

/** A model that can be called, by its `name` in full. `price` is null where it is not known, and so are `contextTokens` and `maxOutputTokens`. With `servesOthers` its provider runs other models too, for roles that name them; with `onlyByName` it is for roles that name it. `health` is how its calls went in the process that answers. */
export type Model = {
  name: string;
  capabilities: string[];
  contextTokens: number | null;
  maxOutputTokens: number | null;
  price: Price | null;
  health: ModelHealth;
  isDefault: boolean;
  servesOthers: boolean;
  onlyByName: boolean;
};

/** What to say of a model; what is left out stays as it is, and null is what its provider says, or not known. */
export type ModelChanges = {
  capabilities?: ("json" | "streaming" | "tools" | "vision")[] | null | undefined;
  contextTokens?: number | null | undefined;
  maxOutputTokens?: number | null | undefined;
  onlyByName?: boolean | undefined;
  isActive?: boolean | undefined;
};

/** Whether a model has answered when it was asked just now, and how long that took; if not, why. */
export type ModelCheck = {
  model: string;
  isAvailable: boolean;
  durationMs: number;
  problem: string | null;
};

/** What a role asks of its model. */
export type ModelConstraints = {
  preferred?: string[] | undefined;
  fallbacks?: string[] | undefined;
  providers?: string[] | null | undefined;
  capabilities?: ("json" | "streaming" | "tools" | "vision")[] | undefined;
  minContextTokens?: number | null | undefined;
  maxCostPerMillion?: CostCeiling | null | undefined;
};

/** How well a model does, as its calls of late have shown: `unknown` without any, `degraded` when it fails or takes its time more often than it should, `down` while it is not called because its last calls failed. `reason` says why; `failureRate` goes from 0 to 1, and `seconds` is what an answer takes. */
export type ModelHealth = {
  state: "degraded" | "down" | "unknown" | "up";
  reason: string;
  retryAfterSeconds: number | null;
  failureRate: number;
  seconds: number | null;
};

/** The models that can be called, the default first; and what keeps rows from being any of them. */
export type ModelList = {
  items: Model[];
  problems: Problem[];
};

/** A price that was put in. Costs that were reckoned with it name it as `row:<number>`. */
export type ModelPrice = {
  id: string;
  number: number;
  model: string;
  validFrom: string;
  input: string;
  cachedInput: string | null;
  output: string;
  longFrom: number | null;
  longInput: string | null;
  longOutput: string | null;
  note: string;
  createdBy: string;
  createdAt: string;
};

/** A model as its row says. */
export type ModelRow = {
  id: string;
  name: string;
  capabilities: string[] | null;
  contextTokens: number | null;
  maxOutputTokens: number | null;
  onlyByName: boolean;
  isActive: boolean;
  createdBy: string;
  createdAt: string;
  updatedAt: string;
};

/** Take away what stands at `from` and add it at `path`. */
export type Move = {
  op: "move";
  from: string;
  path: string;
};

/** A token with its text, which is shown this once and never again. */
export type NewToken = {
  id: string;
  prefix: string;
  name: string;
  kind: "agent" | "human" | "service";
  scopes: ("admin" | "audit.read" | "budgets.write" | "executions.read" | "executions.run" | "models.read" | "models.write" | "orchestrations.propose" | "orchestrations.read" | "orchestrations.write" | "roles.propose" | "roles.read" | "roles.write" | "secrets.write" | "tokens.manage" | "tools.read" | "tools.write")[];
  createdAt: string;
  expiresAt: string | null;
  revokedAt: string | null;
  lastUsedAt: string | null;
  token: string;
};

/** Why an execution could not be retried: `code` is NOT_FOUND when it has gone, CONFLICT when something is against it, UNAVAILABLE when somebody holds its row, and INTERNAL when nobody has foreseen what is wrong. */
export type NotRetried = {
  execution: string;
  code: string;
  message: string;
};

/** An orchestration with the document of its active version, and what that was found to reach when published. */
export type Orchestration = {
  id: string;
  name: string;
  description: string;
  tags: string[];
  isActive: boolean;
  version: number | null;
  expiresAt: string | null;
  canary: Canary | null;
  createdBy: string;
  createdAt: string;
  updatedAt: string;
  versionId: string;
  digest: string;
  maxStepRuns: number;
  effects: Effect[];
  document: Document;
};

/** Orchestrations in the order that was asked for. */
export type OrchestrationPage = {
  items: OrchestrationSummary[];
  nextCursor: string | null;
};

/** By what, and which way. */
export type OrchestrationSort = {
  by?: "createdAt" | "name" | "updatedAt" | undefined;
  order?: "asc" | "desc" | undefined;
};

/** An orchestration in a list. After `expiresAt` nothing starts from its active version any more. */
export type OrchestrationSummary = {
  id: string;
  name: string;
  description: string;
  tags: string[];
  isActive: boolean;
  version: number | null;
  expiresAt: string | null;
  canary: Canary | null;
  createdBy: string;
  createdAt: string;
  updatedAt: string;
};

/** Why another member of the same parallel group did not work. */
export type OtherFailure = {
  step: string;
  code: string;
  message: string;
};

/** How a model is asked. Unset: the provider's own default, two `repairs`, and `trim`. */
export type Parameters = {
  temperature: number | null;
  maxOutputTokens: number | null;
  repairs: number | null;
  contextPolicy: "fail" | "summarise" | "trim" | null;
};

/** How a model is asked. Unset: the provider's own default, two `repairs`, and `trim`. */
export type ParametersInput = {
  temperature?: number | null | undefined;
  maxOutputTokens?: number | null | undefined;
  repairs?: number | null | undefined;
  contextPolicy?: "fail" | "summarise" | "trim" | null | undefined;
};

/** USD per million tokens. Requests with more than `long_from` input tokens cost the `long_` prices throughout. */
export type Price = {
  input: string;
  output: string;
  longFrom?: number | null | undefined;
  longInput?: string | undefined;
  longOutput?: string | undefined;
  cachedInput?: string | null | undefined;
  version?: string | undefined;
};

/** A person, an agent or a service, with the scopes that it holds. */
export type Principal = {
  kind: "agent" | "human" | "service";
  name: string;
  scopes: ("admin" | "audit.read" | "budgets.write" | "executions.read" | "executions.run" | "models.read" | "models.write" | "orchestrations.propose" | "orchestrations.read" | "orchestrations.write" | "roles.propose" | "roles.read" | "roles.write" | "secrets.write" | "tokens.manage" | "tools.read" | "tools.write")[];
};

/** What is wrong, where, and what would have been right. */
export type Problem = {
  code: string;
  path: string;
  message: string;
  allowed?: string[] | undefined;
  suggestion?: string | null | undefined;
  patch?: (Add | Remove | Replace | Move)[] | undefined;
};

/** A provider as its row says; null is what its preset says, or no limit. Its key is a `secret`, or a variable of the servers' environment. `problems` are what keeps it from being used. */
export type Provider = {
  id: string;
  name: string;
  preset: string;
  baseUrl: string | null;
  api: "chat" | "responses" | null;
  secret: string | null;
  keyVariable: string | null;
  timeoutMs: number | null;
  maxConcurrent: number | null;
  requestsPerMinute: number | null;
  tokensPerMinute: number | null;
  capabilities: string[] | null;
  isActive: boolean;
  createdBy: string;
  createdAt: string;
  updatedAt: string;
  problems: Problem[];
};

/** What to change about a provider; what is left out stays as it is, and null is what its preset says. */
export type ProviderChanges = {
  name?: string | undefined;
  preset?: string | undefined;
  baseUrl?: string | null | undefined;
  api?: "chat" | "responses" | null | undefined;
  secret?: string | null | undefined;
  keyVariable?: string | null | undefined;
  timeoutMs?: number | null | undefined;
  maxConcurrent?: number | null | undefined;
  requestsPerMinute?: number | null | undefined;
  tokensPerMinute?: number | null | undefined;
  capabilities?: ("json" | "streaming" | "tools" | "vision")[] | null | undefined;
  isActive?: boolean | undefined;
};

/** An event of the journal, number `seq`, as it was recorded `at` that time by the database's clock. */
export type Recorded = {
  type: "recorded";
  seq: number;
  at: string;
  kind: string;
  path: string;
  attempt: number;
  event: Json;
};

/** Take away what stands at `path`. */
export type Remove = {
  op: "remove";
  path: string;
};

/** Put `value` in the place of what stands at `path`. */
export type Replace = {
  op: "replace";
  path: string;
  value: Json;
};

/** What became of a call that retries many executions. */
export type Retried = {
  dryRun: boolean;
  matched: number;
  skipped: number;
  restarted: number;
  refused: number;
  firstIds: string[];
  firstRefused: NotRetried[];
};

/** How `retryDelay` grows from attempt to attempt, and which failures are tried again. */
export type Retry = {
  backoff: "exponential" | "fixed" | "linear";
  maxDelayMs: number;
  jitter: "full" | "none";
  errors: string[] | null;
  notErrors: string[];
};

/** A role as it is now. `version` counts its contents; an execution keeps to the one it started with. After `expiresAt` none starts any more whose steps use it. */
export type Role = {
  id: string;
  name: string;
  description: string;
  basePrompt: string;
  tools: string[];
  needsTools: boolean;
  model: ModelConstraints;
  parameters: Parameters;
  outputSchema: Json;
  isActive: boolean;
  version: number;
  createdBy: string;
  createdAt: string;
  updatedAt: string;
  expiresAt: string | null;
  problems: Problem[];
};

/** What to change about a role; what is left out stays as it is. */
export type RoleChanges = {
  name?: string | undefined;
  description?: string | undefined;
  basePrompt?: string | undefined;
  tools?: string[] | undefined;
  needsTools?: boolean | undefined;
  model?: ModelConstraints | undefined;
  parameters?: ParametersInput | undefined;
  outputSchema?: Json | undefined;
  isActive?: boolean | undefined;
};

/** Roles in the order that was asked for. */
export type RolePage = {
  items: Role[];
  nextCursor: string | null;
};

/** By what, and which way. */
export type RoleSort = {
  by?: "createdAt" | "name" | "updatedAt" | undefined;
  order?: "asc" | "desc" | undefined;
};

/** A role by its id, and the version that it was at. */
export type RoleThen = {
  id: string;
  version: number;
};

/** What a role is or was while its `version` was this `number`, or what somebody has drafted or proposed it to be. */
export type RoleVersion = {
  number: number;
  status: "archived" | "draft" | "proposed" | "published" | "publishing" | "rejected";
  isPresent: boolean;
  message: string;
  createdBy: string | null;
  createdAt: string;
  decidedBy: string | null;
  publishedAt: string | null;
  rejectedAt: string | null;
  rejection: string;
  problems: Problem[];
  name: string;
  description: string;
  basePrompt: string;
  tools: string[];
  needsTools: boolean;
  model: ModelConstraints;
  parameters: Parameters;
  outputSchema: Json;
};

/** The versions of a role, the newest first. */
export type RoleVersionPage = {
  items: RoleVersion[];
  nextCursor: string | null;
};

/** How many secrets were encrypted anew with the newest key, `keyId`; and which of them could not be read. */
export type Rotated = {
  keyId: string;
  rotated: number;
  unreadable: SecretEntry[];
};

/** A secret without its value. `keyId` names the key that it is encrypted with. */
export type SecretEntry = {
  id: string;
  name: string;
  description: string;
  hosts: string[];
  keyId: string;
  createdBy: string;
  createdAt: string;
  updatedAt: string;
  problem: string | null;
};

/** What an MCP server says of a tool: all of it the server's own words. `digest` is that of these words, and null when the server lists the tool no more. Only what is `approved` is called, and its description shown to models. */
export type SourceTool = {
  name: string;
  status: "approved" | "changed" | "gone" | "new";
  description: string;
  inputSchema: { [key: string]: Json };
  annotations: { [key: string]: Json };
  digest: string | null;
  approvedDigest: string | null;
  approvedBy: string | null;
  approvedAt: string | null;
  effect: "external" | "none" | "read" | "write";
  security: "critical" | "high" | "low" | "medium";
};

/** What became of a call that means many executions. */
export type Steered = {
  dryRun: boolean;
  matched: number;
  asked: number;
  finishedMeanwhile: number;
  firstIds: string[];
};

/** One step. `order` is always set here: a document may leave it to the place in the list. */
export type Step = {
  name: string;
  kind: "agent" | "approval" | "branch" | "code" | "fail" | "group" | "llm" | "loop" | "map" | "orchestration" | "stop" | "tool" | "transform" | "wait" | "webhook";
  order: number;
  parallelGroup: string | null;
  condition: Json;
  inputMapping: { [key: string]: Json } | null;
  contextKeys: string[] | null;
  outputMapping: { [key: string]: Json } | null;
  outputSchema: Json;
  maxRetries: number;
  retryDelay: number;
  retry: Retry;
  timeout: number | null;
  totalTimeout: number | null;
  idempotencyKey: string | null;
  onError: "continue" | "fail" | Fallback;
  compensate: Step[];
  roleName: string | null;
  prompt: string | null;
  tools: string[] | null;
  maxTurns: number | null;
  maxToolCalls: number | null;
  contextPolicy: "fail" | "summarise" | "trim" | null;
  cache: Cache | null;
  budget: Budget | null;
  tool: string | null;
  language: "python" | null;
  source: string | null;
  forMs: number | string | null;
  until: Json;
  event: string | null;
  match: Json;
  expiresAfterMs: number | null;
  assignees: Assignees | null;
  quorum: number | null;
  present: Json;
  form: Json;
  onExpire: "continue" | "fail" | null;
  onReject: "continue" | "fail" | null;
  direction: "receive" | "send" | null;
  url: string | null;
  method: "DELETE" | "GET" | "PATCH" | "POST" | "PUT" | null;
  headers: { [key: string]: string } | null;
  secretRef: string | null;
  verify: "none" | "standard-webhooks" | null;
  orchestration: string | null;
  version: number | null;
  wait: boolean | null;
  cases: Case[];
  else: Step[];
  splitBy: string | null;
  steps: Step[];
  while: Json;
  maxIterations: number | null;
  onLimit: "complete" | "fail" | null;
  collect: Json;
  items: Json;
  as: string | null;
  maxItems: number | null;
  maxConcurrency: number | null;
  onItemError: "drop" | "fail" | "null" | null;
  tolerate: Tolerance | null;
  code: string | null;
  message: string | null;
  output: Json;
};

/** What happened to one instance of a step. */
export type StepLog = {
  path: string;
  name: string;
  kind: string;
  stage: number;
  role: string | null;
  status: "cancelled" | "completed" | "failed" | "pending" | "retrying" | "running" | "skipped" | "waiting";
  attempts: number;
  input: Json;
  output: Json;
  error: Failure | null;
  overriddenBy: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  durationMs: number;
  child: string | null;
  model: string | null;
  inputTokens: number;
  outputTokens: number;
  costUsd: string | null;
  calls: LoggedCall[];
};

/** A token without its secret. `name` is the principal's; `prefix` stands in the token and may be shown. */
export type Token = {
  id: string;
  prefix: string;
  name: string;
  kind: "agent" | "human" | "service";
  scopes: ("admin" | "audit.read" | "budgets.write" | "executions.read" | "executions.run" | "models.read" | "models.write" | "orchestrations.propose" | "orchestrations.read" | "orchestrations.write" | "roles.propose" | "roles.read" | "roles.write" | "secrets.write" | "tokens.manage" | "tools.read" | "tools.write")[];
  createdAt: string;
  expiresAt: string | null;
  revokedAt: string | null;
  lastUsedAt: string | null;
};

/** How many items of a map may fail before the map does; both bounds hold. */
export type Tolerance = {
  count: number | null;
  percent: number | null;
};

/** The call has its result; with `isError` that says why it did not work. */
export type ToolAnswered = {
  type: "tool_answered";
  path: string;
  attempt: number;
  call: string;
  tool: string;
  isError: boolean;
};

/** An agent calls the tool `tool`; `call` is the place of the call among all that the agent has made. */
export type ToolCalled = {
  type: "tool_called";
  path: string;
  attempt: number;
  call: string;
  tool: string;
};

/** A tool with the JSON Schema of its arguments. */
export type ToolDetail = {
  name: string;
  description: string;
  effect: "external" | "none" | "read" | "write";
  security: "critical" | "high" | "low" | "medium";
  mayBeRepeated: boolean;
  tags: string[];
  source: string;
  inputSchema: { [key: string]: Json };
};

/** Tools, by name. */
export type ToolPage = {
  items: ToolSummary[];
};

/** An MCP server that tools come from: a `command` over `stdio`, or a `url` over `http` with secrets as `headers`. */
export type ToolSource = {
  id: string;
  name: string;
  description: string;
  transport: "http" | "stdio";
  command: string | null;
  url: string | null;
  headers: { [key: string]: string };
  timeoutMs: number;
  isActive: boolean;
  listedAt: string | null;
  problem: string | null;
  createdBy: string;
  createdAt: string;
  tools: SourceTool[];
};

/** A tool. `effect` is how far its calls reach, `security` how much harm they can do; with `mayBeRepeated` a call whose result was lost is safely made again. `tags` are the names by which alone a role gets it; without any it is its own, or a pattern. `source` is where it is from: built-in, or a plugin and its version. */
export type ToolSummary = {
  name: string;
  description: string;
  effect: "external" | "none" | "read" | "write";
  security: "critical" | "high" | "low" | "medium";
  mayBeRepeated: boolean;
  tags: string[];
  source: string;
};

/** A model is asked for its answer number `turn` in an attempt; what it says of it begins anew here. */
export type TurnStarted = {
  type: "turn_started";
  path: string;
  attempt: number;
  turn: number;
};

/** What is wrong with a document. Without problems: its digest and the most steps that an execution can run. */
export type Validation = {
  problems: Problem[];
  digest: string | null;
  maxStepRuns: number | null;
};

/** What was found, and how far it was looked: `entries` were read, up to `last`. */
export type Verification = {
  entries: number;
  last: Head | null;
  nextAfter: number | null;
  findings: Finding[];
  hasMoreFindings: boolean;
};

/** A version with its document, and its digest in any case. */
export type Version = {
  id: string;
  orchestration: string;
  number: number;
  status: "archived" | "draft" | "proposed" | "published" | "publishing" | "rejected";
  isActive: boolean;
  canaryPercent: number | null;
  major: number;
  digest: string | null;
  maxStepRuns: number | null;
  message: string;
  createdBy: string;
  createdAt: string;
  decidedBy: string | null;
  publishedAt: string | null;
  rejectedAt: string | null;
  rejection: string;
  expiresAt: string | null;
  document: Document;
  problems: Problem[];
  effects: Effect[];
  closure: Closure;
  drift: string[];
};

/** The versions of an orchestration, the newest first. */
export type VersionPage = {
  items: VersionSummary[];
  nextCursor: string | null;
};

/** One numbered state of an orchestration, in a list. `publishing` is what somebody has asked a server to publish. */
export type VersionSummary = {
  id: string;
  orchestration: string;
  number: number;
  status: "archived" | "draft" | "proposed" | "published" | "publishing" | "rejected";
  isActive: boolean;
  canaryPercent: number | null;
  major: number;
  digest: string | null;
  maxStepRuns: number | null;
  message: string;
  createdBy: string;
  createdAt: string;
  decidedBy: string | null;
  publishedAt: string | null;
  rejectedAt: string | null;
  rejection: string;
  expiresAt: string | null;
};

/** What `error.data` holds: `problems` for a refused input, `suggestion` for an unknown procedure. */
export type ErrorData = TRPCDefaultErrorData & {
  problems?: { code: string; path: string; message: string; allowed?: string[] | undefined; suggestion?: string | null | undefined }[] | undefined;
  suggestion?: string | undefined;
  requestId?: string | undefined;
} & { retryAfterMs?: number | undefined; executionId?: string | undefined; failure?: Failure | undefined; step?: string | undefined };

export type AppRouter = TRPCBuiltRouter<
  { ctx: object; meta: object; errorShape: TRPCErrorShape<ErrorData>; transformer: false },
  {
    role: {
      /** Roles, by name unless `sort` says otherwise: all, or those that list a `tool`, have `q` in name or description, or were made by somebody or within a time. `nextCursor` is the `cursor` of the next page. BAD_REQUEST when the cursor is of another list. Needs roles.read. */
      list: Query<{ q?: string | null | undefined; tool?: string | null | undefined; isActive?: boolean | null | undefined; createdBy?: string | null | undefined; createdAfter?: string | null | undefined; createdBefore?: string | null | undefined; sort?: RoleSort | undefined; cursor?: string | null | undefined; direction?: "forward" | undefined; limit?: number | undefined } | undefined, RolePage>;
      /** The role of that name or id; its `problems` are what keeps it from being used. NOT_FOUND when there is none. Needs roles.read. */
      get: Query<{ role: string }, Role>;
      /** A new role, at version 1. CONFLICT when the name is taken; BAD_REQUEST with `problems` when a tool does not exist or `outputSchema` is no JSON Schema. The same `idempotencyKey` gives the same answer for a day; CONFLICT when it was used with another request. Needs roles.write. */
      create: Mutation<{ name: string; basePrompt: string; description?: string | undefined; tools?: string[] | undefined; needsTools?: boolean | undefined; model?: ModelConstraints | undefined; parameters?: ParametersInput | undefined; outputSchema?: Json | undefined; isActive?: boolean | undefined; idempotencyKey?: string | null | undefined }, Role>;
      /** The role, changed; fields that `changes` leaves out stay. Executions that have started keep to the content they started with. With `ifVersion` it is CONFLICT when somebody has changed it since. NOT_FOUND, CONFLICT and BAD_REQUEST as `role.get` and `role.create`. Needs roles.write. */
      update: Mutation<{ role: string; changes: RoleChanges; ifVersion?: number | null | undefined; idempotencyKey?: string | null | undefined }, Role>;
      /** The role, which is gone now. NOT_FOUND when there is none; CONFLICT while a step of an orchestration uses it. Needs roles.write. */
      delete: Mutation<{ role: string }, Role>;
      /** The role, which does not expire any more; for people, who have looked at what an agent has made. NOT_FOUND when there is none. Needs roles.write. */
      promote: Mutation<{ role: string }, Role>;
      /** The role with what it was at version `number`, or at the published one before its present version, which makes a new version; its name stays. NOT_FOUND when there is no such role or version; CONFLICT when there is none before, it is not published, and as `role.update`; BAD_REQUEST when a tool of that time does not exist any more. Needs roles.write. */
      rollback: Mutation<{ role: string; number?: number | null | undefined; ifVersion?: number | null | undefined; idempotencyKey?: string | null | undefined }, Role>;
      /** What a role was at each of its versions, and what it was drafted or proposed to be, the newest first; all, or those in a `status`. NOT_FOUND when there is no such role; BAD_REQUEST as `role.list`. Needs roles.read. */
      versions: Query<{ role: string; status?: "archived" | "draft" | "proposed" | "published" | "publishing" | "rejected" | null | undefined; cursor?: string | null | undefined; direction?: "forward" | undefined; limit?: number | undefined }, RoleVersionPage>;
      /** What makes the version `to` of the version `from`, field by field, and texts also line by line; a version that is not given is what the role is now. NOT_FOUND when there is no such role or version. Needs roles.read. */
      diff: Query<{ role: string; from?: number | null | undefined; to?: number | null | undefined }, FieldChange[]>;
      /** A draft: what the role is now with the changes or, with `number`, what that draft was with them. It may have problems, which the answer names, until it is published. NOT_FOUND when there is no such role or version; CONFLICT when the version is no draft, and as `role.update`. Needs roles.write. */
      draft: Mutation<{ role: string; changes: ContentChanges; number?: number | null | undefined; message?: string | undefined; ifVersion?: number | null | undefined; idempotencyKey?: string | null | undefined }, RoleVersion>;
      /** The draft, which is gone now. NOT_FOUND when there is no such role or version; CONFLICT when it is no draft. Needs roles.write. */
      discard: Mutation<{ role: string; number: number }, RoleVersion>;
      /** A proposal: what the role is now with the changes, as a version that nobody edits, for somebody with roles.write to publish or reject. BAD_REQUEST with its `problems`; NOT_FOUND when there is no such role; CONFLICT as `role.update`. Needs roles.propose. */
      propose: Mutation<{ role: string; changes: ContentChanges; message?: string | undefined; ifVersion?: number | null | undefined; idempotencyKey?: string | null | undefined }, RoleVersion>;
      /** The draft or proposal, published: it is what the role is from now on. BAD_REQUEST with its `problems`; NOT_FOUND when there is no such role or version; CONFLICT when it is neither draft nor proposal, the role has come to a later version, or is not at `ifVersion`, or its name is another's. Needs roles.write. */
      publish: Mutation<{ role: string; number: number; ifVersion?: number | null | undefined }, RoleVersion>;
      /** The proposal, rejected for good. NOT_FOUND when there is no such role or version; CONFLICT when it is no proposal. Needs roles.write. */
      reject: Mutation<{ role: string; number: number; reason?: string | undefined }, RoleVersion>;
      /** The published version, given up for good: no roll-back goes there, and what runs keeps to it. NOT_FOUND when there is no such role or version; CONFLICT when it is not published, or is what the role is. Needs roles.write. */
      archive: Mutation<{ role: string; number: number }, RoleVersion>;
    };
    orchestration: {
      /** Orchestrations without their documents, by name unless `sort` says otherwise: all, or those that have every one of `tags` or `q` in name or description, are active or not, or were made by somebody or within a time. `nextCursor` is the `cursor` of the next page. BAD_REQUEST when the cursor is of another list. Needs orchestrations.read. */
      list: Query<{ q?: string | null | undefined; tags?: string[] | undefined; isActive?: boolean | null | undefined; createdBy?: string | null | undefined; createdAfter?: string | null | undefined; createdBefore?: string | null | undefined; sort?: OrchestrationSort | undefined; cursor?: string | null | undefined; direction?: "forward" | undefined; limit?: number | undefined } | undefined, OrchestrationPage>;
      /** The orchestration of that name or id, with the document of its active version. NOT_FOUND when there is none; CONFLICT when no version of it is active or, with `problems`, when somebody has written rows that no document can be read from. Needs orchestrations.read. */
      get: Query<{ orchestration: string }, Orchestration>;
      /** A new orchestration from a document, published as version 1 and active at once; `orchestration.draft` makes one that is not. BAD_REQUEST with every one of its `problems`, each with a JSON Pointer into the document; CONFLICT when the name is taken. The same `idempotencyKey` gives the same answer for a day; CONFLICT when it was used with another request. Needs orchestrations.write. */
      create: Mutation<{ document: Json; idempotencyKey?: string | null | undefined }, Orchestration>;
      /** The orchestration, changed: `changes` replaces whole fields of its document, which makes a new version, active at once; `isActive` lets executions start or not. What runs keeps to its version. With `ifVersion` or `ifDigest` it is CONFLICT when somebody has changed it since. BAD_REQUEST with the problems BREAKING_CHANGE when inputs that were taken would be refused or less is promised of the output, unless `breaking` is true; NOT_FOUND, CONFLICT and BAD_REQUEST as `orchestration.get` and `orchestration.create`. Needs orchestrations.write. */
      update: Mutation<{ orchestration: string; changes?: { [key: string]: Json } | null | undefined; isActive?: boolean | null | undefined; ifVersion?: number | null | undefined; ifDigest?: string | null | undefined; breaking?: boolean | undefined; idempotencyKey?: string | null | undefined }, Orchestration>;
      /** The orchestration, which is gone now with its versions. NOT_FOUND when there is none; CONFLICT when it was ever executed. Needs orchestrations.write. */
      delete: Mutation<{ orchestration: string }, OrchestrationSummary>;
      /** Every problem of a document, each with its place and what may stand there; when there are none, its digest and the most steps that an execution can run. Nothing is saved. A document too long for a URL can be sent with POST: `methodOverride: 'POST'` on the link. Needs orchestrations.read. */
      validate: Query<{ document: Json }, Validation>;
      /** What makes the version `to`, or the `document`, of the version `from`; a version that is not given is the active one. What it comes to reach outside (`effects`) stands first; then steps added, removed, moved and changed, and the fields that differ, before and after; empty when both mean the same. Nothing is saved. NOT_FOUND, CONFLICT and BAD_REQUEST as `orchestration.get` and `orchestration.create`. Needs orchestrations.read. */
      diff: Query<{ orchestration: string; from?: number | null | undefined; to?: number | null | undefined; document?: Json | undefined }, Change[]>;
      /** The JSON Schema (2020-12) of a document and of a file of roles and documents, with a text for every field. An editor uses it for a file that begins with `# yaml-language-server: $schema=` and the place where it is kept. Needs orchestrations.read. */
      schema: Query<void, { [key: string]: Json }>;
      /** The active versions of these orchestrations, of those with all of `tags`, and these roles, as a text that `orchestration.import` takes; without any of the three, all that is active. What they call and the roles of their steps come with them. The same definitions give the same text. With `version` it is that one of the one orchestration that is named. NOT_FOUND when there is no such thing; CONFLICT when no version is active; BAD_REQUEST when the text would be too long to be imported. Needs orchestrations.read and roles.read. */
      export: Query<{ orchestrations?: string[] | undefined; tags?: string[] | undefined; roles?: string[] | undefined; withRoles?: boolean | undefined; version?: number | null | undefined; format?: "json" | "yaml" | undefined } | undefined, Exported>;
      /** Each role and orchestration of a text, created or updated by name, all of them or none: what was done, or with `dryRun` what would be. What is the same stays at its version; what is new is published, and active. BAD_REQUEST with the `problems` of all of it, or with BREAKING_CHANGE as `orchestration.update`; FORBIDDEN when it makes or changes roles and the caller lacks roles.write. The same `idempotencyKey` gives the same answer for a day; CONFLICT when it was used with another request. Needs orchestrations.read and orchestrations.write, and for roles roles.read. */
      import: Mutation<{ text: string; breaking?: boolean | undefined; dryRun?: boolean | undefined; idempotencyKey?: string | null | undefined }, Imported>;
      /** The versions of an orchestration without their documents, the newest first; all, or those in a `status`. `nextCursor` is the `cursor` of the next page. NOT_FOUND when there is no such orchestration; BAD_REQUEST when the cursor is of another list. Needs orchestrations.read. */
      versions: Query<{ orchestration: string; status?: "archived" | "draft" | "proposed" | "published" | "publishing" | "rejected" | null | undefined; cursor?: string | null | undefined; direction?: "forward" | undefined; limit?: number | undefined }, VersionPage>;
      /** A version with its document, what keeps one that is not decided from being published, and what it reaches: its `effects` on the world outside, and the roles and versions that it was checked with, with those that are others now (`drift`). NOT_FOUND when there is no such orchestration or version; CONFLICT with `problems` when somebody has written rows that no document can be read from. Needs orchestrations.read. */
      version: Query<{ orchestration: string; number: number }, Version>;
      /** A draft that holds the document: of a new orchestration, of one there is, or, with `number`, in place of what that draft held. It may have problems, which the answer names, until it is published. BAD_REQUEST when the document cannot be read; NOT_FOUND when there is no such orchestration or version; CONFLICT when the name of a new one is taken, the version is no draft, it has not the digest `ifDigest` any more, or as `orchestration.create` with a key. Needs orchestrations.write. */
      draft: Mutation<{ document: Json; orchestration?: string | null | undefined; number?: number | null | undefined; message?: string | undefined; ifDigest?: string | null | undefined; idempotencyKey?: string | null | undefined }, Version>;
      /** The draft, which is gone now. NOT_FOUND when there is no such orchestration or version; CONFLICT when it is no draft. Needs orchestrations.write. */
      discard: Mutation<{ orchestration: string; number: number }, VersionSummary>;
      /** A proposal: a version that nobody edits, for somebody with orchestrations.write to publish or reject. BAD_REQUEST with every one of its `problems`; NOT_FOUND when there is no such orchestration; CONFLICT as `orchestration.create` with a key. Needs orchestrations.propose. */
      propose: Mutation<{ orchestration: string; document: Json; message?: string | undefined; idempotencyKey?: string | null | undefined }, Version>;
      /** The draft or proposal, published, and active unless `activate` is false. BAD_REQUEST with its `problems`, among them BREAKING_CHANGE as `orchestration.update`; NOT_FOUND when there is no such orchestration or version; CONFLICT when it is neither draft nor proposal, another version than `ifVersion` is active, or its name is another's. Needs orchestrations.write. */
      publish: Mutation<{ orchestration: string; number: number; activate?: boolean | undefined; breaking?: boolean | undefined; ifVersion?: number | null | undefined }, Version>;
      /** The proposal, rejected for good. NOT_FOUND when there is no such orchestration or version; CONFLICT when it is no proposal. Needs orchestrations.write. */
      reject: Mutation<{ orchestration: string; number: number; reason?: string | undefined }, Version>;
      /** The orchestration, of which that published version is active now. NOT_FOUND when there is no such orchestration or version; CONFLICT when it is not published, another version than `ifVersion` is active, or its name is another's. Needs orchestrations.write. */
      activate: Mutation<{ orchestration: string; number: number; ifVersion?: number | null | undefined }, Orchestration>;
      /** The orchestration, of which the published version before the active one is active now, or that of an earlier `number`. Give `ifVersion` or `idempotencyKey`, so that a call that is repeated goes back once. BAD_REQUEST when the number is not an earlier one; NOT_FOUND and CONFLICT as `orchestration.activate`, also when none before is published. Needs orchestrations.write. */
      rollback: Mutation<{ orchestration: string; number?: number | null | undefined; ifVersion?: number | null | undefined; idempotencyKey?: string | null | undefined }, Orchestration>;
      /** The orchestration, of which that published version takes a share of the starts beside the active one; with `percent` 0, none any more. Which starts stands in `execution.start`; a larger share takes further keys in and leaves none out. A canary ends when another version becomes active. Without a number the share of the present one is changed. BAD_REQUEST with the problems BREAKING_CHANGE when it would break callers; NOT_FOUND when there is no such orchestration or version; CONFLICT when it is not published, is active, has expired, or is of another major. Needs orchestrations.write. */
      canary: Mutation<{ orchestration: string; number?: number | null | undefined; percent: number; ifVersion?: number | null | undefined }, Orchestration>;
      /** The version, which does not expire any more; for people, who have looked at what an agent has made. NOT_FOUND when there is no such orchestration or version; CONFLICT when it is rejected or archived. Needs orchestrations.write. */
      promote: Mutation<{ orchestration: string; number: number }, Version>;
      /** The published version, given up for good: it cannot become active again, and what runs keeps to it. NOT_FOUND when there is no such orchestration or version; CONFLICT when it is not published, or is active. Needs orchestrations.write. */
      archive: Mutation<{ orchestration: string; number: number }, Version>;
    };
    execution: {
      /** An execution of the orchestration's active version, which runs in the background from now on, or from `startAt` or after `delayMs`, at most a year ahead; until then it is `queued`, and a cancel ends it at once. The same `idempotencyKey` gives back the execution that it started first. BAD_REQUEST with `problems` when `input` does not fit the input schema, a role cannot be assigned or the start is too far ahead; NOT_FOUND when there is no such orchestration; CONFLICT when it is inactive, its version or a role has expired or, with `problems`, cannot be used as its rows are, or the key was used with another request. While the orchestration has a canary, that takes its share of the sticky keys; without one each idempotency key, or each call, goes for itself. `budgetUsd` lowers what its version allows. Needs executions.run. */
      start: Mutation<{ orchestration: string; input?: Json | undefined; roleAssignments?: { [key: string]: string } | undefined; idempotencyKey?: string | null | undefined; priority?: number | undefined; startAt?: string | null | undefined; delayMs?: number | undefined; stickyKey?: string | null | undefined; budgetUsd?: string | null | undefined }, Execution>;
      /** What happens in an execution that is started as by `execution.start`, from its first event to its last, with progress in between; `event.execution` of the first is its id. It goes on when the client leaves. The same `idempotencyKey` gives the events of the execution that it started first, all of them again. Refused as `execution.start` is. Needs executions.run and executions.read. */
      run: Mutation<{ orchestration: string; input?: Json | undefined; roleAssignments?: { [key: string]: string } | undefined; idempotencyKey?: string | null | undefined; priority?: number | undefined; startAt?: string | null | undefined; delayMs?: number | undefined; stickyKey?: string | null | undefined; budgetUsd?: string | null | undefined }, Stream<Recorded | AttemptStarted | TurnStarted | Delta | ToolCalled | ToolAnswered>>;
      /** Every event of an execution behind number `after`, once and in order, to the one that ends it; its `seq` is its id, behind which a client that was interrupted goes on. In between, without an id, progress: attempts and turns that start, pieces of a model's answer, calls of tools and their ends. NOT_FOUND when there is no such execution, also when it is pruned meanwhile; CONFLICT when it has not so many events; UNAUTHORIZED also when the token is revoked meanwhile. Needs executions.read. */
      follow: Subscription<{ execution: string; after?: number | undefined; lastEventId?: string | null | undefined }, Tracked<Recorded> | AttemptStarted | TurnStarted | Delta | ToolCalled | ToolAnswered>;
      /** An execution as it stands: status, context so far, output or error, tokens and cost. NOT_FOUND when there is none. Needs executions.read. */
      get: Query<{ execution: string }, ExecutionDetail>;
      /** Executions, the newest first unless `sort` says otherwise; `nextCursor` is the `cursor` of the next page. `status` is one or several of them, `parent` leaves those that its steps have started, `restartOf` its restarts, and the rest narrows as in `execution.cancelMany`. Where there is much history, give `startedAfter` along with a role, a tool or a starter: for these one execution after the other is looked at. NOT_FOUND when there is no such orchestration, version, role or tool; BAD_REQUEST when the cursor is of another list. Needs executions.read. */
      list: Query<{ orchestration?: string | null | undefined; version?: number | null | undefined; status?: "cancelled" | "cancelling" | "completed" | "failed" | "paused" | "queued" | "running" | "timed_out" | "waiting" | ("cancelled" | "cancelling" | "completed" | "failed" | "paused" | "queued" | "running" | "timed_out" | "waiting")[] | null | undefined; role?: string | null | undefined; tool?: string | null | undefined; startedBy?: string | null | undefined; startedBefore?: string | null | undefined; startedAfter?: string | null | undefined; parent?: string | null | undefined; restartOf?: string | null | undefined; sort?: ExecutionSort | undefined; cursor?: string | null | undefined; direction?: "forward" | undefined; limit?: number | undefined } | undefined, ExecutionPage>;
      /** What happened to each step of an execution, in the order of the plan: status, attempts, input, output, times, model and cost. NOT_FOUND when there is no such execution. Needs executions.read. */
      steps: Query<{ execution: string }, StepLog[]>;
      /** The execution, asked to end: no step starts any more, and those under way are stopped. NOT_FOUND when there is none; CONFLICT when it has finished. Needs executions.run. */
      cancel: Mutation<{ execution: string; reason?: string | undefined }, Execution>;
      /** The execution, asked to begin nothing new: attempts under way finish, then it is `paused` until it is resumed. NOT_FOUND when there is none; CONFLICT when it has finished. Needs executions.run. */
      pause: Mutation<{ execution: string }, Execution>;
      /** The execution, asked to go on where it was paused. NOT_FOUND when there is none; CONFLICT when it has finished. Needs executions.run. */
      resume: Mutation<{ execution: string }, Execution>;
      /** The execution, told that an event has come: the step that has waited for it longest takes it and has `data` for its output; while none waits, it is kept for the first that will. The same `idempotencyKey` sends nothing again. BAD_REQUEST with `problems` when no step of it waits for such an event, or none could use the data; NOT_FOUND when there is no such execution; CONFLICT when it has finished, or the key was used with another signal; TOO_MANY_REQUESTS when it has been sent 10,000. Needs executions.run. */
      signal: Mutation<{ execution: string; event: string; data?: Json | undefined; idempotencyKey?: string | null | undefined }, Execution>;
      /** A new execution that goes on with the history of a finished one from the step at `from` on; without it, all is done anew. `input` takes the place of its input, `context` that of the values under these keys. BAD_REQUEST with `problems` when that step's turn never came, or the input or the context does not fit; NOT_FOUND when there is no such execution; CONFLICT when it has not finished, or its version cannot be run any more. Needs executions.run. */
      restart: Mutation<{ execution: string; from?: string | null | undefined; input?: Json | undefined; context?: { [key: string]: Json } | null | undefined; idempotencyKey?: string | null | undefined }, Execution>;
      /** A new execution that goes on with the history of one that failed, timed out or was cancelled, from the step that failed or was stopped. NOT_FOUND when there is none; CONFLICT when it has not finished, is completed, has no step left to do, or its version cannot be run any more. Needs executions.run. */
      retry: Mutation<{ execution: string; idempotencyKey?: string | null | undefined }, Execution>;
      /** The execution, asked to take `output` for that of an open step; what is under way there is stopped. Nothing happens when the step is settled meanwhile. BAD_REQUEST with `problems` when the output does not fit; NOT_FOUND when there is no such execution or step; CONFLICT when it has finished, or the step is not open. Needs executions.run. */
      completeStep: Mutation<{ execution: string; path: string; output?: Json | undefined; reason?: string | undefined }, Execution>;
      /** The execution, asked to skip an open step; what is under way there is stopped. Nothing happens when the step is settled meanwhile. NOT_FOUND when there is no such execution or step; CONFLICT when it has finished, or the step is not open. Needs executions.run. */
      skipStep: Mutation<{ execution: string; path: string; reason?: string | undefined }, Execution>;
      /** Every execution that matches the filter and has not finished, asked to end as by `execution.cancel`, with its children; with `dryRun` only how many they are and which. Calling it again does no harm. BAD_REQUEST when the filter says nothing (`all: true` means every one) or contradicts itself; NOT_FOUND when it names what there is not. Needs executions.run. */
      cancelMany: Mutation<{ filter: ExecutionFilter; reason?: string | undefined; dryRun?: boolean | undefined }, Steered>;
      /** Every execution that matches the filter and has not finished, asked to begin nothing new as by `execution.pause`. BAD_REQUEST and NOT_FOUND as `execution.cancelMany`. Needs executions.run. */
      pauseMany: Mutation<{ filter: ExecutionFilter; dryRun?: boolean | undefined }, Steered>;
      /** Every execution that matches the filter and has not finished, asked to go on as by `execution.resume`. BAD_REQUEST and NOT_FOUND as `execution.cancelMany`. Needs executions.run. */
      resumeMany: Mutation<{ filter: ExecutionFilter; dryRun?: boolean | undefined }, Steered>;
      /** Every execution that matches the filter and failed, timed out or was cancelled, retried as by `execution.retry`, the oldest first; with `dryRun` only how many they are and which. Those that have been restarted already are skipped unless `again` is true, so calling it again does no harm. Children that a step waits for are left out: the retry of their parent starts new ones. What cannot be retried is counted and told, and keeps none of the others from it. BAD_REQUEST and NOT_FOUND as `execution.cancelMany`. Needs executions.run. */
      retryMany: Mutation<{ filter: ExecutionFilter; again?: boolean | undefined; dryRun?: boolean | undefined }, Retried>;
    };
    model: {
      /** Every model that can be called, the default first: those of the servers' environment and those of rows; and the `problems` that keep rows from being any of them. Needs models.read. */
      list: Query<void, ModelList>;
      /** The model of that name; also one that its provider runs for roles that name it. NOT_FOUND, with the name that may have been meant, when nobody offers it. Needs models.read. */
      get: Query<{ model: string }, Model>;
      /** Which model an agent in the role would get now, which ones after it when calls fail, and every other with what is against it, as the process that answers sees it. NOT_FOUND when there is no such role. Needs models.read and roles.read. */
      explain: Query<{ role: string }, Explanation>;
      /** Whether the model answers when it is asked for a word now, which may cost a few tokens; if not, why. NOT_FOUND when nobody offers it. Needs models.write. */
      check: Mutation<{ model: string }, ModelCheck>;
      /** The model that roles without wishes get from now on, on all servers; null for what their environment says. It is asked for a word first. NOT_FOUND, with the name that may have been meant, when nobody offers it; CONFLICT when it does not answer, and then everything stays as it is. Needs models.write. */
      switch: Mutation<{ model: string | null }, Model>;
      /** A model that can be called from now on, of a provider that has a row; null is what the provider says, or not known. NOT_FOUND when the provider has none, CONFLICT when it has that model. Needs models.write. */
      create: Mutation<{ model: string; capabilities?: ("json" | "streaming" | "tools" | "vision")[] | null | undefined; contextTokens?: number | null | undefined; maxOutputTokens?: number | null | undefined; onlyByName?: boolean | undefined; isActive?: boolean | undefined }, ModelRow>;
      /** The model, changed; fields that `changes` leaves out stay. NOT_FOUND when it has no row. Needs models.write. */
      update: Mutation<{ model: string; changes: ModelChanges }, ModelRow>;
      /** The model, whose row is gone now. NOT_FOUND when it has none. Needs models.write. */
      delete: Mutation<{ model: string }, ModelRow>;
      /** What calls of the model cost from `validFrom` on, or from now on, in USD per million tokens; prices are never changed, another one takes their place. What was called before keeps its cost. Requests with more than `longFrom` input tokens cost `longInput` and `longOutput` throughout. BAD_REQUEST when these are not given together. Needs models.write. */
      setPrice: Mutation<{ model: string; input: string; output: string; cachedInput?: string | null | undefined; longFrom?: number | null | undefined; longInput?: string | null | undefined; longOutput?: string | null | undefined; validFrom?: string | null | undefined; note?: string | undefined }, ModelPrice>;
    };
    provider: {
      /** Providers that have rows, by name, each with the `problems` that keep it from being used; `model.list` shows what all of them offer. `after` goes on behind a name. Needs models.write. */
      list: Query<{ limit?: number | undefined; after?: string | null | undefined } | undefined, Provider[]>;
      /** The provider of that name or id. NOT_FOUND when none has a row. Needs models.write. */
      get: Query<{ provider: string }, Provider>;
      /** A new provider like its `preset`, and from now on in place of one of the same name that the environment names. Its key is that of the environment, at the preset's own address; a `secret`, sent only where that may go; or a `keyVariable` ROLECALL_KEY_... of the servers' environment. What keeps it from being used is in `problems`. CONFLICT when the name is taken; BAD_REQUEST with `problems` when there is no such preset. Needs models.write. */
      create: Mutation<{ name: string; preset: string; baseUrl?: string | null | undefined; api?: "chat" | "responses" | null | undefined; secret?: string | null | undefined; keyVariable?: string | null | undefined; timeoutMs?: number | null | undefined; maxConcurrent?: number | null | undefined; requestsPerMinute?: number | null | undefined; tokensPerMinute?: number | null | undefined; capabilities?: ("json" | "streaming" | "tools" | "vision")[] | null | undefined; isActive?: boolean | undefined }, Provider>;
      /** The provider, changed; fields that `changes` leaves out stay. Calls that are under way go on with what it was. NOT_FOUND, CONFLICT and BAD_REQUEST as `provider.get` and `provider.create`. Needs models.write. */
      update: Mutation<{ provider: string; changes: ProviderChanges }, Provider>;
      /** The provider, which is gone now with its models; one of the environment that it took the place of is back. NOT_FOUND when none has a row. Needs models.write. */
      delete: Mutation<{ provider: string }, Provider>;
      /** Whether the first model of the provider answers when it is asked for a word now, which may cost a few tokens; also of a provider that the environment names. NOT_FOUND when it offers none. Needs models.write. */
      test: Mutation<{ provider: string }, ModelCheck>;
    };
    secret: {
      /** Secrets by name, never their values: where each may be sent, which key it is encrypted with, and what keeps this server from reading it. `after` goes on behind a name. Needs secrets.write. */
      list: Query<{ limit?: number | undefined; after?: string | null | undefined } | undefined, SecretEntry[]>;
      /** The secret of that name, made or given another value, which never comes back. What uses it takes the new value within seconds; it is sent to the `hosts` and to no others. BAD_REQUEST with `problems` when a host is none; CONFLICT when this server has no key to encrypt it with. Needs secrets.write. */
      set: Mutation<{ name: string; value: string; hosts: string[]; description?: string | null | undefined }, SecretEntry>;
      /** The secret, which is gone now. NOT_FOUND when there is none; CONFLICT while a provider has it as its key. Needs secrets.write. */
      delete: Mutation<{ secret: string }, SecretEntry>;
      /** Encrypts every secret anew that another key than the servers' newest has encrypted, or one of that name: how many those were, and which could not be read. CONFLICT when this server has no key. Needs secrets.write. */
      rotate: Mutation<{ secret?: string | null | undefined } | undefined, Rotated>;
    };
    budget: {
      /** Every budget of a day with what is reserved and spent of it today: that of the whole installation first, then those of orchestrations and of roles. Needs executions.read. */
      list: Query<void, DailyBudget[]>;
      /** The budget of the role or of the orchestration; with neither, that of the whole installation; null where there is none. NOT_FOUND when there is no such role or orchestration; BAD_REQUEST with `problems` when both are named. Needs executions.read. */
      get: Query<{ role?: string | null | undefined; orchestration?: string | null | undefined } | undefined, DailyBudget | null>;
      /** The budget of the role, of the orchestration or of the whole installation, as it is from now on; what was spent of today counts. Without a limit it is taken away, and the answer is null. A call that does not fit into what is left fails with BUDGET_EXCEEDED. NOT_FOUND when there is no such role or orchestration; BAD_REQUEST with `problems` when both are named. Needs budgets.write. */
      set: Mutation<{ role?: string | null | undefined; orchestration?: string | null | undefined; usdPerDay?: string | null | undefined; tokensPerDay?: number | null | undefined } | undefined, DailyBudget | null>;
    };
    tool: {
      /** The tools of this server by name: all of them, those that a role with such names, patterns and tags may call, or those of an `effect`. Needs roles.read. */
      list: Query<{ grantedBy?: string[] | null | undefined; effect?: "external" | "none" | "read" | "write" | null | undefined } | undefined, ToolPage>;
      /** The tool of that name with the JSON Schema of its arguments. NOT_FOUND when there is none. Needs roles.read. */
      get: Query<{ tool: string }, ToolDetail>;
    };
    metrics: {
      /** What executions that finished in these hours have taken, by kind of steps, by role or by model: how many attempts or calls, how many worked, how long half of them and 95 of a hundred took at most, tokens, cost, answers from the cache. BAD_REQUEST with `problems` when the time is longer than a year or ends before it begins. Needs executions.read. */
      summary: Query<{ by?: "kind" | "model" | "role" | undefined; since?: string | null | undefined; until?: string | null | undefined } | undefined, Metrics>;
    };
    token: {
      /** Tokens by name, never their texts: those that hold no scope that the caller lacks, revoked and expired ones too. `after` goes on behind a name. Needs tokens.manage. */
      list: Query<{ limit?: number | undefined; after?: string | null | undefined } | undefined, Token[]>;
      /** A new token, whose text `token` is shown this once; without `expiresInDays` it holds until it is revoked. CONFLICT when the name is taken; FORBIDDEN when the caller lacks one of the scopes, or is no person and wants a token for one; BAD_REQUEST with `problems` when an agent would hold tokens.manage. Needs tokens.manage. */
      create: Mutation<{ name: string; scopes: ("admin" | "audit.read" | "budgets.write" | "executions.read" | "executions.run" | "models.read" | "models.write" | "orchestrations.propose" | "orchestrations.read" | "orchestrations.write" | "roles.propose" | "roles.read" | "roles.write" | "secrets.write" | "tokens.manage" | "tools.read" | "tools.write")[]; kind?: "agent" | "human" | "service" | undefined; expiresInDays?: number | null | undefined }, NewToken>;
      /** The token of that name or id, of no use from the next call on; the sessions that it began end with it. Revoking it again changes nothing. NOT_FOUND when there is none; FORBIDDEN when it holds a scope that the caller lacks. Needs tokens.manage. */
      revoke: Mutation<{ token: string }, Token>;
    };
    audit: {
      /** Changes of definitions, roles, tokens and sessions, the newest first: all, or those to which everything that is given applies. Each has the row as it was and as it is, without its secrets. `nextCursor` is the `cursor` of the next page; BAD_REQUEST when the cursor is of another list. Needs audit.read. */
      list: Query<{ noun?: string | null | undefined; subject?: string | null | undefined; action?: "delete" | "insert" | "update" | null | undefined; actor?: string | null | undefined; channel?: string | null | undefined; since?: string | null | undefined; until?: string | null | undefined; cursor?: string | null | undefined; direction?: "forward" | undefined; limit?: number | undefined } | undefined, EntryPage>;
      /** The last entry, null while there is none. Its `hash` stands for all that came before: whoever keeps it elsewhere can have `audit.verify` say later whether the audit still holds it. Needs audit.read. */
      head: Query<void, Head | null>;
      /** What was tampered with: entries that are missing or changed, rows that changed past the audit, triggers that are off, `anchors` that do not hold; no `findings` when all is as it was written. Nobody waits meanwhile. With a `nextAfter` there are more entries, and the call with that as `after` goes on; the last one compares the rows. Needs audit.read. */
      verify: Query<{ after?: number | undefined; limit?: number | undefined; anchors?: Anchored[] | undefined } | undefined, Verification>;
    };
    toolSource: {
      /** MCP servers by name, each with what it says of its tools and which of them are approved. `after` goes on behind a name. Needs tools.read. */
      list: Query<{ limit?: number | undefined; after?: string | null | undefined } | undefined, ToolSource[]>;
      /** The MCP server of that name or id, with what it says of its tools and which of them are approved. NOT_FOUND when there is none. Needs tools.read. */
      get: Query<{ source: string }, ToolSource>;
      /** A new source of tools: an MCP server at `url`, to which `headers` are sent that have the values of secrets, or the program that the operator calls `command`. Its tools are listed soon, and called once they are approved. CONFLICT when the name is taken or begins the names of other tools; BAD_REQUEST with `problems` when it is neither or both. Needs tools.write. */
      create: Mutation<{ name: string; command?: string | null | undefined; url?: string | null | undefined; headers?: { [key: string]: string } | undefined; description?: string | undefined; timeoutMs?: number | undefined }, ToolSource>;
      /** The source with the tools that its server lists now; `problem` says why it lists none, or not all. What is not as it was approved is not called any more. NOT_FOUND when there is none; CONFLICT when it is switched off. Needs tools.write. */
      refresh: Mutation<{ source: string }, ToolSource>;
      /** The source, these of its tools approved: each may be called, and its description shown to models, as long as its server says of it what the `digest` is of. For people, who have read that. NOT_FOUND when there is no such source or tool; CONFLICT when the server says something else of a tool by now. Needs tools.write. */
      approve: Mutation<{ source: string; tools: Approval[] }, ToolSource>;
      /** The source, which is gone now with its tools; roles that list them have a problem each. NOT_FOUND when there is none. Needs tools.write. */
      delete: Mutation<{ source: string }, ToolSource>;
    };
    system: {
      /** Whether the installation works: `ok`, or `degraded` with its `problems`, each with what to do; the state of the database, of this process's connections, of the hints and of the workers, requests that nobody answers, the version and the default model. Needs no token, never fails, and answers within two seconds. */
      health: Query<void, Health>;
      /** The principal that the token stands for, with its scopes. UNAUTHORIZED without a valid token. */
      whoami: Query<void, Principal>;
    };
  }
>;
