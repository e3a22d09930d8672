"""What an editor shows about each field, in a sentence."""

DOCUMENT = {
    "rolecall": "The version of the format.",
    "name": "What the orchestration is called: 1 to 100 letters, digits, blanks and _.-; a letter first.",
    "description": "What it is for.",
    "tags": "Words to find it by.",
    "input": "JSON Schema of the input. Top-level defaults are filled in at the start, then the input is validated.",
    "limits": "What one execution may take.",
    "defaults": "What the steps that make attempts have where they do not say it themselves.",
    "groups": "How the members of each parallel group come together, by the group's name.",
    "steps": "The steps, in their order. Neighbours with the same `parallelGroup` run together.",
    "onFailure": "Steps that run once the execution has failed; they see `error`.",
    "finally": "Steps that run at the very end in any case, also after a cancel; they do not change how it ended.",
    "output": "What the execution gives back, as a mapping; left out: the whole context.",
    "outputSchema": "JSON Schema of the output; what does not fit fails the execution with OUTPUT_INVALID.",
}
LIMITS = {
    "timeoutMs": "How long it may be worked on, in milliseconds; while it waits or is paused no time passes.",
    "maxStepRuns": "The most step runs that are possible may not be more; checked when the document is saved.",
    "maxCostUsd": 'How much the models may cost, in US dollars, such as "2.50".',
    "maxTokens": "How many tokens the models may read and write.",
    "maxContextBytes": "How large the context may become as JSON.",
}
DEFAULTS = {
    "maxRetries": "Attempts after the first one.",
    "retryDelay": "Milliseconds before each further attempt.",
    "retry": "How the delay grows, and which failures are tried again.",
    "timeout": "Milliseconds that one attempt may take.",
}
GROUP = {
    "join": "all: every member. any: the first success. n_of: `n` successes. all_settled: whatever comes out.",
    "n": "How many members have to succeed; with the join n_of.",
    "minSuccess": "How many members have to succeed at least; with the join all_settled.",
    "onMemberFailure": "fail_fast: the first failure cancels the others. wait_all: they finish first.",
    "maxConcurrency": "How many members run at the same time; left out: all of them.",
    "merge": "Context keys that several members may write: the last one counts, or a list or an object is made.",
}
STEP = {
    "name": "What the step is called, and the context key of its output. Unique in the document.",
    "kind": "What the step does; left out: agent, a role with tools.",
    "order": "Where the step stands; left out: its place in the list. Equal orders only inside one group.",
    "parallelGroup": "Neighbours of one group run together and see the same context.",
    "condition": "The step runs when this holds, and is skipped otherwise.",
    "inputMapping": "What the step works on; left out: the whole context. A transform gives exactly this back.",
    "contextKeys": "The keys of the context that the step works on, where it has no `inputMapping`.",
    "outputMapping": "The context keys that the step writes; left out: its output under its name.",
    "outputSchema": "JSON Schema of the output. A model is asked for JSON of this shape.",
    "maxRetries": "Attempts after the first one, where the failure may pass.",
    "retryDelay": "Milliseconds before each further attempt.",
    "retry": "How the delay grows, and which failures are tried again.",
    "timeout": "Milliseconds that one attempt may take.",
    "totalTimeout": "Milliseconds that all attempts and the delays between them may take.",
    "idempotencyKey": "What the other side knows a repetition by; left out: the execution and the step's place in it.",
    "onError": "After the last attempt: fail, continue with null, go on with a default, or let handlers answer.",
    "compensate": "Steps that undo this one when the execution fails later; they see its output as `step.output`.",
    "roleName": "The role that works on this step.",
    "roleId": "The role by its id instead of its name (classic).",
    "stepType": "Classic: what `parallelGroup`, `condition` or `kind` says already.",
    "prompt": "What the role is told before its input.",
    "tools": "The tools of the role that this step may use; left out: all of them.",
    "maxTurns": "How many model calls the agent has; left out: 8.",
    "maxToolCalls": "How many tool calls the agent has; left out: 100.",
    "contextPolicy": "When the conversation outgrows the model's context: fail, trim what is oldest, or summarise it.",
    "cache": "Keep the models' answers for a time, and give them again where the same is asked.",
    "budget": "What the model calls of this step may take, in all its attempts; those of a child count as well.",
    "tool": "The tool to call; `inputMapping` gives its arguments.",
    "language": "The language of `source`.",
    "source": "The program that is run.",
    "forMs": "How many milliseconds to wait, or a template that gives them.",
    "until": "A wait: the instant to wait for. A loop: it ends after the iteration in which this holds.",
    "event": "The name of the event to wait for.",
    "match": "Which events are meant: a condition on `output`, what came.",
    "expiresAfterMs": "Milliseconds after which nothing is waited for any more.",
    "assignees": "Who may decide.",
    "quorum": "How many have to approve; left out: one.",
    "present": "What those who decide are shown.",
    "form": "JSON Schema of the data that a decision may bring along.",
    "onExpire": "What becomes of the step when nobody decides in time.",
    "onReject": "What becomes of the step when it is rejected.",
    "direction": "Whether a request is sent or waited for.",
    "url": "Where to send the request.",
    "method": "The HTTP method; left out: POST.",
    "headers": "The headers of the request, by name.",
    "secretRef": "The name of the secret that signs the request, or checks it.",
    "verify": "How a request that came in is checked.",
    "orchestration": "The orchestration to run; `inputMapping` gives its input.",
    "version": "Which version of it to run; left out: the active one.",
    "wait": "Whether to wait for its output; left out: yes.",
    "cases": "The ways to go, of which one is taken: the first that holds, or one by weight.",
    "else": "The way to go when no case holds.",
    "splitBy": "What decides by weight: the same value always takes the same way; left out: the execution.",
    "steps": "The steps inside.",
    "while": "The loop goes on as long as this holds before an iteration.",
    "maxIterations": "The loop has no more iterations than this.",
    "onLimit": "What becomes of a loop that is still not done after `maxIterations`; left out: complete.",
    "collect": "What is kept of each iteration, in `results`.",
    "items": "The list whose items the steps run for: a list, or a template, JSONPath or expression that gives one.",
    "as": "A context key for the item, beside the root `item`.",
    "maxItems": "The list may not be longer; left out: 100.",
    "maxConcurrency": "How many items are worked on at the same time; left out: 10.",
    "onItemError": "An item that failed: fails the map, is null in the results, or is dropped; left out: fail.",
    "tolerate": "How many items may fail before the map does.",
    "code": "The code of the failure; left out: FAILED.",
    "message": "What the failure says; it may hold <<tags>>.",
    "output": "What the execution gives back; left out: what it would at its end.",
}
RETRY = {
    "backoff": "fixed: always `retryDelay`. linear: times the attempts so far. exponential: twice as long each time.",
    "maxDelayMs": "No delay is longer than this.",
    "jitter": "full: a random part of the delay, so that many do not come back at the same time.",
    "errors": "Of the failures that may pass, only these are tried again.",
    "notErrors": "These failures are not tried again.",
}
BUDGET = {
    "maxCostUsd": 'How much they may cost, in US dollars, such as "0.50".',
    "maxTokens": "How many tokens they may read and write.",
}
CACHE = {
    "ttlMs": "How long an answer is kept, in milliseconds.",
    "scope": "everyone: whoever asks the same of the same version of the role. execution: only within the same one.",
}
CASE = {
    "name": "What the case is called in the output of the branch.",
    "when": "The case is taken when this holds, and no case before it does.",
    "weight": "How often the case is taken, compared with the others.",
    "steps": "What is done then.",
}
FALLBACK = {
    "default": "The output that the step has instead.",
    "catch": "Handlers; the first one for the failure runs, and its last output becomes that of the step.",
}
CATCH = {
    "errors": "The codes that are caught; left out: all but CANCELLED.",
    "as": "A context key for the error, beside the root `error`.",
    "steps": "What is done about it.",
}
TOLERANCE = {
    "count": "So many items may fail.",
    "percent": "So many of a hundred items may fail.",
}
ASSIGNEES = {
    "roles": "Whoever has one of these roles.",
    "users": "These people.",
    "notInitiator": "Not whoever started the execution.",
}
ROLE = {
    "name": "What the role is called; steps name it in `roleName`.",
    "basePrompt": "The system prompt: who the model is and what it must not do.",
    "description": "What the role is for.",
    "tools": "The tools that the role may call; `meta` grants the system.* tools.",
    "needsTools": "Ask for a model that can call tools, also where no step offers one.",
    "model": "What the role asks of its model.",
    "parameters": "How the model is asked.",
    "outputSchema": "JSON Schema of every answer of this role; a step's own comes first.",
}
MODEL = {
    "preferred": 'Wishes, best first: "provider/model" or "provider".',
    "fallbacks": "Who stands in for it, in this order, and nobody else; left out: any other model that fits.",
    "providers": "The only providers whose models may be asked; left out: any.",
    "capabilities": "What the model must be able to do.",
    "minContextTokens": "How much context the model must have, in tokens.",
    "maxCostPerMillion": "USD per million tokens at most; a model without a known price never fits.",
}
CEILING = {
    "input": 'For what the model is sent, such as "0.50"; left out: whatever it costs.',
    "output": 'For what the model answers, such as "2.00"; left out: whatever it costs.',
}
PARAMETERS = {
    "temperature": "0 is the least random; left out: the provider's default.",
    "maxOutputTokens": "How long an answer may be, in tokens; left out: the provider's default.",
    "repairs": "How often the model is told what is wrong with an answer, to give a better one; left out: 2.",
    "contextPolicy": "When a conversation outgrows the model's context: fail, trim what is oldest, or summarise it.",
}
BUNDLE = {
    "rolecall": "The version of the format.",
    "roles": "The roles of this file; each is created, or updated by name.",
    "orchestrations": "The documents of this file; each is created, or updated by name.",
}
