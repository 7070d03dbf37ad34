"""The two clips that all layouts share."""

from __future__ import annotations

import pytest
from dataset_samples import Clips, film_clips


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Clips:
    """Film them once."""
    return film_clips(tmp_path_factory.mktemp("clips"))
