"""deploy/kubernetes, held against Kubernetes' own schema, docker-compose.yml and the settings; asks no cluster and no Helm."""

import re

import kubernetes_validate
import pytest
from chart import RENDERED, is_secret, objects_in
from command import ROOT
from compose import read_env, services

from config.settings import Settings

OBJECTS = [found for file in sorted(RENDERED.glob("*.yaml")) for found in objects_in(file.read_text())]
PODS = {
    found["spec"]["template"]["spec"]["containers"][0]["name"]: found
    for found in OBJECTS
    if "template" in found.get("spec", {})
}
OLDEST, NEWEST = "1.25", "1.37"
README = (ROOT / "deploy" / "README.md").read_text()
COMPOSE = services(dict.fromkeys(read_env((ROOT / "deploy" / "env.example").read_text()), "given"))
UNITS = {"s": 1, "m": 60, "g": 1 << 30, "Gi": 1 << 30, "Mi": 1 << 20}
SECRET = {f"TONALOG_{key.upper()}" for key in Settings.model_fields if is_secret(key)}
# Who needs what: PostgreSQL, the broker, S3 (of AWS and of SeaweedFS), hosts of webhooks.
LINKS = {
    "migrate": {5432},
    "worker": {5432, 6379, 443, 8333},
    "scheduler": {5432, 6379, 443, 8333},
    "api": {5432, 443, 8333},
    "webhooks": {5432, 443},
}
every_pod = pytest.mark.parametrize("name", PODS)
every_deployment = pytest.mark.parametrize("name", [name for name, pod in PODS.items() if pod["kind"] == "Deployment"])


def named(kind):
    """Name without `tonalog-` -> the object, of one kind."""
    return {
        found["metadata"]["name"].removeprefix("tonalog-"): found["spec"] for found in OBJECTS if found["kind"] == kind
    }


def pod_of(name):
    return PODS[name]["spec"]["template"]["spec"]


def labels_of(name):
    return PODS[name]["spec"]["template"]["metadata"]["labels"]


def container_of(name):
    (container,) = pod_of(name)["containers"]
    return container


def plain_of(name):
    """Variable -> value, of what is no secret."""
    return {given["name"]: given["value"] for given in container_of(name)["env"] if "value" in given}


def secrets_of(name):
    """Variable -> (Secret, key, whether the pod starts without it)."""
    listed = [item for item in container_of(name)["env"] if "valueFrom" in item]
    given = {item["name"]: item["valueFrom"]["secretKeyRef"] for item in listed}
    return {variable: (ref["name"], ref["key"], ref.get("optional", False)) for variable, ref in given.items()}


def amount(text):
    """Seconds or bytes of a word such as 5m (minutes), 3g or 3Gi."""
    number, unit = re.fullmatch(r"(\d+)(\w+)", text).groups()
    return int(number) * UNITS[unit]


@pytest.mark.parametrize("release", [OLDEST, NEWEST])
def test_kubernetes_takes_every_object_and_knows_every_word_in_it(release):
    for found in OBJECTS:
        kubernetes_validate.validate(found, release, strict=True)


def test_what_runs_there_is_what_runs_in_the_compose_file():
    assert set(PODS) == {name for name, service in COMPOSE.items() if service.is_tonalog}
    assert set(named("Deployment")) | set(named("Job")) == set(PODS)


@every_pod
def test_a_pod_runs_the_command_of_its_service(name):
    assert ["tonalog", *container_of(name)["args"]] == COMPOSE[name].command
    assert container_of(name)["image"] == COMPOSE[name].spec["image"]


@every_pod
def test_a_pod_is_given_the_secrets_of_its_service_by_reference_alone(name):
    assert set(secrets_of(name)) == SECRET & set(COMPOSE[name].environment)
    assert not set(plain_of(name)) & SECRET


@every_pod
def test_the_settings_of_a_pod_are_allowed_and_those_of_its_service(name):
    Settings(**{variable.removeprefix("TONALOG_").lower(): value for variable, value in plain_of(name).items()})

    assert plain_of(name).items() <= COMPOSE[name].environment.items()


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
def test_a_deployment_and_its_disruption_budget_find_its_own_pods(name):
    assert PODS[name]["spec"]["selector"]["matchLabels"] == labels_of(name)
    assert named("PodDisruptionBudget")[name]["selector"]["matchLabels"] == labels_of(name)
    assert labels_of(name)["app.kubernetes.io/component"] == name


def test_the_service_leads_to_the_port_on_which_the_http_api_listens():
    (service,) = named("Service").values()
    ports = {port["name"]: port["containerPort"] for port in container_of("api")["ports"]}

    assert service["selector"] == labels_of("api")
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
    assert on_disk == ({plain_of(name)["TONALOG_HOME"]} if name == "api" else set())


def test_a_worker_has_the_memory_of_its_service():
    assert amount(container_of("worker")["resources"]["limits"]["memory"]) == amount(
        COMPOSE["worker"].spec["mem_limit"]
    )


@every_pod
def test_nothing_reaches_a_pod_and_it_reaches_nothing_but_for_what_is_listed(name):
    every = named("NetworkPolicy")["deny"]

    assert every["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & set(every)
    assert every["podSelector"]["matchLabels"].items() <= labels_of(name).items()


@every_pod
def test_a_pod_reaches_the_servers_that_it_needs_and_is_asked_by_no_port_but_the_http_apis(name):
    policy = named("NetworkPolicy")[name]
    names, *links = policy["egress"]

    assert policy["podSelector"]["matchLabels"] == labels_of(name)
    assert [(port["protocol"], port["port"]) for port in names["ports"]] == [("UDP", 53), ("TCP", 53)]
    assert {port["port"] for link in links for port in link["ports"]} == LINKS[name]
    asked = [port["port"] for rule in policy.get("ingress", []) for port in rule["ports"]]
    assert asked == ([8080] if name == "api" else [])


def test_the_way_out_of_webhooks_leads_to_public_addresses_alone():
    *_, outside = named("NetworkPolicy")["webhooks"]["egress"]
    older, newer = [peer["ipBlock"] for peer in outside["to"]]

    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "127.0.0.0/8"} <= set(older["except"])
    assert newer == {"cidr": "2000::/3"}  # link-local and private addresses are outside it
