"""Tell voiced speech from noise by its periodicity; never decides where speech starts or ends.

WebRTC's detector calls loud noise speech. Noise has no pitch, and a voice cannot go long without one, so each
frame's strongest pitch period is measured and only frames in a steady run of pitched frames count as voiced.
Tones and music are pitched too: rejecting them is left to the model's learned speech gate.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SAMPLING_RATE_HZ = 16_000
WINDOW_SAMPLES = 1024
"""64 ms: four periods of a 70 Hz voice. Measured best of 40, 50 and 64 ms on CREMA-D, 22 November 2026."""
FFT_SAMPLES = 1280
"""Not less than the window plus the longest lag, so that the autocorrelation does not wrap round."""
PITCH_FFT_SAMPLES = FFT_SAMPLES // 2
PITCH_RATE_HZ = SAMPLING_RATE_HZ // 2
"""At half the sampling rate, for half the time: the band of the pitch lies within."""
FRAMES_AT_ONCE = 64
"""Their spectra and correlations stay in a core's cache; of a whole minute's at once, twice the time went into memory."""
ROWS_AT_ONCE = 8
PITCH_HZ = (70.0, 400.0)
BAND_HZ = (150.0, 2500.0)
"""Where harmonics are looked for: rumble and hum lie below, and little of the voicing above."""
TILT = 0.5
"""Magnitudes are weighted by frequency to this power (3 dB an octave), which evens out wind and brown noise: without
it 6 % of a wind-like noise passed, with it none, and no more speech was lost (22 November 2026)."""
MAX_LAG_STEP = 0.2
"""Pitch moves less than a fifth from one 30 ms frame to the next; the peaks of noise jump about."""
PITCH_BAND_HZ, LEVEL_BAND_HZ = (300.0, 2500.0), (300.0, 3400.0)
"""Where pitch and level are measured for what is said of a voice: where every telephone passes it, so that the same voice
has the same pitch and level over each. With the band of the gate, pitch moved by a semitone and more."""
USED_BINS = int(max(BAND_HZ[1], PITCH_BAND_HZ[1], LEVEL_BAND_HZ[1]) * FFT_SAMPLES / SAMPLING_RATE_HZ) + 1
"""Of the spectrum; what lies above is in no band, and zero to the inverse transforms."""
PITCH_BINS = tuple(round(hertz * FFT_SAMPLES / SAMPLING_RATE_HZ) for hertz in PITCH_BAND_HZ)
"""The first and the last in the band."""
SMALLEST_LEVEL_DB = -120.0
SILENCE_POWER = 1e-9
"""Mean square under -90 dBFS is the rounding of 16-bit samples, which can repeat itself like a pitch."""


@lru_cache(maxsize=1)
def _taper() -> NDArray[np.float32]:
    taper = np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)
    taper.setflags(write=False)
    return taper


@dataclass(frozen=True, eq=False)
class FrameMeasures:
    """What the spectrum around each frame says.

    Attributes:
        magnitude: float32 (n_frames, USED_BINS), of the spectrum, for `find_periods`.
        is_audible: bool (n_frames,), whether it is more than the rounding of samples.
        clarity: float64 (n_frames,), height of the highest peak of the autocorrelation in the telephone band, at most 1, and
            0 where there is none.
        pitch_lags: int64 (n_frames,), lag of that peak in samples at 8 kHz.
        pitch_hz: float64 (n_frames,), the same between samples: at the vertex of the parabola through the peak.
        level_db: float64 (n_frames,), of the telephone band, in dBFS of the mean square.
    """

    magnitude: NDArray[np.float32]
    is_audible: NDArray[np.bool_]
    clarity: NDArray[np.float64]
    pitch_lags: NDArray[np.int64]
    pitch_hz: NDArray[np.float64]
    level_db: NDArray[np.float64]


def measure_frames(signal: NDArray[np.float32], centres: NDArray[np.int64]) -> FrameMeasures:
    """Measure how periodic the signal is in the telephone band around each centre, with which period, and how loud.

    The peak of the normalised autocorrelation of a short frame (Boersma 1993, "Accurate short-term analysis of the
    fundamental frequency and the harmonics-to-noise ratio of a sampled sound"), taken from the magnitude spectrum
    instead of the power spectrum: the compression (Tolonen and Karjalainen 2000, "A computationally efficient
    multipitch analysis model") flattens formants and coloured noise, so that only harmonics make a peak.

    Args:
        signal: float32 (n_samples,), 16 kHz, in [-1, 1]. Beyond its ends it is taken as zero.
        centres: int64 (n_frames,), sample indices into the signal.
    """
    is_audible, magnitude = _find_magnitudes(signal, centres)
    n_frames = len(centres)
    clarity, pitch_hz, level_db = np.zeros(n_frames), np.zeros(n_frames), np.zeros(n_frames)
    lags = np.zeros(n_frames, dtype=np.int64)
    for start in range(0, n_frames, FRAMES_AT_ONCE):
        here = slice(start, start + FRAMES_AT_ONCE)
        level_db[here] = _measure_level(magnitude[here])
        clarity[here], lags[here], around = _find_peaks(
            _correlate_pitch(magnitude[here]), is_audible[here], PITCH_RATE_HZ
        )
        pitch_hz[here] = PITCH_RATE_HZ / (lags[here] + _find_vertex(around))
    return FrameMeasures(magnitude, is_audible, clarity, lags, pitch_hz, level_db)


def _find_magnitudes(
    signal: NDArray[np.float32], centres: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Find which frames are audible, bool (n_frames,), and their spectra, float32 (n_frames, USED_BINS)."""
    padded = np.pad(signal, WINDOW_SAMPLES // 2)
    around = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)
    is_audible = np.zeros(len(centres), dtype=np.bool_)
    magnitude = np.empty((len(centres), USED_BINS), dtype=np.float32)
    for start in range(0, len(centres), FRAMES_AT_ONCE):
        here = slice(start, start + FRAMES_AT_ONCE)
        frames = around[centres[here]]
        is_audible[here] = np.einsum("ij,ij->i", frames, frames) > SILENCE_POWER * WINDOW_SAMPLES  # no array of squares
        frames -= frames.mean(axis=1, keepdims=True)
        frames *= _taper()
        spectrum = np.fft.rfft(frames, FFT_SAMPLES, axis=1)[:, :USED_BINS]
        power = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        np.sqrt(power, out=magnitude[here])
    return is_audible, magnitude


def find_periods(found: FrameMeasures, at: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Find how periodic some frames are in the gate's band.

    Args:
        found: as `measure_frames` gives it.
        at: int64 (n,), indices of frames.

    Returns:
        Height of the highest peak of the autocorrelation, float64 (n,), at most 1, and 0 where there is none; and its lag
        in samples, int64 (n,).
    """
    peaks, lags = np.zeros(len(at)), np.zeros(len(at), dtype=np.int64)
    for start in range(0, len(at), FRAMES_AT_ONCE):
        here, frames = slice(start, start + FRAMES_AT_ONCE), at[start : start + FRAMES_AT_ONCE]
        correlation = np.fft.irfft(found.magnitude[frames] * _weigh_bins(BAND_HZ), FFT_SAMPLES, axis=1)
        shortest, longest = _find_lags(SAMPLING_RATE_HZ)
        near = np.concatenate((correlation[:, :1], correlation[:, shortest - 1 : longest + 2]), axis=1)
        peaks[here], lags[here], _ = _find_peaks(near, found.is_audible[frames], SAMPLING_RATE_HZ)
    return peaks, lags


@lru_cache(maxsize=2)
def _weigh_bins(band_hz: tuple[float, float]) -> NDArray[np.float32]:
    bins_hz = np.arange(USED_BINS) * (SAMPLING_RATE_HZ / FFT_SAMPLES)
    weights = np.where((bins_hz >= band_hz[0]) & (bins_hz <= band_hz[1]), bins_hz**TILT, 0.0).astype(np.float32)
    weights.setflags(write=False)
    return weights


def _find_lags(rate_hz: int) -> tuple[int, int]:
    """Return the shortest and the longest pitch period in samples."""
    return int(rate_hz / PITCH_HZ[1]), int(rate_hz / PITCH_HZ[0])


@lru_cache(maxsize=1)
def _make_cosines() -> NDArray[np.float32]:
    """Make what turns magnitudes of the telephone band into the autocorrelation at lag 0 and at those of a pitch."""
    first, end = PITCH_BINS[0], PITCH_BINS[1] + 1
    shortest, longest = _find_lags(PITCH_RATE_HZ)
    lags = np.array([0, *range(shortest - 1, longest + 2)])
    waves = np.cos(2 * np.pi * np.outer(np.arange(first, end), lags) / PITCH_FFT_SAMPLES)
    cosines: NDArray[np.float32] = (
        waves * (2 / PITCH_FFT_SAMPLES * _weigh_bins(PITCH_BAND_HZ)[first:end, np.newaxis])
    ).astype(np.float32)
    cosines.setflags(write=False)
    return cosines


def _correlate_pitch(magnitude: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the autocorrelation of each frame in the telephone band, at lag 0 and at the lags around those of a pitch.

    Few bins and few lags are wanted, so a product with their cosines takes a tenth of an inverse transform. It is made of
    ROWS_AT_ONCE frames whatever there are, so that no frame's result depends on how many are beside it; and of so few
    that OpenBLAS starts no thread for it.
    """
    first, end = PITCH_BINS[0], PITCH_BINS[1] + 1
    n_products = -(-len(magnitude) // ROWS_AT_ONCE)
    rows = np.zeros((n_products * ROWS_AT_ONCE, end - first), dtype=np.float32)
    rows[: len(magnitude)] = magnitude[:, first:end]
    product = np.matmul(rows.reshape(n_products, ROWS_AT_ONCE, end - first), _make_cosines())
    return np.asarray(product.reshape(len(rows), product.shape[2])[: len(magnitude)])


def _find_peaks(
    correlation: NDArray[np.floating], is_audible: NDArray[np.bool_], rate_hz: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.floating]]:
    """Find the highest peak of each frame's autocorrelation.

    Args:
        correlation: (n_frames, n), at lag 0, and from one under the shortest lag of a pitch to one over the longest.
        is_audible: bool (n_frames,).
        rate_hz: of the lags.

    Returns:
        Its height and lag, each (n_frames,), and the autocorrelation before, at and after it, (n_frames, 3).
    """
    shortest, around = _find_lags(rate_hz)[0], correlation[:, 1:]
    inner = around[:, 1:-1]
    is_peak = (inner >= around[:, :-2]) & (inner >= around[:, 2:])
    heights = np.where(is_peak, inner, 0.0)
    rows, best = np.arange(len(heights)), heights.argmax(axis=1)
    energy = np.where(is_audible, correlation[:, 0], np.inf)
    peaks = heights[rows, best] / np.maximum(energy, np.finfo(np.float32).tiny)
    near = around[rows[:, np.newaxis], best[:, np.newaxis] + np.arange(3)]
    return peaks.astype(np.float64), best.astype(np.int64) + shortest, near


def _measure_level(magnitude: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mean square of the telephone band of each frame, dBFS, from its magnitudes (n_frames, n_bins)."""
    first, last = (round(hertz * FFT_SAMPLES / SAMPLING_RATE_HZ) for hertz in LEVEL_BAND_HZ)
    power = np.einsum("ij,ij->i", magnitude[:, first:last], magnitude[:, first:last]).astype(np.float64)
    mean_square = 2 * power / (FFT_SAMPLES * float(np.square(_taper(), dtype=np.float64).sum()))
    return np.asarray(np.maximum(10 * np.log10(np.maximum(mean_square, np.finfo(np.float64).tiny)), SMALLEST_LEVEL_DB))


def _find_vertex(around: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how far from each highest sample its parabola's vertex lies, float64 (n_frames,), -0.5 to 0.5 samples.

    Args:
        around: (n_frames, 3), the highest sample and one on either side.
    """
    before, here, after = around.astype(np.float64).T
    bend = before - 2 * here + after
    is_bent = bend < 0
    return np.where(is_bent, np.clip(0.5 * (before - after) / np.where(is_bent, bend, 1.0), -0.5, 0.5), 0.0)


def find_voiced_frames(
    peaks: NDArray[np.float64], lags: NDArray[np.int64], *, min_periodicity: float, min_frames: int
) -> NDArray[np.bool_]:
    """Mark the frames that lie in a run of pitched frames with a steady pitch.

    Args:
        peaks: float64 (n_frames,), how periodic each is.
        lags: int64 (n_frames,), in samples.
        min_periodicity: a frame at or over this is pitched, 0 to 1.
        min_frames: a shorter run is chance.

    Returns:
        bool (n_frames,).
    """
    is_pitched = peaks >= min_periodicity
    goes_on = np.zeros(len(peaks), dtype=np.bool_)
    is_steady = np.abs(np.diff(lags)) <= MAX_LAG_STEP * np.maximum(lags[1:], lags[:-1])
    goes_on[1:] = is_pitched[1:] & is_pitched[:-1] & is_steady
    run = np.cumsum(is_pitched & ~goes_on)  # the number of the run that a pitched frame is in
    n_in_run = np.bincount(run[is_pitched], minlength=len(peaks) + 1)
    return np.asarray(is_pitched & (n_in_run[run] >= min_frames))
