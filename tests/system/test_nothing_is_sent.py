"""What leaves this machine and what is left on it: nothing but what goes to the configured servers and into our home.

`CI` is not set here, whatever it is outside: onnxruntime sends nothing where it is, so that no CI would see it.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from command import NOTES, wait_until

TONALOG = Path(sys.executable).with_name("tonalog")
NOTE = NOTES / "luca" / "2026-03-02T12-30-00Z.m4a"
STRACE = ["strace", "--seccomp-bpf", "-f", "-qq", "-s", "4096", "-e", "trace=%network,%file"]
TRACED_S = (
    6  # onnxruntime 1.32 looks its server up four seconds after a first session, so a worker is watched this long
)
CALL = re.compile(r"^(?P<pid>\d+) +(?P<name>\w+)\((?P<arguments>.*)$")
RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. \w+ resumed>(?P<arguments>.*)$")
RESULT = re.compile(r"\) += (-?\d+)[^)]*(?:\([^()]*\))?$")
UNFINISHED = "<unfinished ...>"
ADDRESS = re.compile(
    r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)")'
    r'|inet_pton\(AF_INET6, "([^"]+)".*?sin6_port=htons\((\d+)\)'
)
SENDS = {"connect", "sendto", "sendmsg", "sendmmsg"}
# The last two are how glibc asks nscd and systemd-resolved; it asks nscd for users, too.
LOOKS_UP = ("resolv.conf", 'hosts\\0"', "systemd/resolve")
# Semaphores and the like, which have no name any more once they are made; devices.
# The last is the system's own clock for ids of the machine, where uuid-runtime is installed and this is root.
NOT_KEPT = ("/dev/", "/proc/", "/var/lib/libuuid/")


def cannot_trace():
    """Say why strace cannot be used here; None where it can."""
    try:
        done = subprocess.run([*STRACE, "-o", "/dev/null", "true"], check=False, capture_output=True, text=True)
    except OSError as error:
        return f"strace: {error.strerror}"
    return done.stderr.strip()[-200:] if done.returncode else None


@dataclass
class Watched:
    """Starts `tonalog` with a home folder of a user that has never run anything, and keeps what it does."""

    folder: Path
    servers: frozenset = frozenset()
    variables: dict = field(default_factory=dict)
    traces: list = field(default_factory=list)

    def __post_init__(self):
        for name in ("user", "tmp", "notes"):
            (self.folder / name).mkdir()
        shutil.copy(NOTE, self.folder / "notes")
        self.why_not = cannot_trace()

    def start(self, *arguments):
        trace = self.folder / f"trace-{len(self.traces)}"
        self.traces.append(trace)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "user"),
            "TMPDIR": str(self.folder / "tmp"),
            "TONALOG_HOME": str(self.folder / "home"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.variables,
        }
        with (self.folder / f"{trace.name}.log").open("ab") as log:
            return subprocess.Popen(
                [*([] if self.why_not else [*STRACE, "-o", trace]), TONALOG, *arguments],
                cwd=self.folder / "notes",
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def run(self, *arguments):
        assert self.start(*arguments).wait(150) == 0, self.printed()

    def printed(self):
        return "\n".join(log.read_text() for log in sorted(self.folder.glob("*.log")))

    def stop(self, *processes):
        for process in processes:
            os.killpg(process.pid, signal.SIGTERM)
        for process in processes:
            process.wait(60)

    def check(self):
        """Nothing in HOME or in the temporary folder; where it could be traced, nothing sent and nothing made elsewhere."""
        left = [str(path) for name in ("user", "tmp") for path in (self.folder / name).rglob("*")]
        assert left == []
        if self.why_not:
            pytest.skip(f"nothing was left in HOME; what was sent could not be traced: {self.why_not}")
        calls = [call for trace in self.traces for call in read_calls(trace)]
        assert any(name == "execve" for name, _, _ in calls)
        assert sorted({offence for call in calls if (offence := self.offends(*call))}) == []

    def offends(self, name, arguments, result):
        if any(word in arguments for word in LOOKS_UP):
            return f"looks a name up: {name}({arguments[:200]}"
        if name in SENDS:
            for groups in ADDRESS.findall(arguments):
                address = (groups[1] or groups[2] or groups[3], int(groups[0] or groups[4]))
                if address not in self.servers:
                    return f"sends to {address}: {name}"
        is_making = name in {"mkdir", "mkdirat", "creat", "mknod", "mknodat"} or "O_CREAT" in arguments
        path = next(iter(re.findall(r'"([^"]*)"', arguments)), "")
        if is_making and result >= 0 and not path.startswith(NOT_KEPT):
            whole = Path(os.path.normpath(self.folder / "notes" / path))
            if not any(whole.is_relative_to(self.folder / place) for place in ("home", "tmp")):
                return f"makes {whole}"
        return None


def read_calls(trace):
    """Give (name, arguments, result) of each system call; one that never came back counts as done."""
    begun = {}
    for line in trace.read_text(errors="replace").splitlines():
        if call := CALL.match(line):
            name, arguments = call["name"], call["arguments"]
            if arguments.endswith(UNFINISHED):
                begun[call["pid"]] = (name, arguments.removesuffix(UNFINISHED))
                continue
        elif (rest := RESUMED.match(line)) and rest["pid"] in begun:
            name, arguments = begun.pop(rest["pid"])
            arguments += rest["arguments"]
        else:
            continue
        result = RESULT.search(arguments)
        yield name, arguments, int(result[1]) if result else 0
    for name, arguments in begun.values():
        yield name, arguments, 0


def test_the_trace_is_read_as_strace_writes_it(tmp_path):
    watched = Watched(tmp_path, frozenset({("127.0.0.1", 6379)}))
    (tmp_path / "trace").write_text(
        '7 connect(3, {sa_family=AF_INET, sin_port=htons(6379), sin_addr=inet_addr("127.0.0.1")}, 16) = 0\n'
        '7 connect(3, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("10.0.0.1")}, 16 <unfinished ...>\n'
        "7 <... connect resumed>) = -1 EINPROGRESS (Operation now in progress)\n"
        '7 sendto(3, "x", 1, 0, {sa_family=AF_INET6, sin6_port=htons(443), sin6_flowinfo=htonl(0), '
        'inet_pton(AF_INET6, "2001:db8::1", &sin6_addr), sin6_scope_id=0}, 28) = 1\n'
        '7 openat(AT_FDCWD, "/etc/resolv.conf", O_RDONLY|O_CLOEXEC) = 3\n'
        f'7 openat(AT_FDCWD, "{tmp_path}/user/.cache/id", O_RDWR|O_CREAT, 0644) = 3\n'
        '7 mkdir("../home/queue", 0700) = 0\n'
        '7 mkdir("/nowhere", 0700) = -1 EACCES (Permission denied)\n'
        '7 openat(AT_FDCWD, "/var/lib/libuuid/clock.txt", O_RDWR|O_CREAT|O_CLOEXEC, 0660 <unfinished ...>\n'
        '8 mkdir("/elsewhere", 0700 <unfinished ...>\n'
        "7 <... openat resumed>) = -1 ENOENT (No such file or directory)\n"
    )

    offences = [offence for call in read_calls(tmp_path / "trace") if (offence := watched.offends(*call))]

    assert [offence.split(":")[0] for offence in offences] == [
        "sends to ('10.0.0.1', 53)",
        "sends to ('2001",
        "looks a name up",
        f"makes {tmp_path}/user/.cache/id",
        "makes /elsewhere",
    ]


@pytest.mark.parametrize("module", ["worker.scoring.onnx_runtime", "training.bundle.quantization"])
def test_the_modules_that_import_onnxruntime_leave_nothing_in_the_home_of_their_user(tmp_path, module):
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ORT_DISABLE_TELEMETRY": "0"}
    program = f"import sys, {module}; print('onnxruntime' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == "True\n"
    assert list(tmp_path.rglob("*")) == []


def test_scoring_files_and_a_run_on_one_machine_send_nothing_and_keep_all_in_the_home(tmp_path):
    watched = Watched(tmp_path, variables={"ORT_DISABLE_TELEMETRY": "0"})

    watched.run("score", NOTE.name)
    watched.run("run", ".")

    assert "1 recordings: 1 scored." in watched.printed()
    watched.check()


def test_worker_and_scheduler_talk_to_their_servers_and_to_nobody_else(tmp_path, redis_url, postgres_url, s3):
    s3.client().put_object(Bucket=s3.bucket, Key="ana/2026-03-02T12-30-00Z.m4a", Body=NOTE.read_bytes())
    urls = [urlsplit(url) for url in (redis_url, postgres_url, s3.endpoint_url)]
    watched = Watched(
        tmp_path,
        frozenset((url.hostname, url.port) for url in urls),
        {
            "TONALOG_DATABASE_URL": postgres_url,
            "TONALOG_BROKER_URL": redis_url,
            "TONALOG_STORAGE_URL": f"s3://{s3.bucket}",
            "TONALOG_S3_ENDPOINT_URL": s3.endpoint_url,
            "TONALOG_S3_ACCESS_KEY": s3.access_key,
            "TONALOG_S3_SECRET_KEY": s3.secret_key,
            "TONALOG_SWEEP_S": "1",
            "TONALOG_WORKER_CONCURRENCY": "1",
        },
    )

    watched.run("db", "upgrade")
    processes = [watched.start("scheduler"), watched.start("worker")]
    try:
        watched.run("scan")
        assert wait_until(lambda: n_done(postgres_url) == 1, timeout_s=150), watched.printed()
        wait_until(lambda: False, timeout_s=TRACED_S)
    finally:
        watched.stop(*processes)

    watched.check()


def n_done(url):
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as connection:
        return connection.execute("SELECT count(*) FROM jobs WHERE state = 'DONE'").fetchone()[0]
