"""Muon, and several processes that train together."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from napari_sam.model.nano import Nano
from napari_sam.train.muon import Muon, is_matrix, make_optimizers, orthogonalized

TOGETHER = """
import sys
from pathlib import Path
import torch
from napari_sam.train.planes import read_folder
from napari_sam.train.schedule import Stage
from napari_sam.train.trainer import Trainer

data, run = map(Path, sys.argv[1:])
stages = (Stage(1, 64, 2, 0), Stage(2, 64, 2, 1))
trainer = Trainer(read_folder(data), run, stages, n_workers=0)
trainer.run(save_every=1)
assert trainer.n_processes == 2
torch.save(trainer.net.state_dict(), run / f"rank_{trainer.rank}.pt")
"""


@pytest.mark.parametrize("shape", [(2, 40, 16), (2, 16, 40)])
def test_directions_become_equally_strong_and_stay_what_they_are(
    shape: tuple[int, int, int],
) -> None:
    torch.manual_seed(0)
    matrices = torch.randn(shape)
    made = orthogonalized(matrices)
    values = torch.linalg.svdvals(made)
    assert values.min() > 0.5
    assert values.max() < 1.3
    u, _, vh = torch.linalg.svd(matrices, full_matrices=False)
    along = u.mT @ made @ vh.mT
    beside = along - torch.diag_embed(along.diagonal(dim1=1, dim2=2))
    assert beside.abs().max() < 0.1


def test_rare_directions_learn_as_fast() -> None:
    """A gradient that is a hundred times weaker in one direction."""
    torch.manual_seed(0)
    weight = nn.Parameter(torch.zeros(16, 16))
    target = torch.eye(16)
    strength = torch.logspace(0, -1, 16)
    muon = Muon([weight], lr=0.02, weight_decay=0.0)
    for _ in range(200):
        muon.zero_grad()
        ((weight - target) @ torch.diag(strength)).square().sum().backward()
        muon.step()
    assert (weight - target).diagonal().abs().max() < 0.1


def test_kernels_are_changed_as_matrices_of_their_outputs() -> None:
    torch.manual_seed(0)
    kernel = nn.Parameter(torch.randn(16, 4, 3, 3))
    flat = nn.Parameter(kernel.detach().flatten(1).clone())
    gradient = torch.randn(16, 4, 3, 3)
    kernel.grad, flat.grad = gradient, gradient.flatten(1)
    for param in (kernel, flat):
        Muon([param]).step()
    assert torch.equal(kernel.flatten(1), flat)


def test_every_parameter_of_nano_has_one_optimizer() -> None:
    net = Nano()
    muon, adamw = make_optimizers(net)
    known = [p for o in (muon, adamw) for group in o.param_groups for p in group["params"]]
    assert sorted(map(id, known)) == sorted(map(id, net.parameters()))
    names = {name for name, param in net.named_parameters() if is_matrix(name, param)}
    assert "mask_decoder.quality.lin1.weight" in names
    assert not names & {"mask_decoder.mask_tokens.weight", "mask_decoder.prompt_embed.weight"}
    assert not any("depthwise" in name or "norm" in name for name in names)


@pytest.mark.slow
def test_processes_share_the_crops_and_have_the_same_weights(tmp_path: Path) -> None:
    labels = np.kron(np.arange(1, 17).reshape(4, 4), np.pad(np.ones((16, 16), np.int32), 8))
    data = tmp_path / "data"
    data.mkdir()
    np.savez(data / "squares.npz", image_000=(labels > 0).astype(float), label_000=labels)
    script = tmp_path / "train.py"
    script.write_text(TOGETHER)
    start = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    run = tmp_path / "run"
    subprocess.run([sys.executable, "-m", *start, str(data), str(run)], check=True)
    one, other = (torch.load(run / f"rank_{i}.pt", weights_only=True) for i in range(2))
    assert all(torch.equal(one[key], other[key]) for key in one)
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    assert state["step"] == 3
    assert all(torch.equal(state["net"][key], one[key]) for key in one)
