"""A model without a network or a key: deterministic, extractive, and honest about it.

`provider.OfflineProvider` reads the step's input, calls the tools whose arguments are there, and answers with sentences
and terms it found; it understands nothing. `reading` finds the texts, `sentences` rates them, `writing` composes prose,
`filling` fills a JSON Schema.
"""
