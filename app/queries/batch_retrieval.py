"""Several questions at once: each gets its answer or its own problem, and none spoils another's."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.queries.pipeline import Pipeline
from app.queries.retrieval import Answer, Question
from model.errors import EcholensError


async def retrieve_batch(pipeline: Pipeline, questions: Sequence[Question]) -> list[Answer | EcholensError]:
    """Answer questions side by side, in order: the line encodes and searches what waits together.

    What is no error of Echolens is raised.
    """
    outcomes = await asyncio.gather(*map(pipeline.retrieve, questions), return_exceptions=True)
    answered: list[Answer | EcholensError] = []
    for outcome in outcomes:
        if not isinstance(outcome, Answer | EcholensError):
            raise outcome
        answered.append(outcome)
    return answered
