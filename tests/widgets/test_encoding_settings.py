"""Halo, precision and normalization: what they change, and that nothing encoded is mixed."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.image import open_image
from napari_sam.widgets.encoding_settings import EncodingSettings
from napari_sam.widgets.predictor import lazy_model


def embeddings(session):
    return session.predictor.embeddings


@pytest.mark.parametrize(
    "wrong",
    [
        {"halo": -1},
        {"halo": 1.5},
        {"precision": "float16"},
        {"normalization": "max"},
        {"normalization": (2, 1)},
        {"normalization": (0, float("inf"))},
        {"normalization": (1, 2, 3)},
    ],
)
def test_what_is_no_setting_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        EncodingSettings(**wrong)


def test_a_halo_makes_other_tiles_from_the_next_click_on(session, model):
    session.click(100, 120)
    before = embeddings(session)
    assert before.halo == model.image_size // 8
    session.halo = 100
    assert session.mask is not None  # answered anew
    after = embeddings(session)
    assert after is not before
    assert after.halo == 100
    assert len(after.memory.keys()) == 1
    session.halo = None
    assert embeddings(session).halo == model.image_size // 8


def test_a_halo_that_leaves_no_core_is_told(session):
    session.halo = 128
    with pytest.raises(ValueError, match="leaves no core"):
        session.click(100, 120)
    session.halo = 10
    session.click(100, 120)


def test_another_model_begins_with_its_own_halo(session, model):
    session.halo = 10
    session.model = type(model)()
    assert session.halo is None


@pytest.mark.parametrize(
    ("normalization", "low", "high"),
    [("auto", 1, 99.8), ("percentiles", 1, 99.8), ("min-max", 0, 100), ((20, 60), 20, 60)],
)
def test_normalizations(session, viewer, normalization, low, high):
    gray = np.linspace(0, 100, 200 * 240, dtype=np.float32).reshape(200, 240)
    session.image = viewer.add_image(gray, name="ramp")
    session.normalization = normalization
    session.click(100, 120)
    intensity = embeddings(session).image.intensity
    assert intensity.low == pytest.approx((low,), abs=0.2)
    assert intensity.high == pytest.approx((high,), abs=0.2)
    assert intensity.is_8_bit == (normalization == "min-max")


def test_limits_are_those_of_one_image(session, viewer, picture):
    session.normalization = (20, 60)
    session.halo = 10
    session.image = viewer.add_image(picture, name="other")
    assert session.normalization == "auto"
    assert session.halo == 10


def test_all_channels_get_the_same_limits():
    for shape, channels in (((3, 8, 8), {"channel_axis": "z"}), ((8, 8, 3), {})):
        axes = "yxc" if shape[-1] == 3 else "zyx"
        image = open_image(np.zeros(shape, np.uint8), axes=axes, **channels)
        assert image.with_limits(3, 9).intensity.low == (3, 3, 3)


def test_a_store_of_other_settings_is_refused(session, tmp_path):
    session.store = tmp_path / "store.zarr"
    session.click(100, 120)
    session.normalization = (20, 60)
    assert session.store is None  # in memory again
    with pytest.raises(ValueError, match="normalization"):
        session.store = tmp_path / "store.zarr"
    session.halo = 10
    with pytest.raises(ValueError, match="halo"):
        session.store = tmp_path / "store.zarr"
    session.store = tmp_path / "other.zarr"
    assert embeddings(session).halo == 10
    assert embeddings(session).image.intensity.low == (20,)


def test_models_in_two_precisions_are_two():
    first = lazy_model("vit_b", "float32")
    assert lazy_model("vit_b", "float32") is first
    assert lazy_model("vit_b") is not first


def test_a_model_by_name_is_loaded_in_the_precision_chosen(session):
    session.model = "nano"
    session.precision = "bfloat16"
    session.click(100, 120)
    assert "bfloat16" in {str(each.dtype)[6:] for each in weights_of(session)}
    session.precision = "float32"
    assert {str(each.dtype)[6:] for each in weights_of(session)} == {"float32"}


def weights_of(session):
    return embeddings(session).model.image_encoder.parameters()


def test_a_model_given_as_an_object_stays_as_it_is(session):
    with pytest.raises(ValueError, match="as it was loaded"):
        session.precision = "float32"
    assert session.precision == "auto"


def test_the_script_repeats_what_was_tuned(session):
    session.click(100, 120)
    session.commit()
    assert "halo" not in session.script()
    session.halo = 10
    session.normalization = (20, 60)
    session.click(40, 40)
    session.commit()
    assert "session.halo = 10" in session.script()
    assert "session.normalization = (20, 60)" in session.script()
