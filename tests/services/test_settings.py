"""Settings: read from the environment, refused where a process could not live with them."""

import pytest

from services.errors import Invalid
from services.settings import Settings


@pytest.mark.parametrize(
    ("variable", "value", "bound"),
    [
        ("ROLECALL_PORT", "65536", "<= 65535"),
        ("ROLECALL_EXECUTIONS", "0", ">= 1"),
        ("ROLECALL_ATTEMPTS", "-1", ">= 1"),
        ("ROLECALL_LEASE_SECONDS", "0", ">= 1"),
        ("ROLECALL_HEARTBEAT_SECONDS", "nan", "> 0.0"),
        ("ROLECALL_RUN_WAIT_SECONDS", "0", "> 0.0"),
        ("ROLECALL_RUN_WAIT_SECONDS", "inf", "<= 86400.0"),
        ("ROLECALL_HEARTBEAT_SECONDS", "15", "less than ROLECALL_LEASE_SECONDS, 15"),
        ("ROLECALL_CALLS_PER_SECOND", "0", ">= 1"),
        ("ROLECALL_SESSION_IDLE_HOURS", "0.5", "int"),
        ("ROLECALL_ALLOWED_ORIGINS", "https://a.example/", "a scheme, a host in lower case and maybe a port"),
        ("ROLECALL_ALLOWED_ORIGINS", "https://*.example", "such as https://app.example.com"),
        ("ROLECALL_ALLOWED_ORIGINS", "null", "such as https://app.example.com"),
        ("ROLECALL_OIDC_ISSUER", "http://id.example.com", "begins with https://, or with http:// on this machine"),
        ("ROLECALL_OIDC_ISSUER", "https://anna:pass@id.example.com", "begins with https://"),
        ("ROLECALL_OIDC_ISSUER", "https://id.example.com?tenant=7", "has no query"),
        ("ROLECALL_OIDC_GRANTS", "roles.read", "malformed"),
        ("ROLECALL_OIDC_GRANTS", '{"staff": ["roles.reed"]}', "Invalid enum value 'roles.reed'"),
    ],
)
def test_a_setting_out_of_its_bounds_is_refused_by_its_name(variable: str, value: str, bound: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Settings.from_environment({variable: value})

    assert str(refusal.value).startswith(f"{variable} is ")
    assert bound in str(refusal.value)


def test_an_issuer_needs_an_audience() -> None:
    with pytest.raises(Invalid, match="ROLECALL_OIDC_AUDIENCE is not set: with ROLECALL_OIDC_ISSUER"):
        Settings.from_environment({"ROLECALL_OIDC_ISSUER": "https://id.example.com"})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"FILE": "anchors"}, "ROLECALL_AUDIT_ANCHOR_KEY_FILE is not set: anchors are signed"),
        ({"URL": "https://a.example"}, "ROLECALL_AUDIT_ANCHOR_KEY_FILE is not set: anchors are signed"),
        ({"KEY_FILE": "key"}, "ROLECALL_AUDIT_ANCHOR_FILE is not set: set it, or ROLECALL_AUDIT_ANCHOR_URL"),
        ({"KEY_FILE": "key", "URL": "http://a.example"}, "begins with https://, or with http:// on this machine"),
        ({"KEY_FILE": "key", "FILE": "anchors", "SECONDS": "0"}, ">= 1"),
    ],
)
def test_anchors_need_a_key_and_a_place(given: dict[str, str], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        Settings.from_environment({f"ROLECALL_AUDIT_ANCHOR_{name}": value for name, value in given.items()})


def test_lists_are_written_with_commas_and_mappings_as_json() -> None:
    settings = Settings.from_environment(
        {
            "ROLECALL_ALLOWED_ORIGINS": "https://a.example, http://localhost:5173,http://[::1]:5173,*",
            "ROLECALL_OIDC_GRANTS": '{"staff": ["roles.read"], "guests": []}',
        }
    )

    assert settings.allowed_origins == ("https://a.example", "http://localhost:5173", "http://[::1]:5173", "*")
    assert settings.oidc_grants == {"staff": ("roles.read",), "guests": ()}
