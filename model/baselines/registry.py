"""Every system of the comparison, by name."""

from __future__ import annotations

from model.baselines.avdln import Avdln
from model.baselines.ave_net import AveNet
from model.baselines.avfb import Avfb
from model.baselines.avsdn import Avsdn
from model.baselines.blind import ALWAYS_FIRST, ALWAYS_LAST, UNIFORM, RandomRanking, TrainPrior
from model.baselines.cm_vae import CmVae
from model.baselines.dcca import Dcca
from model.baselines.eics import Eics
from model.baselines.l3_net import L3Net
from model.baselines.linear_cca import LinearCca
from model.baselines.msvae import WITH_W, WITHOUT_W, Echolens, EcholensInContext, Msvae, RandomInit
from model.baselines.msvae_published import MsvaePublished
from model.baselines.supervised_linear import SupervisedLinear
from model.baselines.system import System
from model.baselines.target_alone import Seam, TargetChangePoint
from model.baselines.tnn_c_cca import TnnCCca
from model.baselines.vae_cca import VaeCca
from model.errors import TrainingError


def all_systems() -> dict[str, System]:
    """Return the systems in the order of a table: ours, label-free, supervised, rules."""
    systems: list[System] = [
        Echolens(),
        EcholensInContext(),
        Msvae("msvae_w", WITH_W),
        Msvae("msvae", WITHOUT_W),
        MsvaePublished(),
        CmVae(),
        L3Net(),
        AveNet(),
        LinearCca(),
        Dcca(),
        Avdln(),
        Avsdn(),
        Avfb(),
        VaeCca(),
        TnnCCca(),
        Eics(),
        SupervisedLinear(),
        RandomInit(),
        UNIFORM,
        ALWAYS_FIRST,
        ALWAYS_LAST,
        TrainPrior(),
        RandomRanking(),
        Seam(),
        TargetChangePoint(),
    ]
    return {system.name: system for system in systems}


def systems_named(names: list[str]) -> list[System]:
    """Return the named systems, in that order; all of them for no name.

    Raises:
        TrainingError: no system has that name.
    """
    known = all_systems()
    if unknown := [name for name in names if name not in known]:
        raise TrainingError(f"system {', '.join(unknown)} given, some of {', '.join(known)} expected")
    return [known[name] for name in names or known]
