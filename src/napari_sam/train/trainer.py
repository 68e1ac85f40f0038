"""Train ``nano`` from scratch, in stages, with checkpoints that a later run goes on from."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from napari_sam.model.nano import Nano
from napari_sam.train.crops import Crops, batch_keys
from napari_sam.train.interact import Batch, graded_round
from napari_sam.train.log import Log
from napari_sam.train.losses import instance_loss
from napari_sam.train.muon import make_optimizers
from napari_sam.train.planes import LabeledPlane
from napari_sam.train.processes import average_over_processes, join_processes
from napari_sam.train.schedule import STAGES, Stage

SAVE_EVERY = 100
"""Steps between two lines of the log, with a checkpoint at each."""

SAVE_SECONDS = 180.0
"""Where steps are slow, there are checkpoints between the lines, too."""


class Trainer:
    """Weights, their moving average, the optimizers and the step reached.

    A run that is interrupted and one that is not give the same weights: crops, prompts and dropped
    masks of a step depend on nothing but the seed and the step. Processes that are started together
    by ``torchrun`` share the crops of each step, and all have the same weights.

    Parameters
    ----------
    sources : dict of str to list of LabeledPlane
    folder : Path
        Receives ``checkpoint.pt``, ``log.csv`` and ``curves.png``; a checkpoint found there is
        continued.
    stages : sequence of Stage
    device : str
    seed : int
    n_workers : int
        Processes that prepare crops.
    make_optimizers : callable
        Returns what changes the parameters of the network.
    """

    AVERAGE_OVER = 500
    """Steps of the moving average of the weights."""

    def __init__(
        self,
        sources: dict[str, list[LabeledPlane]],
        folder: Path,
        stages: tuple[Stage, ...] = STAGES,
        device: str = "cpu",
        seed: int = 0,
        n_workers: int = 1,
        make_optimizers: Callable[[nn.Module], Sequence[Optimizer]] = make_optimizers,
    ) -> None:
        torch.manual_seed(seed)
        self.sources, self.stages, self.device, self.seed = sources, stages, device, seed
        self.n_workers = n_workers
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.net = Nano().to(device)
        self.average = copy.deepcopy(self.net).requires_grad_(False)
        self.optimizers = make_optimizers(self.net)
        self.rank, self.n_processes = join_processes()
        self.step = 0
        recent = self._load() if self.checkpoint.exists() else []
        self.log = Log(self.folder / "log.csv", self.step, recent) if self.rank == 0 else None

    @property
    def checkpoint(self) -> Path:
        """File that a later run goes on from."""
        return self.folder / "checkpoint.pt"

    @property
    def total_steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def _load(self) -> list[dict[str, float]]:
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        for optimizer, known in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(known)
        self.step = state["step"]
        return state["recent"]

    def save(self) -> None:
        """Replace the checkpoint in one move, so that a kill leaves the old one or the new one."""
        state = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "recent": self.log.recent if self.log else [],
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def _batches(self, stage: Stage, last_step: int) -> Iterable[dict[str, Tensor]]:
        crops = Crops(
            self.sources,
            stage.size,
            max(1, stage.n_objects),
            self.seed,
            stage.synthetic_share,
            stage.diameters,
        )
        return DataLoader(
            crops,
            batch_sampler=[
                keys[self.rank :: self.n_processes]
                for keys in batch_keys(self.step, last_step, stage.n_crops)
            ],
            num_workers=self.n_workers,
            prefetch_factor=4 if self.n_workers else None,
        )

    def losses(self, batch: Batch, is_prompted: bool) -> tuple[Tensor, dict[str, float]]:
        """Loss of one batch, and what to log."""
        embedding, detail = self.net.embed(batch["image"])
        logits = self.net.instance_head(embedding).float()
        loss = instance_loss(logits, batch["instances"])
        figures = {"dense": loss.item()}
        if is_prompted:
            prompted, more = graded_round(self.net.mask_decoder, embedding, detail, batch)
            loss, figures = loss + prompted, figures | more
        return loss, figures

    def update(self, batch: Batch, stage: Stage, steps_in_stage: int) -> dict[str, float]:
        """Take one step of the optimizers."""
        torch.manual_seed(hash((self.seed, self.step)))
        batch = {key: value.to(self.device) for key, value in batch.items()}
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = stage.learning_rate(steps_in_stage)
        # cached casts of weights that a round without gradients has made would have none later
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, cache_enabled=False):
            loss, figures = self.losses(batch, is_prompted=stage.n_objects > 0)
        self.net.zero_grad(set_to_none=True)
        loss.backward()
        if self.n_processes > 1:
            average_over_processes(self.net)
        clip_grad_norm_(self.net.parameters(), 1.0)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self._average()
        return {"loss": loss.item(), **figures}

    def _average(self) -> None:
        decay = min(1 - 1 / self.AVERAGE_OVER, self.step / (self.step + 10))
        averages, values = (
            [v for v in net.state_dict().values() if v.is_floating_point()]
            for net in (self.average, self.net)
        )
        torch._foreach_lerp_(averages, values, 1 - decay)

    def run(self, save_every: int = SAVE_EVERY) -> None:
        """Train to the end of the last stage; log means over `save_every` steps."""
        started = saved = time.monotonic()
        end = 0
        for stage in self.stages:
            end += stage.steps
            if self.step >= end:
                continue
            self.net.train()
            for batch in self._batches(stage, end):
                figures = self.update(batch, stage, self.step - (end - stage.steps))
                if self.log is None:  # the first process tells, and saves
                    continue
                self.log.add(figures)
                is_line = self.step % save_every == 0 or self.step == end
                if is_line:
                    self.log.write(self.step, time.monotonic() - started)
                if is_line or time.monotonic() - saved > SAVE_SECONDS:
                    self.save()
                    saved = time.monotonic()
