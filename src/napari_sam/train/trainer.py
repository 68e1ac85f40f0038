"""Train ``nano`` from scratch, in stages, with checkpoints that a later run goes on from."""

from __future__ import annotations

import copy
import csv
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_
from torch.utils.data import DataLoader

from napari_sam.model.nano import Nano
from napari_sam.train.crops import Crops
from napari_sam.train.losses import instance_loss, mask_iou, prompt_loss
from napari_sam.train.planes import LabeledPlane
from napari_sam.train.simulate import corrections, first_prompts


@dataclass(frozen=True)
class Stage:
    """A stretch of training with crops of one size.

    Parameters
    ----------
    steps, size, n_crops : int
        Length of the stage, side of the crops, crops per step.
    n_objects : int
        Objects to be prompted for in each crop; 0 trains the encoder by the instance head alone.
    refine_every : int
        Every so many steps, two corrective clicks follow the first prompt.
    frozen_norm : bool
        Normalize by the running statistics, as in use.
    peak : float
        Learning rate at the top of the cosine that spans all stages.
    """

    steps: int
    size: int
    n_crops: int
    n_objects: int
    refine_every: int = 3
    frozen_norm: bool = False
    peak: float = 1e-3


STAGES = (
    Stage(500, 256, 8, 0),
    Stage(2400, 256, 4, 8),
    Stage(700, 512, 2, 8, refine_every=4, frozen_norm=True, peak=2e-3),
)
"""The encoder first learns to tell objects at every pixel, which is six times cheaper than prompts
and gives the decoder something to look at."""


SAVE_EVERY = 200
"""Steps between two checkpoints, and between two lines of the log."""


def learning_rate(progress: float, steps_in_stage: int, peak: float) -> float:
    """Cosine from the peak to a fiftieth of it, with a linear warm-up in every stage."""
    cosine = (1 + math.cos(math.pi * min(progress, 1.0))) / 2
    return peak * (0.02 + 0.98 * cosine) * min(1.0, (steps_in_stage + 1) / 150)


class Trainer:
    """Weights, their moving average, the optimizer and the step reached.

    Parameters
    ----------
    sources : dict of str to list of LabeledPlane
    folder : Path
        Receives ``checkpoint.pt`` and ``log.csv``; a checkpoint found there is continued.
    stages : sequence of Stage
    device : str
    seed : int
    """

    AVERAGE_OVER = 200
    """Steps of the moving average of the weights."""

    def __init__(
        self,
        sources: dict[str, list[LabeledPlane]],
        folder: Path,
        stages: tuple[Stage, ...] = STAGES,
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        torch.manual_seed(seed)
        self.sources, self.stages, self.device, self.seed = sources, stages, device, seed
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.net = Nano().to(device)
        self.average = copy.deepcopy(self.net).requires_grad_(False)
        decayed = [p for p in self.net.parameters() if p.ndim > 1]
        others = [p for p in self.net.parameters() if p.ndim <= 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": 0.05}, {"params": others, "weight_decay": 0.0}],
            betas=(0.9, 0.98),
        )
        self.step = 0
        if self.checkpoint.exists():
            self._load()

    @property
    def checkpoint(self) -> Path:
        """File that a later run goes on from."""
        return self.folder / "checkpoint.pt"

    @property
    def total_steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.steps for stage in self.stages)

    def _load(self) -> None:
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        torch.set_rng_state(state["random"].cpu())

    def save(self) -> None:
        """Replace the checkpoint in one move, so that a kill leaves the old one or the new one."""
        state = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "random": torch.get_rng_state(),
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def _iter_batches(self, stage: Stage) -> Iterator[dict[str, Tensor]]:
        seed = self.seed * 10**7 + self.step
        crops = Crops(self.sources, stage.size, max(1, stage.n_objects), seed)
        yield from DataLoader(
            crops,
            batch_size=stage.n_crops,
            num_workers=1,
            prefetch_factor=4,
            persistent_workers=False,
        )

    def losses(self, batch: dict[str, Tensor], n_rounds: int) -> tuple[Tensor, dict[str, float]]:
        """Loss of one batch, and what to log: IoU of the first and of the last round."""
        embedding, detail = self.net.embed(batch["image"].to(self.device))
        dense = instance_loss(
            self.net.instance_head(embedding).float(), batch["instances"].to(self.device)
        )
        if n_rounds == 0:
            return dense, {"first": 0.0, "last": 0.0, "dense": dense.item()}
        masks = batch["masks"].flatten(0, 1).to(self.device)  # (N, S, S)
        target = torch.nn.functional.avg_pool2d(masks[:, None].float(), 2)[:, 0]
        n_objects = len(masks) // len(embedding)
        embedding, detail = (m.repeat_interleave(n_objects, 0) for m in (embedding, detail))
        points, labels, boxes = first_prompts(masks)
        previous, loss, ious = None, dense, []
        for i in range(n_rounds):
            logits, predicted_iou = self.net.mask_decoder(
                embedding, detail, points, labels, boxes, previous
            )
            loss = loss + prompt_loss(logits, predicted_iou, target, ambiguous=i == 0) / n_rounds
            iou = mask_iou(logits, target)
            ious.append((iou[:, 1:].amax(1) if i == 0 else iou[:, 0]).mean().item())
            best = predicted_iou[:, 1:].argmax(1) + 1 if i == 0 else torch.zeros_like(labels[:, 0])
            rows = torch.arange(len(masks), device=best.device)
            previous = logits[rows, best].detach()[:, None]
            full = torch.nn.functional.interpolate(previous, scale_factor=2, mode="bilinear")[:, 0]
            click, sign = corrections(masks, full > 0)
            points, labels = torch.cat([points, click], 1), torch.cat([labels, sign], 1)
        return loss, {"first": ious[0], "last": ious[-1], "dense": dense.item()}

    def update(
        self, batch: dict[str, Tensor], stage: Stage, steps_in_stage: int
    ) -> dict[str, float]:
        """Take one step of the optimizer."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.step / self.total_steps, steps_in_stage, stage.peak)
        n_rounds = 3 if self.step % stage.refine_every == 0 else 1
        n_rounds = n_rounds if stage.n_objects else 0
        with torch.autocast(self.device.split(":")[0], torch.bfloat16):
            loss, figures = self.losses(batch, n_rounds)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        clip_grad_norm_(self.net.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        decay = min(1 - 1 / self.AVERAGE_OVER, self.step / (self.step + 10))
        averages = self.average.state_dict()
        for name, value in self.net.state_dict().items():
            if value.is_floating_point():
                averages[name].lerp_(value, 1 - decay)
        return {"loss": loss.item(), **figures}

    def run(self, save_every: int = SAVE_EVERY) -> None:
        """Train to the end of the last stage; log means over `save_every` steps."""
        recent: list[dict[str, float]] = []
        started, end = time.monotonic(), 0
        for stage in self.stages:
            end += stage.steps
            if self.step >= end:
                continue
            self.net.train()
            for module in self.net.modules():
                if stage.frozen_norm and isinstance(module, torch.nn.BatchNorm2d):
                    module.eval()
            for batch in self._iter_batches(stage):
                recent.append(self.update(batch, stage, self.step - (end - stage.steps)))
                if self.step % save_every == 0 or self.step == end:
                    self._log(recent, time.monotonic() - started)
                    recent = []
                    self.save()
                if self.step >= end:
                    break

    def _log(self, recent: list[dict[str, float]], seconds: float) -> None:
        row = {k: sum(r[k] for r in recent) / len(recent) for k in recent[0]}
        row = {"step": self.step, **{k: round(v, 4) for k, v in row.items()}}
        row["seconds"] = round(seconds, 1)
        path = self.folder / "log.csv"
        is_new = not path.exists()
        with path.open("a", newline="") as file:
            writer = csv.DictWriter(file, list(row))
            if is_new:
                writer.writeheader()
            writer.writerow(row)
