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
        ("ROLECALL_ALLOWED_ORIGINS", "app.example", "matching regex"),
        ("ROLECALL_ALLOWED_ORIGINS", "https://app.example/", "matching regex"),
        ("ROLECALL_ALLOWED_ORIGINS", "https://App.example", "matching regex"),
        ("ROLECALL_ALLOWED_ORIGINS", "https://app.example,", "matching regex"),
        ("ROLECALL_HEARTBEAT_SECONDS", "15", "less than ROLECALL_LEASE_SECONDS, 15"),
    ],
)
def test_a_setting_out_of_its_bounds_is_refused_by_its_name(variable: str, value: str, bound: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Settings.from_environment({variable: value})

    assert str(refusal.value).startswith(f"{variable} is ")
    assert bound in str(refusal.value)


def test_origins_are_separated_by_commas() -> None:
    settings = Settings.from_environment({"ROLECALL_ALLOWED_ORIGINS": "https://app.example, http://localhost:5173,*"})

    assert settings.allowed_origins == ("https://app.example", "http://localhost:5173", "*")
