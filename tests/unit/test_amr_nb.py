"""The AMR-NB files in `encoded` are what an encoder makes of the tests' own sounds."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest

from tests.unit import amr_nb
from tests.unit.recordings import encode_foreign, encode_with_gap
from tests.unit.sounds import make_voice


@pytest.mark.parametrize("muxer", ["amr", "3gp", "mov"])
@pytest.mark.parametrize("name", amr_nb.SOUNDS)
def test_a_stored_recording_is_what_the_encoder_makes_of_its_sound(name: str, muxer: str) -> None:
    signal = amr_nb.SOUNDS[name]()

    stored = amr_nb.put_into(muxer, signal)

    assert stored == encode_foreign(muxer, amr_nb.ENCODER, signal, 8_000)  # with PyAV 19 this is the stored one again
    with av.open(io.BytesIO(stored)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size]
    assert len(packets) == len(signal) // 320 + 1  # the encoder is late by less than a frame
    assert {packet.size for packet in packets} == {32}


@pytest.mark.parametrize("muxer", ["3gp", "mov"])
@pytest.mark.parametrize("name", amr_nb.SOUNDS)
def test_a_stored_recording_has_the_gap_that_the_encoder_would_leave(name: str, muxer: str) -> None:
    signal = amr_nb.SOUNDS[name]()

    stored = amr_nb.put_into(muxer, signal, at_s=0.5, gap_s=20.0)

    assert stored == encode_with_gap(muxer, amr_nb.ENCODER, signal, 8_000, at_s=0.5, gap_s=20.0)
    with av.open(io.BytesIO(stored)) as container:
        stamps = [packet.pts for packet in container.demux(audio=0) if packet.size]
    assert max(np.diff(stamps)) == 20 * 8_000 + 160  # the gap and a frame


def test_a_sound_that_nobody_stored_is_said() -> None:
    with pytest.raises(LookupError, match="of 24000 samples"):
        amr_nb.find_encoded(make_voice(1.5))
