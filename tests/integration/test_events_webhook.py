"""A real S3 server tells the HTTP API of new objects by its own webhook, and they are recordings seconds later."""

import time

import pytest
from api_samples import a_key, running
from db_samples import add_active_model, count, new_sqlite
from servers import S3Server
from servers.s3 import ACCESS_KEY, SECRET_KEY

from config.settings import Settings
from db import recordings
from db.reasons import Scope
from scheduler.app import make_app
from scheduler.service import Service

pytestmark = pytest.mark.long
BUCKET = "voice"


class TellingServer(S3Server):
    """SeaweedFS whose filer sends what happens to a URL with a key."""

    def __init__(self, *, url, key):
        super().__init__()
        lines = ("[notification.webhook]", "enabled = true", f'endpoint = "{url}"', f'bearer_token = "{key}"')
        (self.folder / "notification.toml").write_text("\n".join(lines))

    def _command(self):
        program, *others = super()._command()
        return [program, f"-config_dir={self.folder}", *others]


def test_objects_that_are_put_and_replaced_are_registered_and_removals_and_folders_are_not(tmp_path):
    engine = new_sqlite(tmp_path)
    add_active_model(engine)
    place = {"storage_url": f"s3://{BUCKET}/notes/", "database_url": f"sqlite:///{tmp_path}/tonalog.db"}
    with running(engine, **place) as port:
        server = TellingServer(url=f"http://127.0.0.1:{port}/v1/events/s3", key=a_key(engine, "default", Scope.EVENTS))
        server.start()
        try:
            reach = {"s3_endpoint_url": server.endpoint_url, "s3_access_key": ACCESS_KEY, "s3_secret_key": SECRET_KEY}
            settings = Settings(home=tmp_path / "home", **place, **reach)
            service = Service(settings, make_app(settings))
            client = server.access(BUCKET).client()
            client.create_bucket(Bucket=BUCKET)
            client.put_object(Bucket=BUCKET, Key="notes/ana/gone.ogg", Body=b"sound")
            client.delete_object(Bucket=BUCKET, Key="notes/ana/gone.ogg")
            for content in (b"first", b"second"):
                client.put_object(Bucket=BUCKET, Key="notes/ana/a b+ü.ogg", Body=content)
            client.put_object(Bucket=BUCKET, Key="other/a.ogg", Body=b"sound")

            deadline = time.monotonic() + 60
            while not service.events.take_rows().n_made and time.monotonic() < deadline:
                time.sleep(0.1)

            (made,) = recordings.find(engine, "notes/ana/a b+ü.ogg")
            assert (made.size_bytes, count(engine, "recordings"), count(engine, "jobs")) == (6, 1, 1)
            assert service.events.counts()["elsewhere"] == 0
        finally:
            server.close()
