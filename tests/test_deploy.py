"""The files that deploy Outlay say what the documentation promises. No Docker engine is needed to read them."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_every_service_is_capped_and_restarts() -> None:
    for name, service in COMPOSE["services"].items():
        assert re.fullmatch(r"\d+g", service["mem_limit"]), name
        assert service["restart"] == "unless-stopped", name


def test_clickhouse_has_a_health_check_and_outlay_waits_for_it() -> None:
    assert "/ping" in " ".join(COMPOSE["services"]["clickhouse"]["healthcheck"]["test"])
    assert COMPOSE["services"]["outlay"]["depends_on"]["clickhouse"]["condition"] == "service_healthy"
    assert "/readyz" in DOCKERFILE


def test_data_lives_in_named_volumes() -> None:
    mounts = [m for service in COMPOSE["services"].values() for m in service["volumes"]]
    for volume in COMPOSE["volumes"]:
        assert any(mount.startswith(volume + ":") for mount in mounts), volume


def test_nothing_runs_as_root() -> None:
    assert re.search(r"^USER (?!root)\w+", DOCKERFILE, re.MULTILINE)
    assert COMPOSE["services"]["clickhouse"]["user"].split(":")[0] != "0"


def test_nothing_gains_privileges_and_outlay_writes_to_its_volume_only() -> None:
    for name, service in COMPOSE["services"].items():
        assert "no-new-privileges:true" in service["security_opt"], name
    outlay = COMPOSE["services"]["outlay"]
    assert (outlay["read_only"], outlay["cap_drop"], outlay["tmpfs"]) == (True, ["ALL"], ["/tmp"])


def test_only_outlay_can_be_reached_and_on_the_ports_it_listens_to() -> None:
    assert "ports" not in COMPOSE["services"]["clickhouse"]
    exposed = re.findall(r"^EXPOSE (.+)$", DOCKERFILE, re.MULTILINE)[0].split()
    assert COMPOSE["services"]["outlay"]["ports"] == [f"{port}:{port}" for port in exposed]


def test_what_is_mounted_and_copied_is_there() -> None:
    files = [m.split(":")[0] for service in COMPOSE["services"].values() for m in service["volumes"] if m[0] == "."]
    copied = [name for line in re.findall(r"^COPY (?!--)(.+) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()]
    assert files
    assert copied
    for name in (*files, *copied):
        assert (ROOT / name).exists(), name


def test_secrets_come_from_the_environment_and_have_no_default() -> None:
    environment = COMPOSE["services"]["outlay"]["environment"]
    for name in ("OUTLAY_BOOTSTRAP_KEY", "OUTLAY_PASSWORD"):
        assert environment[name].startswith("${" + name + ":?"), name
    assert "${CLICKHOUSE_PASSWORD:?" in environment["OUTLAY_STORE_DSN"]


def test_the_environment_names_real_settings() -> None:
    from outlay_web.config import SETTINGS

    known = {f"OUTLAY_{setting.name.upper()}" for setting in SETTINGS}
    assert set(COMPOSE["services"]["outlay"]["environment"]) <= known


def test_clickhouse_system_logs_are_bounded() -> None:
    config = ET.parse(ROOT / "deploy" / "clickhouse" / "outlay.xml").getroot()
    logs = [element for element in config if element.tag.endswith("_log")]
    assert len(logs) > 10
    for log in logs:
        engine = log.findtext("engine") or ""
        assert log.get("remove") == "1" or "TTL event_date + INTERVAL" in engine, log.tag


def test_the_image_installs_the_locked_packages() -> None:
    assert "-r requirements.lock" in DOCKERFILE
    assert (ROOT / "requirements.lock").exists()
