"""Settings come from flags, variables and outlay.toml; what cannot be used stops the start and says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from outlay.errors import ConfigError
from outlay_web.config import OFF, SETTINGS, Settings, load_config, refuse_unknown_variables
from outlay_web.config_docs import markdown
from outlay_web.http.auth import refuse_open_binding


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "outlay.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_flags_win_over_variables_and_variables_over_the_file(tmp_path: Path) -> None:
    file = written(tmp_path, 'port = 1000\nhost = "localhost"\nlog_level = "error"')
    config = load_config({"OUTLAY_PORT": "2000", "OUTLAY_HOST": "127.0.0.2"}, {"port": "3000"}, file)
    assert (config.settings.port, config.settings.host, config.settings.log_level) == (3000, "127.0.0.2", "error")


def test_every_setting_has_a_field_and_the_default_it_documents(tmp_path: Path) -> None:
    defaults = Settings(data=tmp_path)
    assert {setting.name for setting in SETTINGS} == set(Settings.__dataclass_fields__)
    for setting in SETTINGS:
        if setting.name != "data" and setting.default:
            assert setting.read(setting.default) == getattr(defaults, setting.name), setting.name
        assert setting.variable in markdown()


def test_the_file_of_the_data_directory_is_read_when_none_is_named(tmp_path: Path) -> None:
    written(tmp_path, "port = 5000")
    assert load_config({"OUTLAY_DATA": str(tmp_path)}).settings.port == 5000


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OUTLAY_PORT", "70000"),
        ("OUTLAY_PORT", "http"),
        ("OUTLAY_DATA", "~nosuchuser/outlay"),
        ("OUTLAY_GRPC_PORT", "none"),
        ("OUTLAY_ROLES", "receive,web,cook"),
        ("OUTLAY_SPOOL_QUOTA_BYTES", "1GB"),
        ("OUTLAY_SESSION_HOURS", "0"),
        ("OUTLAY_LOG_LEVEL", "loud"),
        ("OUTLAY_PUBLIC_URL", "ftp://example.org"),
        ("OUTLAY_KEYS", "maybe"),
    ],
)
def test_a_bad_value_names_the_variable_the_value_and_what_is_allowed(variable: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({variable: value, "HOME": "/nonexistent"})
    message = str(caught.value)
    assert variable in message
    assert value in message
    assert "allowed" in message


def test_a_bad_secret_is_not_repeated_in_the_message() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config({"OUTLAY_PASSWORD": "hunter2", "HOME": "/nonexistent"})
    assert "hunter2" not in str(caught.value)
    assert "OUTLAY_PASSWORD" in str(caught.value)


def test_an_unknown_key_of_the_file_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown key 'prot'; did you mean 'port'"):
        load_config({}, {}, written(tmp_path, "prot = 1"))


def test_a_secret_in_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="OUTLAY_PASSWORD"):
        load_config({}, {}, written(tmp_path, 'password = "long enough"'))


def test_a_file_that_is_not_toml_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not valid TOML"):
        load_config({}, {}, written(tmp_path, "port = = 1"))
    with pytest.raises(ConfigError, match="cannot read"):
        load_config({}, {}, tmp_path / "absent.toml")


def test_sections_of_others_are_handed_on_as_written(tmp_path: Path) -> None:
    file = written(tmp_path, '[[budgets]]\nname = "all"\namount_usd = "100"\n[model_tiers]\nlocal = ["x*"]')
    sections = load_config({}, {}, file).sections
    assert sections == {"budgets": [{"name": "all", "amount_usd": "100"}], "model_tiers": {"local": ["x*"]}}


def test_grpc_can_be_off_and_the_opentelemetry_log_level_is_honored() -> None:
    settings = load_config({"OUTLAY_GRPC_PORT": "off", "OTEL_LOG_LEVEL": "debug", "HOME": "/nonexistent"}).settings
    assert settings.grpc_port == OFF
    assert settings.log_level == "debug"


def test_an_unknown_variable_is_refused_with_its_value_and_what_is_allowed() -> None:
    environ = {"OUTLAY_PROT": "1", "OUTLAY_PORT": "2", "OUTLAY_ENDPOINT": "x", "PATH": "/bin"}
    with pytest.raises(ConfigError) as caught:
        refuse_unknown_variables(environ, frozenset({"OUTLAY_ENDPOINT"}))
    message = str(caught.value)
    assert message.startswith("OUTLAY_PROT = '1' is not a setting of Outlay; did you mean OUTLAY_PORT?; allowed: ")
    assert "OUTLAY_SPOOL_QUOTA_BYTES" in message


def test_an_unknown_variable_that_may_be_a_secret_is_named_without_its_value() -> None:
    with pytest.raises(ConfigError, match=r"OUTLAY_PASSWD = \(hidden\) is not .* did you mean OUTLAY_PASSWORD"):
        refuse_unknown_variables({"OUTLAY_PASSWD": "correct horse"})


def test_what_kubernetes_says_of_a_service_called_outlay_is_no_setting() -> None:
    environ = {"OUTLAY_PORT": "tcp://10.0.0.7:4318", "OUTLAY_SERVICE_HOST": "10.0.0.7", "OUTLAY_PORT_4318_TCP": "x"}
    refuse_unknown_variables(environ)
    assert load_config(environ | {"HOME": "/nonexistent"}).settings.port == 4318


def test_secrets_do_not_show_in_the_settings_text(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, password="correct horse", store_dsn="clickhouse://u:hush@h/db")
    assert "correct horse" not in repr(settings)
    assert "hush" not in repr(settings)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_listening_beyond_loopback_without_keys_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="without authentication"):
        refuse_open_binding(Settings(data=tmp_path, host=host, password="only for pages"))
    refuse_open_binding(Settings(data=tmp_path, host=host, bootstrap_key="k" * 32))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_listening_on_loopback_needs_no_key(tmp_path: Path, host: str) -> None:
    refuse_open_binding(Settings(data=tmp_path, host=host))
