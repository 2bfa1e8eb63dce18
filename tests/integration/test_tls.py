"""Every link over TLS to real servers: the right CA works, the wrong one and plain text are refused in one sentence."""

import pytest
from servers import redis, tls

from config.settings import Settings
from storage.errors import StorageDenied, StorageUnavailable
from storage.open import S3Access, open_store
from tonalog.doctor import examine_one

NOT_TRUSTED = "certificate is not trusted"


@pytest.fixture
def ask(tmp_path):
    """What `tonalog doctor` finds on one link."""

    def ask_doctor(link, **settings):
        return examine_one(Settings.read(home=tmp_path, **settings), link)

    return ask_doctor


@pytest.fixture
def bucket(encrypted):
    """A bucket on the encrypted S3, and how Tonalog reaches it."""
    with encrypted.s3.fresh_bucket() as access:
        yield access


def broker_of(encrypted, ca_file, **options):
    return {"broker_url": encrypted.broker_url(**options), "broker_ca_file": ca_file}


def store_of(access, *, ca_file, endpoint_url=None):
    s3 = S3Access(
        endpoint_url=endpoint_url or access.endpoint_url,
        access_key=access.access_key,
        secret_key=access.secret_key,
        ca_bundle=ca_file and str(ca_file),
    )
    return open_store(f"s3://{access.bucket}", s3=s3)[0]


def test_a_message_goes_through_a_broker_whose_ca_is_known(ask, encrypted):
    found = ask("broker", **broker_of(encrypted, encrypted.certificates.ca))

    assert found.is_well, found.text
    assert found.text.endswith("over TLS")


def test_a_broker_of_another_ca_is_refused(ask, encrypted):
    found = ask("broker", **broker_of(encrypted, encrypted.stranger.ca))

    assert not found.is_well
    assert NOT_TRUSTED in found.text
    assert "TONALOG_BROKER_CA_FILE" in found.text
    assert redis.PASSWORD not in found.text


def test_a_broker_is_never_trusted_just_because_no_ca_is_given(ask, encrypted):
    assert NOT_TRUSTED in ask("broker", **broker_of(encrypted, None)).text


def test_a_broker_with_a_certificate_for_another_name_is_refused(ask, encrypted, redis_server, tmp_path):
    elsewhere = tls.make_certificates(tmp_path / "elsewhere", name="broker.example")
    with tls.TlsFront(redis_server.port, elsewhere.server_context()) as front:
        url = encrypted.broker_url().replace(str(encrypted.redis_port), str(front.port))
        found = ask("broker", broker_url=url, broker_ca_file=elsewhere.ca)

    assert NOT_TRUSTED in found.text
    assert "mismatch" in found.text


def test_plain_text_is_refused_by_a_broker_with_tls_and_the_remedy_is_said(ask, encrypted):
    found = ask("broker", broker_url=encrypted.broker_url(scheme="redis"))

    assert not found.is_well
    assert "begin TONALOG_BROKER_URL with rediss://" in found.text


def test_a_broker_that_wants_to_know_us_lets_in_whom_it_knows_and_nobody_else(ask, encrypted):
    reached = broker_of(encrypted, encrypted.certificates.ca, is_strict=True)

    assert ask("broker", **reached, broker_cert_file=encrypted.certificates.client).is_well
    refused = ask("broker", **reached)
    assert not refused.is_well
    assert "set TONALOG_BROKER_CERT_FILE" in refused.text
    assert not ask("broker", **reached, broker_cert_file=encrypted.stranger.client).is_well


def test_a_query_goes_through_a_database_whose_ca_is_known(ask, encrypted):
    url = encrypted.database_url(f"sslmode=verify-full&sslrootcert={encrypted.certificates.ca}")

    # The database is there and empty: that it lacks our tables is read over TLS.
    assert "tonalog db upgrade" in ask("database", database_url=url).text


@pytest.mark.parametrize(
    ("mode", "ca", "said"),
    [
        ("verify-full", "stranger", "set sslrootcert in the URL to the CA that signed it"),
        ("verify-ca", "stranger", NOT_TRUSTED),
        ("verify-full", "none", "correct sslrootcert in the URL"),
    ],
)
def test_a_database_of_another_ca_is_refused(ask, encrypted, mode, ca, said):
    file = encrypted.stranger.ca if ca == "stranger" else "no-such-file.pem"
    found = ask("database", database_url=encrypted.database_url(f"sslmode={mode}&sslrootcert={file}"))

    assert not found.is_well
    assert said in found.text


def test_plain_text_is_refused_by_a_database_with_tls(ask, encrypted):
    found = ask("database", database_url=encrypted.database_url("sslmode=disable"))

    assert not found.is_well
    if encrypted.postgres_speaks_tls:  # a front hangs up without a word
        assert "it takes encrypted connections only" in found.text


def test_tls_to_a_database_without_it_is_refused_and_the_remedy_is_said(ask, postgres_url):
    found = ask("database", database_url=f"{postgres_url}?sslmode=require")

    assert not found.is_well
    assert "the URL's sslmode asks for it" in found.text


def test_what_is_put_over_tls_comes_back_where_the_ca_is_known(bucket, encrypted):
    store = store_of(bucket, ca_file=encrypted.certificates.ca)

    stored = store.put("ana/2026-03-01.ogg", b"sound")

    with store.open(stored.key, version_tag=stored.version_tag, size_bytes=stored.size_bytes) as opened:
        assert opened.file.read() == b"sound"


@pytest.mark.parametrize("is_given", [True, False])
def test_a_store_of_another_ca_is_refused(bucket, encrypted, is_given):
    store = store_of(bucket, ca_file=encrypted.stranger.ca if is_given else None)

    with pytest.raises(StorageDenied, match="not trusted: set TONALOG_S3_CA_BUNDLE"):
        store.verify()


def test_plain_text_is_refused_by_a_store_with_tls_and_the_remedy_is_said(bucket):
    store = store_of(bucket, ca_file=None, endpoint_url=bucket.endpoint_url.replace("https", "http"))

    with pytest.raises(
        StorageUnavailable, match="hung up: if it speaks TLS, begin TONALOG_S3_ENDPOINT_URL with https://"
    ):
        store.verify()


def test_tls_to_a_store_without_it_is_refused_and_the_remedy_is_said(s3):
    store = store_of(s3, ca_file=None, endpoint_url=s3.endpoint_url.replace("http", "https"))

    with pytest.raises(StorageUnavailable, match="does not speak TLS"):
        store.verify()
