"""Score a long recording in a worker's child, or many short ones by a worker, and say how much memory that takes.

python benchmarks/memory.py [--hours 4] [--codec NAME]
python benchmarks/memory.py --notes 10000
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
from numpy.typing import NDArray

try:
    from benchmarks import many_notes
    from benchmarks.protocol import print_protocol
except ModuleNotFoundError:  # started by its path
    import many_notes
    from protocol import print_protocol

from config.settings import Settings
from tonalog.bundles import default_bundle
from worker import runtime
from worker.audio.decode import SAMPLING_RATE_HZ as RATE_HZ
from worker.audio.decode import iter_blocks
from worker.forking import prepare_parent
from worker.limits import limits_of
from worker.memory import return_free_memory, return_large_pieces
from worker.scoring.bundle import load_bundle
from worker.scoring.pipeline import score_recording
from worker.scoring.scorer import Scorer

MINUTE_S = 60
MIB = 1 << 20
EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "notes" / "vera" / "2026-03-05T06-58-20Z.wav"


def main() -> int:
    """Run each codec in a process of its own; return 1 if one could not be scored."""
    options = read_options()
    if options.notes:
        return print_notes(options.notes)
    bundle = load_bundle(default_bundle(Settings.read()))
    print_protocol(
        f"{options.hours} h of voice and pauses, scored with {bundle.manifest.name}-{bundle.manifest.version}",
        order="one codec after another, each in a fresh process that forks as a worker does",
    )
    print(
        f"\n{'codec':<8}{'file MiB':>9}{'parent':>8}{'child peak':>11}{'child own':>10}{'windows':>9}{'s':>7}",
        flush=True,
    )
    codes = []
    for codec in options.codec or WRITERS:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "recording"
            WRITERS[codec](path, read_minute(), round(options.hours * 60))
            codes.append(run_in_child(lambda path=path, codec=codec: measure(path, codec)))
    return 1 if any(codes) else 0


def read_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--hours", type=float, default=4.0, help="length of the recording")
    parser.add_argument(
        "--notes", type=int, help="instead: so many notes of 2 s, by a real worker on the embedded stack"
    )
    parser.add_argument("--codec", action="append", choices=list(WRITERS), help="only this; may be given again")
    return parser.parse_args()


def print_notes(n_notes: int) -> int:
    """Print what a worker holds while it scores many notes."""
    print_protocol(
        f"{n_notes} notes of {many_notes.NOTE_S:g} s, scored by `tonalog run` with one pool process",
        order="one run; growth counts from a tenth of the notes on",
    )
    looks = many_notes.measure(read_minute(), n_notes=n_notes)
    print(f"\n{'notes':>8}{'parent MiB':>12}{'child own MiB':>15}")
    for look in looks:
        print(f"{look.n_notes:>8}{look.parent_mib:>12.1f}{look.child_mib:>15.1f}")
    for name, value in many_notes.summarise(looks).items():
        print(f"{name:<20}{value:>8.1f}")
    return 0


def read_minute() -> NDArray[np.float32]:
    """Read an example note and repeat it with pauses, for a minute."""
    with EXAMPLE.open("rb") as file:
        speech = np.concatenate(list(iter_blocks(file)))
    sentence = np.append(speech, np.zeros(3 * RATE_HZ, dtype=np.float32))
    return np.tile(sentence, MINUTE_S * RATE_HZ // len(sentence) + 1)[: MINUTE_S * RATE_HZ]


def write_wav(path: Path, minute: NDArray[np.float32], n_minutes: int) -> None:
    """Write 16-bit PCM."""
    with soundfile.SoundFile(path, "w", RATE_HZ, 1, "PCM_16", format="WAV") as sound:
        for _ in range(n_minutes):
            sound.write(minute)


def write_by_packets(muxer: str, codec: str, rate_hz: int) -> Callable[[Path, NDArray[np.float32], int], None]:
    """Make a writer that encodes one minute and writes its packets again and again."""

    def write(path: Path, minute: NDArray[np.float32], n_minutes: int) -> None:
        with av.open(str(path), "w", format=muxer) as container:
            stream = container.add_stream(codec, rate=rate_hz)
            stream.layout = "mono"
            packets = encode(stream, minute, rate_hz)
            n_ticks = stream.codec_context.frame_size
            for n in range(n_minutes * len(packets)):
                packet = av.Packet(packets[n % len(packets)])
                packet.stream, packet.time_base, packet.duration = stream, Fraction(1, rate_hz), n_ticks
                packet.pts = packet.dts = n * n_ticks
                container.mux(packet)

    return write


def encode(stream: av.AudioStream, minute: NDArray[np.float32], rate_hz: int) -> list[bytes]:
    """Encode a minute of sound."""
    frame = av.AudioFrame.from_ndarray(minute[np.newaxis], format="fltp", layout="mono")
    frame.sample_rate = RATE_HZ
    context = stream.codec_context
    context.open()
    wanted = context.codec.audio_formats[0].name
    resampler = av.AudioResampler(format=wanted, layout="mono", rate=rate_hz, frame_size=context.frame_size)
    return [bytes(packet) for piece in resampler.resample(frame) for packet in stream.encode(piece) if packet.size]


WRITERS = {
    "wav": write_wav,
    "m4a": write_by_packets("ipod", "aac", 44_100),
    "opus": write_by_packets("ogg", "libopus", 48_000),
}


def run_in_child(work: Callable[[], None]) -> int:
    """Run in a forked process; return its exit code."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            sys.stdout.flush()
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def measure(path: Path, codec: str) -> None:
    """Import as a worker's parent, score as its child."""
    runtime.preload()
    prepare_parent(Settings.read())
    parent_mib = read_status("VmRSS")

    def score() -> None:
        return_large_pieces()
        settings = Settings.read()
        limits = replace(limits_of(settings), max_bytes=1 << 31, max_decode_s=3600.0)
        scorer = Scorer(load_bundle(default_bundle(settings)), threads=settings.scorer_threads)
        return_free_memory()
        start_s = time.perf_counter()
        with path.open("rb") as file:
            note = score_recording(file, scorer, limits=limits)
        seconds = time.perf_counter() - start_s
        print(
            f"{codec:<8}{path.stat().st_size / MIB:>9.0f}{parent_mib:>8.0f}{read_status('VmHWM'):>11.0f}{read_own_mib():>10.0f}"
            f"{note.n_windows:>9}{seconds:>7.0f}"
        )

    if run_in_child(score):
        raise RuntimeError(f"the {codec} recording could not be scored")


def read_status(name: str) -> float:
    """Read a line of /proc/self/status in MiB (Linux only)."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def read_own_mib() -> float:
    """Read what this process shares with nobody."""
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024


if __name__ == "__main__":
    sys.exit(main())
