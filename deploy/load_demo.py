"""Put the example notes into the bucket, as whoever brings recordings would; for the profile `demo` of docker-compose.yml."""

import mimetypes
import os
import sys
from pathlib import Path

import boto3
from botocore.config import Config

# Of a server that is no AWS, only the host itself has a name, and no bucket.
CONFIG = Config(s3={"addressing_style": "path"}, retries={"mode": "standard", "total_max_attempts": 5})


def main() -> int:
    """Upload every file below the folder that is named, under its path in that folder."""
    folder, bucket = Path(sys.argv[1]), os.environ["S3_BUCKET"]
    client = boto3.client(
        "s3",
        endpoint_url=os.environ["S3_ENDPOINT_URL"],
        region_name=os.environ["S3_REGION"],
        aws_access_key_id=os.environ["UPLOAD_S3_ACCESS_KEY"],
        aws_secret_access_key=os.environ["UPLOAD_S3_SECRET_KEY"],
        config=CONFIG,
    )
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if not files:
        sys.stderr.write(f"no files in {folder}\n")
        return 1
    for path in files:
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        client.upload_file(str(path), bucket, path.relative_to(folder).as_posix(), ExtraArgs={"ContentType": kind})
    sys.stdout.write(f"{len(files)} notes are in s3://{bucket}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
