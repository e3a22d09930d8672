"""Models: who runs them, which one a role gets, and what was spent.

* `catalog.Models`       what this installation can call: `Models.from_environment(os.environ)`, `models.complete(...)`
* `messages`             requests, conversations, tool calls and answers, in words no provider owns
* `selection`            a role's `ModelConstraints`, and the choice that follows from them
* `provider.Provider`    somebody who runs models: `openai` (and what is compatible), `anthropic`, `offline`
* `presets.provider_of`  makes one of those that we know, and of what is given besides
* `prices`               what their makers' price lists say
* `limits` `breaker`     when a provider may be asked, and which models are left alone for a while: `health`
* `calls` `failover`     one call, recorded whatever comes of it, and who is asked when it fails
* `purse.Purse`          what calls are paid from: reserved before each, settled after it

Importing any of these imports no SDK; the first call does.
"""
