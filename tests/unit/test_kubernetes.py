"""deploy/kubernetes, read and held against docker-compose.yml and the settings; no cluster is asked."""

import re

import pytest
import yaml
from command import ROOT
from compose import read_env, services
from pydantic import SecretStr

from config.settings import Settings

FOLDER = ROOT / "deploy" / "kubernetes"
OBJECTS = [found for file in sorted(FOLDER.glob("*.yaml")) for found in yaml.safe_load_all(file.read_text())]
PODS = {
    one["spec"]["template"]["spec"]["containers"][0]["name"]: one
    for one in OBJECTS
    if "template" in one.get("spec", {})
}
(PLAIN,) = [one["data"] for one in OBJECTS if one["kind"] == "ConfigMap"]
README = (ROOT / "deploy" / "README.md").read_text()
COMPOSE = services(dict.fromkeys(read_env((ROOT / "deploy" / "env.example").read_text()), "given"))
UNITS = {"s": 1, "m": 60, "g": 1 << 30, "Gi": 1 << 30, "Mi": 1 << 20}
every_pod = pytest.mark.parametrize("name", PODS)
every_deployment = pytest.mark.parametrize("name", [name for name, one in PODS.items() if one["kind"] == "Deployment"])


def pod_of(name):
    return PODS[name]["spec"]["template"]["spec"]


def container_of(name):
    (container,) = pod_of(name)["containers"]
    return container


def secrets_of(name):
    """Variable -> (Secret, key, whether the pod starts without it)."""
    given = {one["name"]: one["valueFrom"]["secretKeyRef"] for one in container_of(name)["env"]}
    return {variable: (ref["name"], ref["key"], ref.get("optional", False)) for variable, ref in given.items()}


def amount(text):
    """Seconds or bytes of a word such as 5m (minutes), 3g or 3Gi."""
    number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()
    return int(number) * UNITS[unit]


def test_what_runs_there_is_what_runs_in_the_compose_file():
    assert set(PODS) == {name for name, service in COMPOSE.items() if service.is_tonalog}
    assert {one["metadata"]["name"] for one in OBJECTS} == {"tonalog", *(f"tonalog-{name}" for name in PODS)}


@every_pod
def test_a_pod_runs_the_command_of_its_service(name):
    assert ["tonalog", *container_of(name)["args"]] == COMPOSE[name].command
    assert container_of(name)["image"] == COMPOSE[name].spec["image"]


@every_pod
def test_a_pod_is_given_the_variables_of_its_service_and_secrets_by_reference_alone(name):
    is_secret = {f"TONALOG_{key.upper()}" for key, one in Settings.model_fields.items() if is_secret_field(one)}

    assert set(PLAIN) | set(secrets_of(name)) == {*COMPOSE[name].environment}
    assert set(secrets_of(name)) <= is_secret
    assert not set(PLAIN) & is_secret
    assert container_of(name)["envFrom"] == [{"configMapRef": {"name": "tonalog"}}]


def is_secret_field(field):
    return SecretStr in getattr(field.annotation, "__args__", (field.annotation,))


def test_the_settings_of_the_config_map_are_allowed_and_those_of_the_compose_file():
    Settings(**{name.removeprefix("TONALOG_").lower(): value for name, value in PLAIN.items()})

    # There SeaweedFS is published on the machine itself, which no app of a cluster runs on.
    elsewhere = {"TONALOG_S3_PUBLIC_ENDPOINT_URL": ""}
    assert {name: COMPOSE["worker"].environment[name] for name in PLAIN} | elsewhere == PLAIN


def test_each_process_logs_into_the_database_as_its_own_role():
    urls = {name: secrets_of(name)["TONALOG_DATABASE_URL"] for name in PODS}

    assert urls == {name: (f"tonalog-{name}", "database-url", False) for name in PODS}


def test_the_guide_makes_every_secret_that_a_pod_refers_to():
    made = {
        (secret, key)
        for secret, literals in re.findall(r"secret generic (\S+)((?: \\?\s*--from-literal=\S+)+)", README)
        for key in re.findall(r"--from-literal=([\w-]+)=", literals)
    }
    needed = {(ref[0], ref[1]) for name in PODS for ref in secrets_of(name).values() if not ref[2]}

    assert made == needed


@every_deployment
def test_what_ends_is_started_again_and_the_health_check_only_says_whether_it_is_well(name):
    service, probe = COMPOSE[name], container_of(name)["readinessProbe"]

    assert pod_of(name)["restartPolicy"] == "Always"
    if name == "api":  # what the command of its service asks for
        assert probe["httpGet"] == {"path": "/readyz", "port": "http"}
    else:
        assert probe["exec"]["command"] == service.health_command
    assert probe["timeoutSeconds"] == amount(service.spec["healthcheck"]["timeout"])
    assert probe["periodSeconds"] == amount(service.spec["healthcheck"]["interval"])
    assert pod_of(name)["terminationGracePeriodSeconds"] == amount(service.spec["stop_grace_period"])
    # It would restart every worker for as long as a server is away; a stalled one ends itself.
    assert "livenessProbe" not in container_of(name)


@every_deployment
def test_a_deployment_finds_its_own_pods(name):
    template = PODS[name]["spec"]["template"]

    assert PODS[name]["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
    assert template["metadata"]["labels"]["app.kubernetes.io/component"] == name


def test_the_service_leads_to_the_port_on_which_the_http_api_listens():
    (service,) = [one["spec"] for one in OBJECTS if one["kind"] == "Service"]
    ports = {port["name"]: port["containerPort"] for port in container_of("api")["ports"]}

    assert service["selector"] == PODS["api"]["spec"]["template"]["metadata"]["labels"]
    assert [ports[port["targetPort"]] for port in service["ports"]] == [8080]
    assert container_of("api")["args"][-1] == "--port=8080"


def test_the_migration_is_tried_again_until_it_is_done():
    assert PODS["migrate"]["kind"] == "Job"
    assert pod_of("migrate")["restartPolicy"] == "OnFailure"


@every_pod
def test_a_pod_can_do_little_else_than_its_work(name):
    pod, user = pod_of(name), COMPOSE[name].spec["user"]

    assert pod["securityContext"]["runAsNonRoot"] is True
    assert f"{pod['securityContext']['runAsUser']}:{pod['securityContext']['runAsGroup']}" == user
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        assert container["securityContext"] == {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        assert container["resources"]["requests"]["cpu"]


@every_pod
def test_a_pod_writes_where_its_service_does_and_its_user_may(name):
    volumes = {volume["name"]: volume["emptyDir"] for volume in pod_of(name)["volumes"]}
    mounts = {mount["mountPath"]: mount["name"] for mount in container_of(name)["volumeMounts"]}

    assert set(mounts) == set(COMPOSE[name].writable)
    assert set(mounts.values()) == set(volumes)
    assert pod_of(name)["securityContext"]["fsGroup"] == pod_of(name)["securityContext"]["runAsGroup"]
    # A recording on its way to a score reaches no disk; exports may be larger than memory.
    on_disk = {path for path in mounts if volumes[mounts[path]].get("medium") != "Memory"}
    assert on_disk == ({PLAIN["TONALOG_HOME"]} if name == "api" else set())


def test_a_worker_has_the_memory_of_its_service():
    assert amount(container_of("worker")["resources"]["limits"]["memory"]) == amount(
        COMPOSE["worker"].spec["mem_limit"]
    )
