"""The page that asks for a token. It brings all that it needs, so nothing else is shown to strangers."""

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from pathlib import Path

_STYLE = Path(__file__).with_name("sign_in.css").read_text(encoding="utf-8")
_SCRIPT = Path(__file__).with_name("sign_in.js").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Page:
    """HTML, and the policy that keeps a browser to what the page itself brings."""

    html: str
    content_security_policy: str


def page(problem: str) -> Page:
    """The page; `problem` is why somebody who is known may not come in, empty for a stranger."""
    body = (
        '<main><h1>Rolecall admin</h1><form><label for="token">Token</label>'
        '<input name="username" value="token" autocomplete="username" hidden>'
        '<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>'
        f'<button>Sign in</button></form><p id="problem" role="alert">{escape(problem)}</p>'
        '<p class="hint">A token that holds the scope <code>admin</code>, of a person or a service. The first start '
        "leaves one in the data directory, in <code>admin-token</code>; <code>rolecall token create NAME --scope "
        "admin …</code> makes others.</p></main>"
    )
    html = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<title>Rolecall admin: sign in</title><link rel="icon" href="data:,">'
        f"<style>{_STYLE}</style></head><body>{body}<script>{_SCRIPT}</script></body></html>\n"
    )
    policy = (
        f"default-src 'none'; style-src '{_hash(_STYLE)}'; script-src '{_hash(_SCRIPT)}'; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return Page(html, policy)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
