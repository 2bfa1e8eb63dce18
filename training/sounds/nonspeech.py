"""Seeded synthesis of sounds that are not speech, for the speech gate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import signal as dsp

from training.sounds.augment import Signal, make_coloured_noise

SAMPLING_RATE_HZ = 16_000
Sound = NDArray[np.float64]
Maker = Callable[[int, np.random.Generator], Sound]
SEMITONE = 2 ** (1 / 12)
MIN_HIT_SAMPLES = 16  # A shorter drum hit is inaudible, and too short to filter.


def happens(probability: float, rng: np.random.Generator) -> bool:
    """Draw once, and say yes as often as `probability`, 0 to 1."""
    return float(rng.random()) < probability


def _time(n_samples: int) -> Sound:
    return np.arange(n_samples) / SAMPLING_RATE_HZ


def _band(noise: Sound, low_hz: float, high_hz: float) -> Sound:
    top = min(high_hz, SAMPLING_RATE_HZ / 2 - 100)
    sections = dsp.butter(2, (low_hz, top), "bandpass", fs=SAMPLING_RATE_HZ, output="sos")
    return np.asarray(dsp.sosfilt(sections, noise))


def _drift(n_samples: int, rate_hz: float, rng: np.random.Generator) -> Sound:
    """Return a smooth random curve in [0, 1] that turns about `rate_hz` times a second."""
    n_points = max(4, int(n_samples / SAMPLING_RATE_HZ * rate_hz * 2) + 2)
    return np.interp(np.linspace(0, n_points - 1, n_samples), np.arange(n_points), rng.random(n_points))


def _harmonics(fundamental_hz: Sound, n_harmonics: int, slope: float, rng: np.random.Generator) -> Sound:
    phase = 2 * np.pi * np.cumsum(fundamental_hz) / SAMPLING_RATE_HZ
    total = np.zeros(fundamental_hz.size)
    for k in range(1, n_harmonics + 1):
        audible = fundamental_hz * k < SAMPLING_RATE_HZ / 2
        total += audible * k**-slope * rng.uniform(0.3, 1.0) * np.sin(k * phase + rng.uniform(0, 6.28))
    return total


def _colour(exponent: float) -> Maker:
    def make(n_samples: int, rng: np.random.Generator) -> Sound:
        return make_coloured_noise(n_samples, exponent, rng).astype(np.float64)

    return make


def make_grey(n_samples: int, rng: np.random.Generator) -> Sound:
    """Noise with a random spectral curve, from flat to strongly coloured bands."""
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    points = rng.uniform(-20, 20, rng.integers(4, 10))
    curve = np.interp(np.linspace(0, 1, spectrum.size), np.linspace(0, 1, points.size), points)
    return np.asarray(np.fft.irfft(spectrum * 10 ** (curve / 20), n_samples))


def make_hum(n_samples: int, rng: np.random.Generator) -> Sound:
    """Mains hum at 50 or 60 Hz with harmonics over faint noise."""
    mains_hz = np.full(n_samples, float(rng.choice([50.0, 60.0])))
    floor = 10 ** rng.uniform(-4, -1) * rng.standard_normal(n_samples)
    return _harmonics(mains_hz, int(rng.integers(2, 30)), rng.uniform(0.5, 2.0), rng) + floor


def make_tone(n_samples: int, rng: np.random.Generator) -> Sound:
    """One steady, swept or beeping tone."""
    start_hz, end_hz = np.exp(rng.uniform(np.log(60), np.log(6000), 2))
    frequency = np.geomspace(start_hz, end_hz if happens(0.4, rng) else start_hz, n_samples)
    tone = _harmonics(frequency, int(rng.choice([1, 1, 3, 8])), 1.0, rng)
    if happens(0.5, rng):
        period_s = rng.uniform(0.15, 1.5)
        tone = tone * (_time(n_samples) % period_s < period_s * rng.uniform(0.2, 0.8))
    return tone + 10 ** rng.uniform(-5, -1.5) * rng.standard_normal(n_samples)


def _note(n_samples: int, pitch_hz: float, rng: np.random.Generator) -> Sound:
    vibrato = 1 + rng.uniform(0, 0.012) * np.sin(2 * np.pi * rng.uniform(4, 7) * _time(n_samples))
    tone = _harmonics(pitch_hz * vibrato, int(rng.integers(1, 14)), rng.uniform(0.6, 2.0), rng)
    attack = np.minimum(1.0, np.arange(n_samples) / rng.uniform(40, 3000))
    return tone * attack * np.exp(-_time(n_samples) * rng.uniform(0.2, 8.0))


def make_chord(n_samples: int, rng: np.random.Generator) -> Sound:
    """Chords of three to five notes that change every half to three seconds."""
    total = np.zeros(n_samples)
    start = 0
    while start < n_samples:
        length = min(int(rng.uniform(0.5, 3.0) * SAMPLING_RATE_HZ), n_samples - start)
        root_hz = rng.uniform(80, 500)
        for step in rng.choice(13, size=int(rng.integers(3, 6)), replace=False):
            total[start : start + length] += _note(length, root_hz * SEMITONE ** float(step), rng)
        start += length
    return total


def make_arpeggio(n_samples: int, rng: np.random.Generator) -> Sound:
    """A melody of plucked or blown notes over a bass, with an optional beat."""
    total = np.zeros(n_samples)
    step = int(rng.uniform(0.1, 0.6) * SAMPLING_RATE_HZ)
    root_hz = rng.uniform(100, 600)
    for start in range(0, n_samples, step):
        length = min(int(step * rng.uniform(0.8, 3.0)), n_samples - start)
        pitch_hz = root_hz * SEMITONE ** float(rng.choice([0, 2, 4, 5, 7, 9, 12, 14, 16]))
        total[start : start + length] += _note(length, pitch_hz, rng)
    beat = make_drums(n_samples, rng) * rng.uniform(0, 0.6) if happens(0.4, rng) else 0.0
    return np.asarray(total / (np.abs(total).max() + 1e-9) + beat)


def make_drums(n_samples: int, rng: np.random.Generator) -> Sound:
    """Regular or scattered hits: decaying noise bands and falling thumps."""
    total = np.zeros(n_samples)
    step_s = rng.uniform(0.12, 0.7)
    at_s = np.arange(rng.uniform(0, step_s), n_samples / SAMPLING_RATE_HZ, step_s)
    for start in ((at_s + rng.uniform(0, 0.1) * rng.random(at_s.size)) * SAMPLING_RATE_HZ).astype(int):
        length = min(int(rng.uniform(0.04, 0.4) * SAMPLING_RATE_HZ), n_samples - start)
        if length < MIN_HIT_SAMPLES:
            continue
        decay = np.exp(-np.arange(length) / (length * rng.uniform(0.1, 0.3)))
        low_hz = rng.uniform(60, 3000)
        hit = _band(rng.standard_normal(length), low_hz, low_hz * rng.uniform(1.5, 4))
        thump = np.sin(2 * np.pi * rng.uniform(50, 180) * _time(length) * decay)
        total[start : start + length] += decay * (hit if happens(0.6, rng) else thump)
    return total


def make_clicks(n_samples: int, rng: np.random.Generator) -> Sound:
    """Keys, knocks and crackle: short impulses through a random resonance."""
    impulses = rng.standard_normal(n_samples) * (rng.random(n_samples) < rng.uniform(1, 40) / SAMPLING_RATE_HZ)
    low_hz = rng.uniform(100, 3000)
    floor = 10 ** rng.uniform(-5, -2) * rng.standard_normal(n_samples)
    return _band(impulses, low_hz, low_hz * rng.uniform(1.3, 5)) + floor


def make_wind(n_samples: int, rng: np.random.Generator) -> Sound:
    """Gusts on a microphone: brown noise with slow swells and a wandering whistle."""
    gusts = _drift(n_samples, rng.uniform(0.3, 3), rng) ** 2 + 0.05
    whistle = _band(rng.standard_normal(n_samples), rng.uniform(300, 900), rng.uniform(1000, 2500))
    rumble = make_coloured_noise(n_samples, rng.uniform(1.2, 2.5), rng)
    return gusts * (rumble + rng.uniform(0, 1) * whistle)


def make_rain(n_samples: int, rng: np.random.Generator) -> Sound:
    """Drops over a steady hiss."""
    drops = rng.standard_normal(n_samples) ** 3 * (rng.random(n_samples) < rng.uniform(50, 900) / SAMPLING_RATE_HZ)
    hiss = make_coloured_noise(n_samples, rng.uniform(-0.5, 1.0), rng)
    return _band(drops, 800, 7500) * rng.uniform(0.5, 5) + hiss * rng.uniform(0.02, 0.5)


def make_fan(n_samples: int, rng: np.random.Generator) -> Sound:
    """Air through blades: coloured noise beaten at 8 to 40 Hz, with a faint motor tone."""
    beat = 1 + rng.uniform(0.05, 0.8) * np.sin(2 * np.pi * rng.uniform(8, 40) * _time(n_samples))
    motor = _harmonics(np.full(n_samples, rng.uniform(40, 400)), 6, 1.0, rng) * rng.uniform(0, 0.3)
    return make_coloured_noise(n_samples, rng.uniform(0.3, 1.8), rng) * beat + motor


def make_engine(n_samples: int, rng: np.random.Generator) -> Sound:
    """An engine: a deep harmonic stack whose speed wanders, over rumble."""
    speed_hz = rng.uniform(20, 140) * (1 + rng.uniform(0, 0.6) * _drift(n_samples, rng.uniform(0.2, 2), rng))
    stack = _harmonics(speed_hz, int(rng.integers(10, 50)), rng.uniform(0.3, 1.5), rng)
    rumble = make_coloured_noise(n_samples, rng.uniform(1.0, 2.0), rng)
    return np.asarray(stack / (stack.std() + 1e-9) + rng.uniform(0.05, 1.0) * rumble)


def make_breath(n_samples: int, rng: np.random.Generator) -> Sound:
    """Breathing and rubbing: band-passed noise in slow bursts, without any voice."""
    swell = np.clip(_drift(n_samples, rng.uniform(0.4, 4), rng) - rng.uniform(0.2, 0.5), 0, None)
    band = _band(rng.standard_normal(n_samples), rng.uniform(200, 1200), rng.uniform(2500, 7000))
    return np.asarray(band * swell) + 10 ** rng.uniform(-5, -2) * rng.standard_normal(n_samples)


def make_floor(n_samples: int, rng: np.random.Generator) -> Sound:
    """A silent room: faint noise, sometimes quantised to a few 16-bit steps."""
    floor = make_coloured_noise(n_samples, rng.uniform(-0.5, 2.0), rng) * 10 ** rng.uniform(-4.5, -2.5)
    return np.asarray(np.round(floor * 32768) / 32768 if happens(0.5, rng) else floor, dtype=np.float64)


MAKERS: dict[str, Maker] = {
    "white": _colour(0.0), "pink": _colour(1.0), "brown": _colour(2.0), "blue": _colour(-1.0),
    "grey": make_grey, "hum": make_hum, "tone": make_tone, "chord": make_chord, "arpeggio": make_arpeggio,
    "drums": make_drums, "clicks": make_clicks, "wind": make_wind, "rain": make_rain, "fan": make_fan,
    "engine": make_engine, "breath": make_breath, "floor": make_floor,
}  # fmt: skip


def make_sound(kind: str, n_samples: int, rng: np.random.Generator) -> Signal:
    """Return one sound of a kind in `MAKERS`: float32 (n_samples,), mean removed, peak 1 or digital silence."""
    sound = MAKERS[kind](n_samples, rng)
    sound = sound - sound.mean()
    return np.asarray(sound / (np.abs(sound).max() + 1e-9), dtype=np.float32)


def make_babble(voices: list[Signal], n_samples: int, rng: np.random.Generator) -> Signal:
    """Overlap voices, each cut into 0.2-0.6 s pieces in random order, like a crowd."""
    total = np.zeros(n_samples, dtype=np.float64)
    for voice in voices:
        size = int(rng.uniform(0.2, 0.6) * SAMPLING_RATE_HZ)
        pieces = [voice[i : i + size] for i in range(0, max(voice.size - size, 1), size)]
        order = rng.permutation(len(pieces) * (n_samples // max(voice.size - size, size) + 2)) % len(pieces)
        stream = np.concatenate([pieces[i] for i in order])
        total += np.resize(stream / (stream.std() + 1e-6), n_samples) * rng.uniform(0.6, 1.0)
    return np.asarray(total / (np.abs(total).max() + 1e-9), dtype=np.float32)
