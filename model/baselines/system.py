"""A system of the comparison: something that is fitted on one split and judges another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch

from model.data.corpus import Corpus
from model.judging.localizers import Localizer, ScoreLocalizer
from model.judging.scorers import Scorer
from model.network.checkpoint import Checkpoint

ScorerOf = Callable[[Corpus], Scorer]
LocalizerOf = Callable[[Corpus], Localizer]


@dataclass(frozen=True)
class Fitted:
    """Hold what fitting gave.

    `scorer` judges the seconds of any corpus with features like the training split's; None: does not retrieve.
    `localizer` the same for windows; None: the sum of the scorer's distances. `parameters` counts numbers fitted.
    `checkpoint`: the trained MS-VAE, where the system keeps one.
    """

    scorer: ScorerOf | None
    localizer: LocalizerOf | None = None
    parameters: int = 0
    checkpoint: Checkpoint | None = None

    def judges(self, corpus: Corpus) -> tuple[Scorer | None, Localizer]:
        """Return what judges the seconds and the windows of a corpus."""
        scorer = self.scorer(corpus) if self.scorer else None
        if self.localizer:
            return scorer, self.localizer(corpus)
        assert scorer is not None, "a system retrieves or localizes"
        return scorer, ScoreLocalizer(scorer, corpus)


class System(ABC):
    """Name a system; `label_free` says that fitting looks at no label and no event mark."""

    name: str
    label_free: bool = True

    @abstractmethod
    def fit(self, train: Corpus, val: Corpus, seed: int, device: torch.device) -> Fitted:
        """Fit on `train`; what is to be chosen is chosen on `val`. The same seed gives the same system.

        Raises:
            TrainingError: the split cannot train this system.
        """
