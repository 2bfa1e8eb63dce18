"""What a recording is once it sounds as one of a set of ordinary speech: its band, its place in time, its length and level."""

import numpy as np
import pytest

from tests.unit.sounds import make_noise, make_silence, make_sweep, make_voice
from training.corpora.layouts.listed_sets import SETS
from training.sounds.augment import SAMPLING_RATE_HZ, measure_loudness
from training.sounds.channels import CHANNELS, overdrive, pass_channel, set_loudness, take_piece
from training.sounds.codecs import Codec, pass_codec

RATES = [
    (Codec.PCM, 8_000),
    (Codec.GSM, 8_000),
    (Codec.MP3, 16_000),
    (Codec.MP3, 44_100),
    (Codec.VORBIS, 16_000),
    (Codec.VORBIS, 44_100),
]


def measure_share_above(signal, hertz):
    """Power above a frequency as a share of all, dB."""
    power = np.abs(np.fft.rfft(signal * np.hanning(signal.size))) ** 2
    above = np.fft.rfftfreq(signal.size, 1 / SAMPLING_RATE_HZ) > hertz
    return 10 * np.log10(power[above].sum() / power.sum())


@pytest.mark.parametrize(("codec", "rate_hz"), RATES)
def test_a_codec_keeps_length_and_place_in_time_and_changes_little_of_what_is_in_its_band(codec, rate_hz):
    signal = make_sweep(2.0)

    passed = pass_codec(signal, codec, rate_hz=rate_hz)

    assert (passed.shape, passed.dtype) == (signal.shape, np.float32)
    middle = slice(4_000, 28_000)
    shifts = range(-800, 801)
    products = [np.dot(signal[middle], np.roll(passed, -shift)[middle]) for shift in shifts]
    assert shifts[int(np.argmax(products))] == 0
    assert np.corrcoef(signal[middle], passed[middle])[0, 1] > 0.9
    assert np.abs(passed).max() <= 1.0


@pytest.mark.parametrize(("codec", "rate_hz"), [one for one in RATES if one[1] == 8_000])
def test_nothing_is_left_above_half_the_rate_of_a_telephone(codec, rate_hz):
    noise = make_noise(2.0)

    assert measure_share_above(noise, 4_200) > -4.0
    assert measure_share_above(pass_codec(noise, codec, rate_hz=rate_hz), 4_200) < -40.0


def test_an_mp3_takes_away_high_frequencies_at_16_khz_and_none_of_those_at_44_khz():
    noise = make_noise(2.0)

    lost_db = {
        rate_hz: measure_share_above(pass_codec(noise, Codec.PCM, rate_hz=rate_hz), 7_600)
        - measure_share_above(pass_codec(noise, Codec.MP3, rate_hz=rate_hz), 7_600)
        for rate_hz in (16_000, 44_100)
    }

    assert lost_db[16_000] > 10.0
    assert abs(lost_db[44_100]) < 0.5


@pytest.mark.parametrize("codec", [Codec.GSM, Codec.MP3, Codec.VORBIS])
def test_a_codec_that_loses_something_is_not_a_copy(codec):
    voice = make_voice(1.0)
    plain = pass_codec(voice, Codec.PCM, rate_hz=8_000 if codec is Codec.GSM else 16_000)

    passed = pass_codec(voice, codec, rate_hz=8_000 if codec is Codec.GSM else 16_000)

    assert np.abs(passed - plain).max() > 1e-3
    np.testing.assert_array_equal(passed, pass_codec(voice, codec, rate_hz=8_000 if codec is Codec.GSM else 16_000))


@pytest.mark.parametrize(("codec", "rate_hz"), RATES)
@pytest.mark.parametrize("n_samples", [0, 1, 7, 161])
def test_a_signal_shorter_than_a_frame_keeps_its_length(codec, rate_hz, n_samples):
    assert pass_codec(make_voice(1.0)[:n_samples], codec, rate_hz=rate_hz).size == n_samples


@pytest.mark.parametrize(
    ("codec", "rate_hz", "said"),
    [
        (Codec.GSM, 16_000, "gsm at 16000 Hz; allowed is 8000"),
        (Codec.PCM, 0, "pcm at 0 Hz; allowed is over 0 and at most 48000"),
        (Codec.MP3, 96_000, "mp3 at 96000 Hz; allowed is over 0"),
    ],
)
def test_a_rate_that_a_codec_has_not_is_refused(codec, rate_hz, said):
    with pytest.raises(ValueError, match=said):
        pass_codec(make_voice(0.1), codec, rate_hz=rate_hz)


def test_every_set_of_ordinary_speech_has_a_channel():
    assert set(CHANNELS) == {one.title for one in SETS if not one.is_selection_only}


@pytest.mark.parametrize("title", sorted(CHANNELS))
def test_a_copy_has_the_length_the_level_and_the_band_of_its_set(title):
    channel = CHANNELS[title]
    voice = make_voice(12.0) + make_noise(12.0, peak=0.02)

    copies = [pass_channel(voice, channel, np.random.default_rng(seed)) for seed in range(6)]

    for copy in copies:
        assert copy.dtype == np.float32
        assert channel.duration_s[0] - 0.01 <= copy.size / SAMPLING_RATE_HZ <= channel.duration_s[1] + 0.01
        assert np.abs(copy).max() <= 1.0
        level_db = 20 * np.log10(measure_loudness(copy))
        assert level_db >= channel.loudness_db[0] - 3.0
        assert level_db <= channel.loudness_db[1] + 3.0 or channel.overdriven > 0.0
        assert (measure_share_above(copy, 4_300) < -35.0) == (channel.rate_hz == 8_000)
    assert len({copy.size for copy in copies}) > 1


def test_a_copy_depends_on_its_seed_and_on_nothing_else():
    voice = make_voice(3.0)

    first, same, other = (pass_channel(voice, CHANNELS["fsdd"], np.random.default_rng(seed)) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first, same)
    assert first.size != other.size


@pytest.mark.parametrize("signal", [make_silence(1.0), make_silence(0.0)], ids=["silence", "nothing"])
def test_silence_stays_silence_in_every_channel(signal):
    for channel in CHANNELS.values():
        assert np.abs(pass_channel(signal, channel, np.random.default_rng(0))).max(initial=0.0) < 1e-3


def test_a_piece_is_a_stretch_of_the_signal_and_not_a_pause():
    signal = np.concatenate([make_silence(3.0), make_voice(1.0), make_silence(3.0)])
    signal += np.arange(signal.size, dtype=np.float32) * 1e-9  # Every sample tells its place.

    for seed in range(20):
        piece = take_piece(signal, 8_000, np.random.default_rng(seed))
        first = int(np.flatnonzero(signal == piece[0])[0])
        np.testing.assert_array_equal(piece, signal[first : first + 8_000])
        assert np.abs(piece).max() > 0.1


def test_a_signal_shorter_than_the_piece_stays_whole():
    voice = make_voice(0.5)

    assert take_piece(voice, 16_000, np.random.default_rng(0)) is voice


def test_a_piece_of_nothing_is_refused():
    with pytest.raises(ValueError, match="a piece of 0 samples; allowed are 1 and more"):
        take_piece(make_voice(0.5), 0, np.random.default_rng(0))


def test_a_level_is_met_unless_the_peak_would_leave_full_scale():
    voice = make_voice(2.0)

    assert 20 * np.log10(measure_loudness(set_loudness(voice, -40.0))) == pytest.approx(-40.0, abs=0.05)
    assert np.abs(set_loudness(voice, 0.0)).max() == pytest.approx(1.0)


@pytest.mark.parametrize("share", [0.0, 0.002, 0.08])
def test_an_overdriven_signal_is_cut_off_at_full_scale_in_the_share_that_was_asked_for(share):
    overdriven = overdrive(make_voice(2.0), share)

    assert np.abs(overdriven).max() == pytest.approx(1.0)
    assert np.mean(np.abs(overdriven) >= 0.999999) == pytest.approx(share, abs=2e-4)


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_of_samples_that_cannot_be_cut_off_is_refused(share):
    with pytest.raises(ValueError, match="allowed is 0 to under 1"):
        overdrive(make_voice(0.1), share)
