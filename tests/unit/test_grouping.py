"""Which jobs share a message: short and sound ones, never so many that a process would have all of them."""

from db_samples import a_recording, add_jobs, new_sqlite, set_job

from config.queues import JOBS_PER_MESSAGE
from db import jobs, models, recordings
from db.claims import SHORT_BYTES, sizes_to_share
from db.reasons import Lane
from scheduler.grouping import MESSAGES_AT_LEAST, group


def due(n, lane=Lane.NIGHTLY, *, first=1):
    return [(job_id, lane) for job_id in range(first, first + n)]


def test_every_job_is_in_one_message_of_its_lane_in_the_order_of_the_pump():
    both = due(200) + due(100, Lane.BULK, first=201)

    messages = group(both, {job_id: 1_000 for job_id, _ in both if job_id % 5})

    for lane in (Lane.NIGHTLY, Lane.BULK):
        sent = [job_id for of_lane, ids in messages for job_id in ids if of_lane is lane]
        assert sorted(sent) == [job_id for job_id, of_lane in both if of_lane is lane]
        shared = [job_id for job_id in sent if job_id % 5]
        assert shared == sorted(shared)
    assert all(len(ids) == 1 for _, ids in messages if ids[0] % 5 == 0)


def test_many_short_jobs_fill_messages_and_few_are_spread():
    many, few = due(1_000), due(20)

    assert max(len(ids) for _, ids in group(many, dict.fromkeys(dict(many), 1))) == JOBS_PER_MESSAGE
    assert len(group(few, dict.fromkeys(dict(few), 1))) >= MESSAGES_AT_LEAST


def test_a_message_holds_no_more_bytes_than_one_long_recording_of_the_short_ones():
    many = due(1_000)

    messages = group(many, dict.fromkeys(dict(many), SHORT_BYTES // 3))

    assert {len(ids) for _, ids in messages} == {3, 1}


def test_uploads_suspects_long_recordings_and_what_is_redelivered_have_a_message_of_their_own(tmp_path):
    engine = new_sqlite(tmp_path)
    ids = add_jobs(engine, 6)
    recordings.register(engine, [a_recording("ben/long.wav", size_bytes=SHORT_BYTES + 1)])
    jobs.create_jobs(engine, models.active_model(engine).id, lane=Lane.NIGHTLY)
    for job_id, values in zip(
        ids[1:],
        ({"lane": Lane.INTERACTIVE}, {"lost_count": 1}, {"failures": 1}, {"transients": 1}, {"queue_count": 1}),
        strict=True,
    ):
        set_job(engine, job_id, **values)

    assert sizes_to_share(engine, [*ids, 7]) == {ids[0]: 1_000}
