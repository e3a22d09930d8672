"""Which models a process can call: what its environment says, and what rows say beside and above that.

* `configuration.Configuration`   providers, offers, limits and prices, as `Models.use` takes them
"""

from services.models.configuration.configuration import Configuration

__all__ = ["Configuration"]
