"""Where webhooks may go: which URLs and which addresses are taken."""

import ipaddress

import pytest

from api.webhooks.addresses import ForbiddenAddress, UnusableUrl, find_addresses, is_allowed, parse_url, resolve

PRIVATE = [ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00:1::/32")]
# One of each kind; what they are is in the registries of special-purpose addresses of IANA.
NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]
PUBLIC = [
    "1.1.1.1",
    "9.9.9.9",
    "172.32.0.1",
    "192.167.1.1",
    "223.255.255.1",
    "2606:4700::1111",
    "2a00:1450::1",
    "::ffff:9.9.9.9",
]


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_no_address_of_a_special_purpose_is_taken(text):
    assert not is_allowed(ipaddress.ip_address(text), [])


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_taken(text):
    assert is_allowed(ipaddress.ip_address(text), [])


@pytest.mark.parametrize(
    ("text", "is_taken"),
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("10.2.0.1", False), ("fd00:1::5", True), ("127.0.0.1", False)],
)
def test_an_operator_allows_networks_and_nothing_beside_them(text, is_taken):
    assert is_allowed(ipaddress.ip_address(text), PRIVATE) is is_taken


def test_a_url_is_taken_apart():
    target = parse_url("https://App.Example.:8443/hooks/a?b=c&d", allowed=[])

    assert (target.scheme, target.host, target.port, target.path) == ("https", "app.example", 8443, "/hooks/a?b=c&d")
    assert target.authority == "app.example:8443"
    assert parse_url("https://app.example", allowed=[]).authority == "app.example"
    assert parse_url("https://[2606:4700::1111]/", allowed=[]).authority == "[2606:4700::1111]"
    assert parse_url("http://10.1.0.1/x", allowed=PRIVATE).port == 80


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "not a URL"),
        ("app.example/hooks", "https://"),
        ("http://app.example/", "https://"),
        ("ftp://app.example/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("https://", "no host name"),
        ("https:///x", "no host name"),
        ("https://user@app.example/", "user or password"),
        ("https://user:secret@app.example/", "user or password"),
        ("https://app.example@127.0.0.1/", "user or password"),
        ("https://@app.example/", "user or password"),
        ("https://app.example/#x", "not a URL"),
        ("https://app.example/a b", "not a URL"),
        ("https://app.example/\r\nX: y", "not a URL"),
        ("https://app.example\\@127.0.0.1/", "not a URL"),
        ("https://bücher.example/", "not a URL"),
        ("https://app.example/" + "x" * 2000, "not a URL"),
        ("https://app.example:22/", "port 22"),
        ("https://app.example:25/", "port 25"),
        ("https://app.example:0/", "port 0"),
        ("https://app.example:65536/", "cannot be read"),
        ("https://app.example:x/", "cannot be read"),
        ("https://[::1/", "cannot be read"),
        ("https://127.0.0.1/", "not a public address"),
        ("https://[::1]/", "not a public address"),
        ("https://[::ffff:127.0.0.1]/", "not a public address"),
        ("https://169.254.169.254/latest", "not a public address"),
        ("https://2130706433/", "no host name"),
        ("https://0x7f000001/", "no host name"),
        ("https://0x7f.1/", "no host name"),
        ("https://127.1/", "no host name"),
        ("https://017700000001/", "no host name"),
        ("https://exa%6dple.com/", "no host name"),
        ("https://-a.example/", "no host name"),
        ("https://a..example/", "no host name"),
        ("https://" + "a" * 64 + ".example/", "no host name"),
    ],
)
def test_a_url_that_cannot_be_used_is_refused_with_the_reason(url, said):
    with pytest.raises(UnusableUrl, match=said):
        parse_url(url, allowed=[])


def find(url, found, allowed=()):
    return find_addresses(parse_url(url, allowed=allowed), allowed=allowed, resolve=lambda *_: found)


def test_one_address_that_is_not_public_is_enough_to_refuse_a_name():
    assert find("https://app.example/", ["9.9.9.9", "2606:4700::1111"]) == ["9.9.9.9", "2606:4700::1111"]
    with pytest.raises(ForbiddenAddress, match="not public"):
        find("https://app.example/", ["9.9.9.9", "127.0.0.1"])


def test_plain_http_goes_to_allowed_networks_only():
    assert find("http://app.internal/", ["10.1.0.7"], PRIVATE) == ["10.1.0.7"]
    with pytest.raises(ForbiddenAddress, match="TONALOG_WEBHOOK_ALLOW"):
        find("http://app.example/", ["9.9.9.9"], PRIVATE)


def test_what_the_resolver_makes_of_a_number_is_checked_too():
    with pytest.raises(ForbiddenAddress):
        find_addresses(parse_url("https://localhost/", allowed=[]), allowed=[], resolve=resolve)
    with pytest.raises(OSError, match="no address"):
        find("https://app.example/", [])
