"""A teacher without labels: it groups the training videos by their mean latents over all seconds and both modalities.

Each second of each modality then learns to predict the group of its video: the mean over a video is more reliable
than any single second. Source: the clustering of Caron et al., "Deep clustering for unsupervised
learning of visual features", ECCV 2018, with the other modality and the rest of the video as the second view.
"""

from __future__ import annotations

import warnings

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

VIDEOS_PER_GROUP = 8  # finer groups would be single videos
STARTS = 2  # of k-means
TEMPERATURE = 0.35  # in units of cosine


class Teacher(nn.Module):
    """Hold groupings of several granularities, and a prototype of each group, which is trained along."""

    def __init__(self, latent: int, groups: tuple[int, ...], videos: int) -> None:
        super().__init__()
        self.prototypes = nn.ModuleList(nn.Linear(latent, k) for k in groups if k * VIDEOS_PER_GROUP <= videos)
        self.register_buffer("group", torch.zeros(len(self.prototypes), videos, dtype=torch.int64))

    def __len__(self) -> int:
        """Return the number of granularities; 0 where there are too few videos for any."""
        return len(self.prototypes)

    def regroup(self, means: Float[np.ndarray, "videos latent"], seed: int) -> None:
        """Group the videos by the directions of their means; prototypes start at the centres of the groups."""
        from sklearn.cluster import KMeans  # here: those who only ask a model never need it, and it is slow to load
        from sklearn.exceptions import ConvergenceWarning

        directions = _unit(means.astype(np.float64))
        for row, head in enumerate(self._heads()):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct videos than groups
                found = KMeans(head.out_features, n_init=STARTS, random_state=seed).fit(directions)
            self.get_buffer("group")[row] = torch.from_numpy(found.labels_.astype(np.int64))
            with torch.no_grad():
                head.weight.copy_(torch.from_numpy(_unit(found.cluster_centers_)))
                head.bias.zero_()

    def forward(self, mu: Float[Tensor, "batch latent"], video: Int64[Tensor, "batch"]) -> Float[Tensor, ""]:
        """Return the cross-entropy of the videos' groups given one second's mean, in nats, over granularities."""
        direction = nn.functional.normalize(mu, dim=1) / TEMPERATURE
        losses = [
            nn.functional.cross_entropy(head(direction), self.get_buffer("group")[row][video])
            for row, head in enumerate(self._heads())
        ]
        return torch.stack(losses).mean()

    def _heads(self) -> list[nn.Linear]:
        return [head for head in self.prototypes if isinstance(head, nn.Linear)]


def _unit(vectors: Float[np.ndarray, "n d"]) -> Float[np.ndarray, "n d"]:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))
