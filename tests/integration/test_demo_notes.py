"""What the profile `demo` of docker-compose.yml runs once, on a real S3: examples/notes are in the bucket as they are here."""

import os
import subprocess
import sys

from command import NOTES, ROOT
from compose import read_env, services

GIVEN = read_env((ROOT / "deploy" / "env.example").read_text())
DEMO = services(GIVEN, ["demo"])["demo-notes"]


def load(s3, folder):
    """Run the service's own command with its own variables, told where this S3 and the notes are."""
    here = {
        "S3_BUCKET": s3.bucket,
        "S3_ENDPOINT_URL": s3.endpoint_url,
        "UPLOAD_S3_ACCESS_KEY": s3.access_key,
        "UPLOAD_S3_SECRET_KEY": s3.secret_key,
    }
    assert set(here) < set(DEMO.environment)
    program, script, _ = DEMO.command
    assert program == "python"
    return subprocess.run(
        [sys.executable, str(DEMO.bind_mounts[script]), str(folder)],
        env={"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"} | DEMO.environment | here,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_example_notes_are_uploaded_under_their_own_names_and_again_changes_nothing(s3):
    expected = {path.relative_to(NOTES).as_posix(): path.read_bytes() for path in NOTES.rglob("*") if path.is_file()}
    client = s3.client()

    for _ in range(2):
        done = load(s3, NOTES)
        assert done.returncode == 0, done.stderr
        keys = [item["Key"] for item in client.list_objects_v2(Bucket=s3.bucket)["Contents"]]
        assert {key: client.get_object(Bucket=s3.bucket, Key=key)["Body"].read() for key in keys} == expected


def test_a_folder_without_notes_is_an_error(s3, tmp_path):
    done = load(s3, tmp_path)

    assert (done.returncode, f"no files in {tmp_path}" in done.stderr) == (1, True)
