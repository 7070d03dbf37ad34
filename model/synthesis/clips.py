"""Ten-second clips whose sound and sight come from one cause: the embedded demonstration."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from model.errors import QueryError
from model.media.segments import SAMPLE_RATE_HZ
from model.synthesis.ambience import draw_ambience, draw_disturbance
from model.synthesis.animals import ANIMALS
from model.synthesis.canvas import Canvas, hsv
from model.synthesis.cause import Cause, Kind, Moment, Track
from model.synthesis.engines import ENGINES
from model.synthesis.household import HOUSEHOLD
from model.synthesis.motion import MOTION
from model.synthesis.passing_objects import draw_passer, pass_by
from model.synthesis.scenes import HEIGHT_PX, WIDTH_PX, Picture, draw_scene
from model.synthesis.struck_objects import STRUCK
from model.synthesis.water import WATER
from model.synthesis.weather import WEATHER

FRAME_RATE_HZ = 10
DURATION_S = 10
AT_REST_SHARE = 0.15  # of the clips show the cause, silent, before and after the event
EVENT_DBFS = -20.0  # level of the loudest second of a near, vigorous event
FADE_S = 0.02

_KINDS: tuple[Kind, ...] = STRUCK + WATER + ENGINES + HOUSEHOLD + ANIMALS + WEATHER + MOTION
KINDS: tuple[str, ...] = tuple(kind.name for kind in _KINDS)


@dataclass(frozen=True, eq=False)
class GeneratedClip:
    """Hold a clip and what is true of it: the cause is seen and heard in [event_start_s, event_end_s)."""

    kind: str
    seed: int
    event_start_s: int
    event_end_s: int
    frames: UInt8[np.ndarray, "100 192 256 3"]
    sound: Float32[np.ndarray, "160000"]
    frame_rate_hz: int = FRAME_RATE_HZ
    sample_rate_hz: int = SAMPLE_RATE_HZ


@dataclass(frozen=True)
class Plan:
    """Say what a seed's clip will hold: the cause is seen and heard in [event_start_s, event_end_s)."""

    kind: str
    event_start_s: int
    event_end_s: int


@dataclass(frozen=True)
class _Place:
    x_px: float
    y_px: float
    unit_px: float
    facing: int
    gain: float


def plan_clip(seed: int, kind: str | None = None) -> Plan:
    """Return what `generate_clip` will make of a seed, without making it; raises what it raises."""
    name = _checked_kind(seed, kind)
    _, cause_rng, _, _ = _spawn(seed, name)
    start_s, duration_s = _draw_event(cause_rng)
    return Plan(name, start_s, start_s + duration_s)


def generate_clip(seed: int, kind: str | None = None) -> GeneratedClip:
    """Return the clip of a seed, the same to the last bit at every call.

    Without a kind it is KINDS[seed % len(KINDS)], so that any run of seeds is balanced.
    Raises QueryError for a negative seed or an unknown kind.
    """
    name = _checked_kind(seed, kind)
    scene_rng, cause_rng, event_rng, ambience_rng = _spawn(seed, name)
    chosen = _KINDS[KINDS.index(name)]
    start_s, duration_s = _draw_event(cause_rng)
    scene = draw_scene(scene_rng)
    cause = _draw_cause(chosen, duration_s, cause_rng, dark=bool(scene.mean() < 125))
    place = _draw_place(chosen, cause, cause_rng)
    at_rest = bool(cause_rng.random() < AT_REST_SHARE)
    frames = _film(chosen, cause, place, start_s, at_rest, scene, scene_rng)
    sound = _record(chosen, cause, place, start_s, event_rng, ambience_rng)
    return GeneratedClip(name, seed, start_s, start_s + duration_s, frames, sound)


def _checked_kind(seed: int, kind: str | None) -> str:
    if seed < 0:
        raise QueryError(f"seed is {seed}; expected 0 or more; pass a whole number that is not negative")
    name = KINDS[seed % len(KINDS)] if kind is None else kind
    if name not in KINDS:
        raise QueryError(f"kind is {name!r}; expected one of {', '.join(KINDS)}; pass one of them")
    return name


def _spawn(seed: int, name: str) -> list[np.random.Generator]:
    """Return the generators of scene, cause, event and ambience."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())]).spawn(4)


def _draw_event(rng: np.random.Generator) -> tuple[int, int]:
    """Return start and duration, both in whole seconds."""
    duration_s = int(rng.integers(2, 9))
    return int(rng.integers(0, DURATION_S - duration_s + 1)), duration_s


def _draw_cause(kind: Kind, duration_s: int, rng: np.random.Generator, dark: bool) -> Cause:
    rate_hz = float(rng.uniform(*kind.rate_hz))
    hue = rng.random()
    return Cause(
        seed=int(rng.integers(2**31)),
        size=float(rng.random()),
        vigour=float(rng.random()),
        rate_hz=rate_hz,
        onsets_s=_draw_onsets(kind, duration_s, rate_hz, rng),
        duration_s=duration_s,
        main=hsv(hue, rng.uniform(0.45, 0.75), rng.uniform(0.65, 0.92)),
        accent=hsv(hue + rng.choice([0.12, 0.42, 0.55]), rng.uniform(0.4, 0.75), rng.uniform(0.7, 0.95)),
        mark=(255, 248, 214) if dark else (58, 48, 84),
    )


def _draw_onsets(
    kind: Kind, duration_s: int, rate_hz: float, rng: np.random.Generator
) -> Float64[np.ndarray, "onsets"]:
    """Return onsets such that each second has one, early enough to be heard in it and seen at its middle."""
    if kind.rhythm == "second":
        return np.arange(duration_s) + rng.uniform(0.1, 0.38, duration_s)
    period_s = 1 / rate_hz
    steady = np.arange(rng.uniform(0.05, 0.2), duration_s - 0.12, period_s)
    return np.asarray(np.maximum(steady + rng.uniform(-0.04, 0.04, len(steady)) * period_s, 0.02))


def _draw_place(kind: Kind, cause: Cause, rng: np.random.Generator) -> _Place:
    """Return where the cause stands: further away means smaller and fainter."""
    distance = rng.uniform(1.0, 1.25)
    unit_px = (45 + 33 * cause.size) / distance
    x_px = rng.uniform(unit_px * 1.35, WIDTH_PX - unit_px * 1.35)
    match kind.stage:
        case "ground":
            y_px = rng.uniform(156, 184) - unit_px
        case "air":
            y_px = rng.uniform(unit_px + 6, max(HEIGHT_PX - 14 - unit_px, unit_px + 8))
        case "sky":
            unit_px = (66 + 22 * cause.size) / distance
            x_px, y_px = rng.uniform(100, 156), unit_px + rng.uniform(4, 24)
    gain = 10 ** ((-7 * (1 - cause.vigour)) / 20) / distance
    return _Place(float(x_px), float(y_px), float(unit_px), int(rng.choice([-1, 1])), float(gain))


def _moment(cause: Cause, time_s: float) -> Moment:
    if not 0 <= time_s < cause.duration_s:
        return Moment()
    count = int(np.searchsorted(cause.onsets_s, time_s + 1e-9, side="right"))
    since_s = time_s - cause.onsets_s[count - 1] if count else 9.0
    until_s = cause.onsets_s[count] - time_s if count < len(cause.onsets_s) else 9.0
    return Moment(time_s, float(since_s), float(until_s), count, playing=True)


def _film(
    kind: Kind,
    cause: Cause,
    place: _Place,
    start_s: int,
    at_rest: bool,
    scene: Picture,
    rng: np.random.Generator,
) -> UInt8[np.ndarray, "100 192 256 3"]:
    passers = [draw_passer(rng) for _ in range(int(rng.choice([0, 1, 2], p=[0.35, 0.45, 0.2])))]
    resting = Canvas(WIDTH_PX, HEIGHT_PX)
    if at_rest:
        kind.draw(resting.pen(place.x_px, place.y_px, place.unit_px, place.facing), cause, Moment())
    frames = np.empty((DURATION_S * FRAME_RATE_HZ, HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    for number in range(len(frames)):
        frame = pass_by(scene, passers, number / FRAME_RATE_HZ)
        moment = _moment(cause, number / FRAME_RATE_HZ - start_s)
        if moment.playing:
            canvas = Canvas(WIDTH_PX, HEIGHT_PX)
            kind.draw(canvas.pen(place.x_px, place.y_px, place.unit_px, place.facing), cause, moment)
            frame = canvas.over(frame)
        elif at_rest:
            frame = resting.over(frame, asleep=True)
        frames[number] = frame
    return frames


def _record(
    kind: Kind,
    cause: Cause,
    place: _Place,
    start_s: int,
    event_rng: np.random.Generator,
    rng: np.random.Generator,
) -> Float32[np.ndarray, "160000"]:
    event = kind.hear(cause, event_rng)
    loudest = np.sqrt((event.reshape(cause.duration_s, SAMPLE_RATE_HZ) ** 2).mean(axis=1).max()) + 1e-9
    event *= 10 ** (EVENT_DBFS / 20) * place.gain / loudest
    peak = np.abs(event).max()
    event *= min(1.0, 0.85 / peak)
    level = np.sqrt(np.mean(event**2))
    event *= _fades(len(event))
    sound = draw_ambience(rng, DURATION_S) * level * 10 ** (-rng.uniform(10, 25) / 20)
    for _ in range(int(rng.integers(0, 4))):
        disturbance = draw_disturbance(rng) * level * rng.uniform(0.8, 2.2)
        at = int(rng.integers(0, len(sound) - len(disturbance)))
        sound[at : at + len(disturbance)] += disturbance
    sound[start_s * SAMPLE_RATE_HZ : start_s * SAMPLE_RATE_HZ + len(event)] += event
    return np.asarray(np.clip(sound, -1, 1), dtype=np.float32)


def _fades(samples: int) -> Track:
    edge = round(FADE_S * SAMPLE_RATE_HZ)
    sample = np.arange(samples)
    return np.asarray(np.clip(np.minimum(sample / 16, (samples - sample) / edge), 0, 1))
