"""What the library says of arguments is said of options on the command line."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.cli.wording import with_options, with_settings
from napari_sam.image import open_image
from napari_sam.model import load_model


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("say which one, for example channels=0; or channels='max'.",
         "say which one, for example --channel 0; or --channel max."),
        ("for example axes=tzyx, czyx or tczyx.", "for example --axes tzyx, czyx or tczyx."),
        ("name it, checkpoint=\"path/to/the/file\".", "name it, --checkpoint path/to/the/file."),
        ("There is no file my_axes.tif.", "There is no file my_axes.tif."),
    ],
)  # fmt: skip
def test_options(sentence: str, expected: str) -> None:
    assert with_options(sentence) == expected


def test_settings() -> None:
    names = {"overlap": "--link-overlap", "min_area": "--min-area", "max_area": "--max-area"}
    assert with_settings("overlap is 3; expected at most 1.", names).startswith("--link-overlap is")
    assert with_settings("max_area is 3 and min_area 9: no overlap.", names) == (
        "--max-area is 3 and --min-area 9: no overlap."
    )


def test_sentences_of_the_library() -> None:
    with pytest.raises(ValueError) as about_channels:
        open_image(np.zeros((2, 64, 64), np.uint8), axes="cyx")
    assert "for example --channel 0; or --channel max for" in with_options(about_channels.value)
    with pytest.raises(ValueError) as about_model:
        load_model("weights.pth")
    assert "A file of weights is given as --checkpoint PATH." in with_options(about_model.value)


def test_a_channel_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="channels=5 was given") as told:
        open_image(np.zeros((9, 9, 3), np.uint8), axes="yxc", channels=5)
    assert with_options(told.value).startswith("--channel 5 was given; expected one to three")
