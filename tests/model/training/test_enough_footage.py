"""Training says what to expect of too few videos, by a front-end's prior or without one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from corpus_samples import planted_corpus
from named_samples import PRIOR, named_corpus

from model.data.corpus import Corpus
from model.frontends.prior import Prior
from model.training import enough_footage
from model.training.enough_footage import ENOUGH_WITH_PRIOR, ENOUGH_WITHOUT_PRIOR, too_few
from model.training.plan import train
from model.training.recipe import DEFAULT

QUICK = replace(DEFAULT, latent=8, hidden=32, epochs=1, footage_shares=(0.0,), widths_s=(0,))


@pytest.mark.parametrize(("has_prior", "enough"), [(True, ENOUGH_WITH_PRIOR), (False, ENOUGH_WITHOUT_PRIOR)])
def test_only_fewer_videos_than_enough_are_warned_about(has_prior: bool, enough: int) -> None:
    """With the number given, on what it was measured, where to read on; from the threshold on nothing is said."""
    said = too_few(enough - 1, has_prior)
    assert said is not None
    assert said.startswith(f"{enough - 1} videos with sound and picture: with fewer than {enough} (measured on ")
    assert ("on 44 clips)" in said, "on AVE's features)" in said) == (has_prior, not has_prior)
    assert said.endswith("docs/model-study.md, 'How much footage is enough'")
    assert ("the model that the library starts with" in said, "linear CCA" in said) == (has_prior, not has_prior)
    assert (too_few(enough, has_prior), too_few(enough + 1, has_prior)) == (None, None)


@pytest.mark.parametrize(
    ("corpus", "prior", "constant"),
    [
        (planted_corpus(10), None, "ENOUGH_WITHOUT_PRIOR"),
        (named_corpus(10), PRIOR, "ENOUGH_WITH_PRIOR"),
    ],
    ids=["without a prior", "with a prior"],
)
def test_a_training_counts_videos_with_both_modalities(
    corpus: Corpus, prior: Prior | None, constant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of ten videos one is silent; the front-end decides which threshold counts; it is told once, before training."""
    monkeypatch.setattr("model.training.validation.GALLERIES", 2)
    heard = corpus.heard & (corpus.video != 3)

    def told(enough: int) -> list[str]:
        for name in ("ENOUGH_WITHOUT_PRIOR", "ENOUGH_WITH_PRIOR"):
            monkeypatch.setattr(enough_footage, name, enough if name == constant else 0)
        said, partly = list[str](), replace(corpus, heard=heard)
        trained = train(
            partly,
            QUICK,
            ("any", "any-1"),
            0,
            torch.device("cpu"),
            progress=lambda _: said.append("epoch"),
            prior=prior,
            warned=said.append,
        )
        return [*said, *trained.warnings]

    first, *rest = told(10)
    assert first.startswith("9 videos with sound and picture: with fewer than 10 (")
    assert rest[0] == "epoch"
    assert not any("fewer than" in text for text in [*rest, *told(9)])
    assert np.unique(corpus.video).size == 10


def test_held_out_videos_that_are_given_count_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight to train on and three held out are eleven, as in a library that holds some out itself."""
    monkeypatch.setattr("model.training.validation.GALLERIES", 2)
    held_out = planted_corpus(3, seed=1)
    said: list[str] = []
    train(planted_corpus(8), QUICK, ("any", "any-1"), 0, torch.device("cpu"), held_out, warned=said.append)
    assert [text.split(":")[0] for text in said] == ["11 videos with sound and picture"]
