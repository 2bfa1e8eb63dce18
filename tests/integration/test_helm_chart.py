"""The chart of deploy/helm, rendered by a real Helm and held against Kubernetes' own schema; no cluster is asked."""

import json
import re
import subprocess
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from chart import CHART, RENDERED, made_files, make_schema, objects_in, render
from command import ROOT
from servers.helm import MissingHelmError, find_helm, run_helm

from db.backlog import AUDIO_S

EVERYTHING = (
    "worker.autoscaling.enabled=true",
    "metrics.enabled=true",
    "metrics.podMonitor.enabled=true",
    "roles.enabled=true",
    "api.ingress.enabled=true",
    "api.ingress.tlsSecret=certificate",
    "certificates.secret=certificates",
    "networkPolicy.database.to[0].ipBlock.cidr=10.1.2.3/32",
    "networkPolicy.also.scheduler[0].ports[0].port=587",
    "imagePullSecrets[0].name=mine",
    "worker.placement.nodeSelector.disk=fast",
)
GUIDE = (ROOT / "deploy" / "README.md").read_text()
OF_OTHERS = {"ScaledObject", "TriggerAuthentication", "PodMonitor"}  # Kubernetes has no schema of these


@pytest.fixture(autouse=True, scope="module")
def helm():
    try:
        return find_helm()
    except MissingHelmError as error:
        pytest.skip(str(error))


def rendered(*given, name="tonalog"):
    """(kind, name) -> object, of the chart with some values set."""
    found = objects_in(render(*(word for pair in given for word in ("--set", pair)), name=name))
    return {(item["kind"], item["metadata"]["name"]): item for item in found}


@pytest.fixture(scope="module")
def everything():
    return rendered(*EVERYTHING)


def refusal(*given):
    with pytest.raises(AssertionError) as caught:
        rendered(*given)
    return str(caught.value)


def environment(item):
    (container,) = item["spec"]["template"]["spec"]["containers"]
    return {given["name"]: given.get("value") for given in container["env"]}


@pytest.mark.parametrize("path", sorted(RENDERED.glob("*.yaml")), ids=lambda path: path.name)
def test_the_files_for_whoever_has_no_helm_are_what_the_chart_says(path):
    assert objects_in(path.read_text()) == objects_in(made_files()[path]()), "run `make chart`"


def test_helm_finds_nothing_to_complain_about(tmp_path):
    done = run_helm("lint", "--strict", str(CHART), *(f"--set={pair}" for pair in EVERYTHING), home=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("release", ["1.25", "1.37"])
def test_kubernetes_takes_what_the_chart_makes_with_everything_turned_on(everything, release):
    for (kind, _), item in everything.items():
        if kind not in OF_OTHERS:
            kubernetes_validate.validate(item, release, strict=True)
    assert {kind for kind, _ in everything} >= {"Ingress", "PodDisruptionBudget", "NetworkPolicy", *OF_OTHERS}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("settings.TONALOG_LEASES_S=5", "TONALOG_LEASES_S"),
        ("settings.TONALOG_SUBJECT_KEY=0123456789abcdef0123456789abcdef", "TONALOG_SUBJECT_KEY"),
        ("settings.TONALOG_LOG_LEVEL=LOUD", "TONALOG_LOG_LEVEL"),
        ("settings.TONALOG_WORKER_CONCURRENCY=0", "TONALOG_WORKER_CONCURRENCY"),
        ("settings.TONALOG_STORAGE_URL=null", "TONALOG_STORAGE_URL"),
        ("worker.replica=3", "replica"),
    ],
)
def test_a_value_that_is_misspelt_not_allowed_or_missing_is_refused_by_name(given, message):
    assert message in refusal(given)


def a_value_of(setting):
    """Something that a setting's schema allows."""
    if "enum" in setting:
        return setting["enum"][-1]
    least = setting.get("minimum", setting.get("exclusiveMinimum", 0) + 1)
    return {"string": "x", "boolean": False, "integer": least, "number": least + 0.5}[setting["type"]]


def test_every_setting_reaches_every_process_as_it_was_written(tmp_path):
    taken = make_schema()["properties"]["settings"]["properties"]
    given = {name: a_value_of(setting) for name, setting in taken.items()}
    given |= {"TONALOG_API_OPEN_UPLOADS": 1_000_000, "TONALOG_LEASE_S": 1_234_567.5}
    (tmp_path / "values.yaml").write_text(yaml.safe_dump({"settings": given}))

    found = objects_in(render("--values", str(tmp_path / "values.yaml")))

    pods = [item for item in found if item["kind"] in {"Deployment", "Job"}]
    assert len(pods) == 5
    for item in pods:
        told = {name: text for name, text in environment(item).items() if name in given}
        numbers = {name: float(told.pop(name)) for name, value in given.items() if isinstance(value, float)}
        assert told | numbers == {
            name: value if isinstance(value, float) else json.dumps(value).strip('"') for name, value in given.items()
        }


def test_workers_are_added_by_the_audio_that_waits_and_nothing_else_says_how_many_there_are(everything):
    scaled = everything["ScaledObject", "tonalog-worker"]["spec"]
    (trigger,) = scaled["triggers"]
    (secret,) = everything["TriggerAuthentication", "tonalog-scaler"]["spec"]["secretTargetRef"]

    assert (trigger["type"], trigger["metadata"]["query"]) == ("postgresql", AUDIO_S.strip())
    assert float(trigger["metadata"]["targetQueryValue"]) == 3600
    assert trigger["authenticationRef"] == {"name": "tonalog-scaler"}
    assert secret == {"parameter": "connection", "name": "tonalog-scaler", "key": "connection"}
    assert scaled["scaleTargetRef"] == {"name": "tonalog-worker"}
    assert "replicas" not in everything["Deployment", "tonalog-worker"]["spec"]
    assert everything["Deployment", "tonalog-scheduler"]["spec"]["replicas"] == 1


def test_the_roles_are_set_before_the_migration_and_after_it_by_the_files_of_the_compose_file(everything):
    jobs = {name: item["metadata"]["annotations"] for (kind, name), item in everything.items() if kind == "Job"}
    weights = {name: int(of["helm.sh/hook-weight"]) for name, of in jobs.items()}
    mounted = everything["ConfigMap", "tonalog-roles"]

    assert sorted(weights, key=weights.get) == ["tonalog-roles", "tonalog-migrate", "tonalog-rights"]
    assert {of["helm.sh/hook"] for of in jobs.values()} == {"pre-install,pre-upgrade"}
    assert int(mounted["metadata"]["annotations"]["helm.sh/hook-weight"]) < min(weights.values())
    for name in ("roles.sql", "set-roles.sh"):
        assert mounted["data"][name].strip() == (ROOT / "deploy" / "postgres" / name).read_text().strip()


def test_every_pod_keeps_to_the_restricted_standard(everything):
    pods = {
        name: item["spec"]["template"]["spec"]
        for (kind, name), item in everything.items()
        if kind in {"Job", "Deployment"}
    }

    assert len(pods) == 7
    for name, pod in pods.items():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        for container in pod["containers"]:
            confined = {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False}
            assert container["securityContext"] == confined | {"capabilities": {"drop": ["ALL"]}}, name


def test_metrics_are_read_on_a_port_of_their_own_by_whoever_the_policy_names(everything):
    port = 9464
    for name in ("worker", "scheduler", "api", "webhooks"):
        item = everything["Deployment", f"tonalog-{name}"]
        (container,) = item["spec"]["template"]["spec"]["containers"]
        asked = {
            rule["ports"][0]["port"]: rule for rule in everything["NetworkPolicy", f"tonalog-{name}"]["spec"]["ingress"]
        }
        assert {"name": "metrics", "containerPort": port} in container["ports"]
        assert environment(item)["TONALOG_METRICS_PORT"] == str(port)
        assert asked[port]["from"]
    (endpoint,) = everything["PodMonitor", "tonalog"]["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint["relabelings"][0]["replacement"]) == ("metrics", "tonalog-$1")
    assert "ingress" not in everything["NetworkPolicy", "tonalog-migrate"]["spec"]
    assert "TONALOG_METRICS_PORT" not in environment(everything["Job", "tonalog-migrate"])


def test_a_way_out_that_is_added_is_of_one_component_alone(everything):
    ports = {
        name: {port["port"] for rule in item["spec"].get("egress", []) for port in rule["ports"]}
        for (kind, name), item in everything.items()
        if kind == "NetworkPolicy"
    }

    assert {name for name, found in ports.items() if 587 in found} == {"tonalog-scheduler"}


def test_what_is_turned_off_leaves_nothing_behind():
    left = rendered(
        "api.enabled=false",
        "webhooks.enabled=false",
        "networkPolicy.enabled=false",
        "podDisruptionBudget.enabled=false",
    )

    assert {kind for kind, _ in left} == {"Deployment", "Job"}
    assert {name for _, name in left} == {"tonalog-worker", "tonalog-scheduler", "tonalog-migrate"}


def test_keys_of_s3_are_left_out_where_the_service_account_has_the_rights():
    found = rendered("secrets.hasS3Keys=false")

    told = [environment(item) for (kind, _), item in found.items() if kind in {"Deployment", "Job"}]
    assert not any("TONALOG_S3_ACCESS_KEY" in names for names in told)


def test_the_chart_takes_the_values_of_the_guide(tmp_path):
    (example,) = re.findall(r"```yaml\n(# my-values.yaml\n.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "my-values.yaml").write_text(example)

    found = objects_in(render("--values", str(tmp_path / "my-values.yaml")))

    images = {
        item["spec"]["template"]["spec"]["containers"][0]["image"] for item in found if item["kind"] == "Deployment"
    }
    assert images == {"registry.example.org/tonalog:0.1.0"}


def test_two_releases_share_no_name():
    names = {name for _, name in rendered(*EVERYTHING, name="night")}

    assert all(name == "night" or name.startswith("night-") for name in names)


def test_a_package_of_the_chart_holds_what_the_chart_links_to(tmp_path, helm):
    done = run_helm("package", str(CHART), "--destination", str(tmp_path), home=tmp_path)
    (package,) = Path(tmp_path).glob("tonalog-*.tgz")

    listed = subprocess.run(["tar", "-xzOf", package, "tonalog/files/roles.sql"], capture_output=True, check=True)
    assert done.returncode == 0, done.stderr
    assert listed.stdout.decode() == (ROOT / "deploy" / "postgres" / "roles.sql").read_text()
    assert helm
