"""Models: who runs them, which one a role gets, and what was spent.

* `catalog.Models`       what this installation can call: `Models.from_environment(os.environ)`, `models.complete(...)`
* `messages`             requests, conversations, tool calls and answers, in words no provider owns
* `selection`            a role's `ModelConstraints`, and the choice that follows from them
* `provider.Provider`    somebody who runs models: `openai` (and what is compatible), `anthropic`, `offline`
* `prices`               what their makers' price lists say
* `purse.Purse`          what calls are paid from: reserved before each, settled after it

Importing any of these imports no SDK; the first call does.
"""
