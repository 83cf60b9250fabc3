"""Worker: a training step of the SENSORIUM 2022 baseline, from neuralpredictors' public classes.

Runs in an environment of its own: `published_step.py FOLDER BATCH UNITS THREADS`.
"""

from __future__ import annotations

import collections
import collections.abc
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import torch
from serving import peak_mb, serve, timed
from torch import Tensor, nn

TRIALS = 6000


def load_classes() -> tuple[Any, Any]:
    """Core and readout; the package misses a collections name and imports torchvision unused."""
    collections.Iterable = collections.abc.Iterable
    vision, vision.models = types.ModuleType("torchvision"), types.ModuleType("torchvision.models")
    sys.modules |= {"torchvision": vision, "torchvision.models": vision.models}
    warnings.simplefilter("ignore")
    from neuralpredictors.layers import cores, readouts

    return cores.Stacked2dCore, readouts.FullGaussian2d


class Published:
    """The baseline CNN, its loss and its optimizer, as published."""

    def __init__(self, batch: int, units: int) -> None:
        torch.manual_seed(0)
        stacked, gaussian = load_classes()
        self.images, self.responses = torch.randn(batch, 1, 36, 64), 2 * torch.rand(batch, units)
        core = stacked(
            input_channels=1,
            hidden_channels=64,
            input_kern=9,
            hidden_kern=7,
            layers=4,
            depth_separable=True,
            pad_input=False,
            bias=False,
            momentum=0.9,
            stack=-1,
            gamma_input=6.3831,
            input_regularizer="LaplaceL2norm",
            laplace_padding=1,
        )
        readout = gaussian(
            (64, 28, 56),
            units,
            bias=True,
            init_mu_range=0.3,
            init_sigma=0.1,
            gauss_type="full",
            grid_mean_predictor={"hidden_layers": 1, "hidden_features": 30, "final_tanh": True},
            source_grid=torch.rand(units, 2).numpy(),
            feature_reg_weight=0.0076,
        )
        self.core, self.readout = core, readout
        self.model = nn.ModuleDict({"core": core, "readout": nn.ModuleDict({"mouse": readout})})
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.009)

    def rates(self) -> Tensor:
        return nn.functional.elu(self.readout(self.core(self.images))) + 1

    def objective(self) -> Tensor:
        rates = self.rates()
        poisson = (rates - self.responses * torch.log(rates + 1e-12)).sum()
        penalty = self.core.regularizer() + self.readout.regularizer()
        return (TRIALS / len(rates)) ** 0.5 * poisson + penalty

    def step(self) -> None:
        self.optimizer.zero_grad()
        self.objective().backward()
        self.optimizer.step()

    def export(self, path: Path) -> None:
        """Weights, inputs, and what they give: rates, and objective and gradients without noise."""
        state = {k: v.clone() for k, v in self.model.state_dict().items()}
        with torch.no_grad():
            rates = self.model.eval() and self.rates()
            self.readout.sigma.zero_()
        self.model.train()
        (objective := self.objective()).backward()
        gradients = {k: p.grad for k, p in self.model.named_parameters() if "sigma" not in k}
        given = {"state": state, "images": self.images, "responses": self.responses}
        found = {"rates": rates, "objective": objective.detach(), "gradients": gradients}
        torch.save(given | found, path)
        self.model.load_state_dict(state)


if __name__ == "__main__":
    folder, batch, units, threads = Path(sys.argv[1]), *map(int, sys.argv[2:])
    torch.set_num_threads(threads)
    published = Published(batch, units)
    serve(
        {
            "export": lambda: published.export(folder / "published.pt"),
            "step": timed(published.step),
            "peak": peak_mb,
        }
    )
