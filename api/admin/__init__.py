"""The admin pages at `/admin`: Piccolo Admin over our tables, behind our own sign-in."""

from api.admin.door import PATH, mounted

__all__ = ["PATH", "mounted"]
