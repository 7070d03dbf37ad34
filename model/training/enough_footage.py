"""How many videos training needs to be worth it, and what to expect of fewer."""

from __future__ import annotations

# The fewest videos with sound and picture of which training gave better answers, sound to picture and back, than
# linear CCA of the same videos; with a prior, than the starting model. Both are read from the tables of
# docs/model-study.md, "How much footage is enough":
#   python -m benchmarks.quality.learning_curve --archive ave_features.npz
#   python -m benchmarks.quality.learning_curve --library real
# With a prior nothing that was tried was enough: this is one more than the most that was.
ENOUGH_WITHOUT_PRIOR = 1600
ENOUGH_WITH_PRIOR = 36
SEE = "see docs/model-study.md, 'How much footage is enough'"


def too_few(videos: int, has_prior: bool) -> str | None:
    """Return what to expect of training on so few videos with sound and picture; None if there are enough."""
    enough = ENOUGH_WITH_PRIOR if has_prior else ENOUGH_WITHOUT_PRIOR
    if videos >= enough:
        return None
    given = f"{videos} videos with sound and picture: with fewer than {enough}"
    if has_prior:
        return (
            f"{given} (measured on 44 clips), training has not been shown to beat the model that the library starts "
            f"with; more footage may help; {SEE}"
        )
    return (
        f"{given} (measured on AVE's features), training has not been shown to beat linear CCA, the simplest way to "
        f"learn from pairs; more footage helps most; {SEE}"
    )
