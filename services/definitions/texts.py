"""What an editor shows about each field, in a sentence."""

DOCUMENT = {
    "rolecall": "The version of the format.",
    "name": "What the orchestration is called: 1 to 100 letters, digits, blanks and _.-; a letter first.",
    "description": "What it is for.",
    "tags": "Words to find it by.",
    "input": "JSON Schema of the input. Top-level defaults are filled in at the start, then the input is validated.",
    "steps": "The steps, in their order. Neighbours with the same `parallelGroup` run together.",
    "output": "What the execution gives back, as a mapping; left out: the whole context.",
    "outputSchema": "JSON Schema of the output; what does not fit fails the execution with OUTPUT_INVALID.",
}
STEP = {
    "name": "What the step is called, and the context key of its output. Unique in the document.",
    "kind": "agent: a role with tools. llm: one model call. tool: one call of a tool. transform: data only.",
    "order": "Where the step stands; left out: its place in the list. Equal orders only inside one group.",
    "parallelGroup": "Neighbours of one group run together and see the same context.",
    "roleName": "The role that works on this step.",
    "roleId": "The role by its id instead of its name (classic).",
    "stepType": "Classic: what `parallelGroup` or `condition` says already.",
    "tool": "The tool to call; `inputMapping` gives its arguments.",
    "prompt": "What the role is told before its input.",
    "tools": "The tools of the role that this step may use; left out: all of them.",
    "maxTurns": "How many model calls the agent has; left out: 8.",
    "condition": "The step runs when this holds, and is skipped otherwise.",
    "inputMapping": "What the step works on; left out: the whole context. A transform gives exactly this back.",
    "outputMapping": "The context keys that the step writes; left out: its output under its name.",
    "outputSchema": "JSON Schema of the output. A model is asked for JSON of this shape.",
    "maxRetries": "Attempts after the first one, where the failure may pass.",
    "retryDelay": "Milliseconds before each further attempt.",
    "timeout": "Milliseconds that one attempt may take.",
}
ROLE = {
    "name": "What the role is called; steps name it in `roleName`.",
    "basePrompt": "The system prompt: who the model is and what it must not do.",
    "description": "What the role is for.",
    "tools": "The tools that the role may call; `meta` grants the system.* tools.",
    "needsTools": "Ask for a model that can call tools, also where no step offers one.",
    "model": "What the role asks of its model.",
    "parameters": "What is passed to the model with each call.",
    "outputSchema": "JSON Schema of every answer of this role; a step's own comes first.",
}
MODEL = {
    "preferred": 'Wishes, best first: "provider/model" or "provider".',
    "capabilities": "What the model must be able to do.",
    "minContextTokens": "How much context the model must have, in tokens.",
}
PARAMETERS = {
    "temperature": "0 is the least random; left out: the provider's default.",
    "maxOutputTokens": "How long an answer may be, in tokens; left out: the provider's default.",
}
BUNDLE = {
    "rolecall": "The version of the format.",
    "roles": "The roles of this file; each is created, or updated by name.",
    "orchestrations": "The documents of this file; each is created, or updated by name.",
}
