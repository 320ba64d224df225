"""What a trace answers, as it goes over the wire (``docs/schemas/trace.json``). Pure records and their making."""

from __future__ import annotations

import enum
from collections.abc import Mapping

import msgspec

from nebula.ids import Host, Owner
from nebula.trace.live import Spot
from nebula.trace.packet import Packet, described
from nebula.trace.probe import Ends, Point, Step
from nebula_controller.trace.advice import Advice
from nebula_controller.trace.ends import End
from nebula_controller.trace.journey import OUTSIDE, Course
from nebula_controller.trace.live import LiveOut, Mark, Marks


class Verdict(enum.StrEnum):
    """``reached``: the packet arrives, and its answer too, if any. ``unanswered``: the answer is dropped."""

    REACHED = "reached"
    DROPPED = "dropped"
    UNANSWERED = "unanswered"
    UNKNOWN = "unknown"


class OwnerOut(msgspec.Struct, frozen=True):
    """``name`` is '' where the object has none."""

    kind: str
    id: str
    name: str


class StepOut(msgspec.Struct, frozen=True):
    """``nebula.trace.probe.Step`` with names; ``packet`` in words, '' where the step does not change or show it."""

    kind: str
    place: str
    name: str
    text: str
    effect: str
    owner: OwnerOut | None
    packet: str
    match: str
    cookie: str
    point: Point | None
    seen: Mark | None


class LegOut(msgspec.Struct, frozen=True):
    """``host`` is '' for what is beyond a provider's segment."""

    host: str
    steps: tuple[StepOut, ...]


class CourseOut(msgspec.Struct, frozen=True):
    """``ends``: delivered, dropped or failed (not known); ``packet`` as it was there."""

    legs: tuple[LegOut, ...]
    ends: str
    text: str
    host: str
    place: str
    packet: str


class EndOut(msgspec.Struct, frozen=True):
    """An end as it was named, and what it was taken for."""

    kind: str
    id: str
    name: str
    address: str


class Document(msgspec.Struct, frozen=True):
    """``owner``: whose the rule is that drops it. ``advice``: what would let it through."""

    verdict: Verdict
    text: str
    start: EndOut
    goal: EndOut
    packet: str
    there: CourseOut
    back: CourseOut | None
    owner: OwnerOut | None
    advice: tuple[Advice, ...]
    live: LiveOut | None
    duration_s: float
    questions: int


def end_out(end: End, address: str) -> EndOut:
    return EndOut(end.kind, end.id, end.name, address)


def owners_of(*courses: Course | None) -> set[Owner]:
    """All owners that the courses name."""
    steps = [step for course in courses if course is not None for leg in course.legs for step in leg.steps]
    return {step.owner for step in steps if step.owner is not None}


def course_out(course: Course, names: Mapping[Owner, str], marks: Marks, *, answer: bool) -> CourseOut:
    """``marks``: what became of a real packet; ``answer``: this is the way back."""
    legs = tuple(
        LegOut(leg.host, tuple(_step(step, names, _mark(leg.host, step, marks, answer)) for step in leg.steps))
        for leg in course.legs
    )
    host = OUTSIDE if course.outside else course.host
    return CourseOut(legs, course.ends.value, course.text, host, course.place, words(course.packet))


def words(packet: Packet | None) -> str:
    return described(packet) if packet is not None and packet.protocol else ""


def owner_out(owner: Owner | None, names: Mapping[Owner, str]) -> OwnerOut | None:
    return OwnerOut(owner.kind.value, owner.id, names.get(owner, "")) if owner is not None else None


def _mark(host: Host, step: Step, marks: Marks, answer: bool) -> Mark | None:
    if step.point is None:
        return None
    told = step.packet.answer if step.packet is not None else answer
    return marks.get((host, Spot(step.point, told)))


def _step(step: Step, names: Mapping[Owner, str], mark: Mark | None) -> StepOut:
    return StepOut(
        step.kind, step.place, step.name, step.text, step.effect,
        owner_out(step.owner, names), words(step.packet), step.match,
        f"{step.cookie:#x}" if step.cookie else "", step.point, mark,
    )  # fmt: skip


def verdict_of(there: Course, back: Course | None) -> Verdict:
    for course, lost in ((there, Verdict.DROPPED), (back, Verdict.UNANSWERED)):
        if course is not None and course.ends is not Ends.DELIVERED:
            return Verdict.UNKNOWN if course.ends is Ends.FAILED else lost
    return Verdict.REACHED
