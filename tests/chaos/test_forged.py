"""What the intruder of the chaos runs forges is what it says: real ids with limits, ids that are none, broken envelopes."""

import base64
import json
import pickle
import random

import pytest

from tests.chaos import faults, forged
from tests.chaos.backends import BACKENDS

JOB_IDS = [3, 4, 5]
FORGES = (forged.forge_limits, forged.forge_ids, forged.forge_tasks, forged.forge_envelopes)


@pytest.mark.parametrize("forge", FORGES)
def test_the_same_seed_forges_for_the_same_queues(forge, tmp_path):
    once, again = (forge(JOB_IDS, random.Random(7), tmp_path / "x") for _ in range(2))

    assert [queue for queue, _ in once] == [queue for queue, _ in again]
    assert {queue for queue, _ in once} <= set(forged.QUEUES)


def test_forged_limits_name_each_real_job_three_times(tmp_path):
    messages = [json.loads(content) for _, content in forged.forge_limits(JOB_IDS, random.Random(7), tmp_path / "x")]

    named = [json.loads(base64.b64decode(message["body"]))[0] for message in messages]
    assert sorted(named) == sorted([[job_id] for job_id in JOB_IDS] * 3)
    assert all("timelimit" in message["headers"] for message in messages)


def test_a_forged_pickle_makes_its_marker_where_somebody_loads_it(tmp_path):
    marker = tmp_path / "unpickled"
    contents = [content for _, content in forged.forge_envelopes(JOB_IDS, random.Random(7), marker)]
    pickles = [content for content in contents if b"python-serialize" in content]

    pickle.loads(base64.b64decode(json.loads(pickles[0])["body"])).close()

    assert marker.exists()


@pytest.mark.parametrize("name", BACKENDS)
def test_every_plan_has_an_intruder_and_junk_only_where_the_queue_is_a_folder(name):
    planned = faults.plan(BACKENDS[name], seed=1, seconds=450.0, every_s=1.6)

    kinds = {item.fault.kind for item in planned}
    assert {
        "forged limits of time",
        "forged ids",
        "forged tasks and texts",
        "forged envelopes",
        "remote commands",
    } <= kinds
    assert ("junk in the queue's folder" in kinds) == (name == "files-sqlite")
    assert 8 * len(planned) > 2_000, "four backends twice are one hour and more than 2,000 faults"
