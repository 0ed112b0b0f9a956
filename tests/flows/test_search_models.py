"""Search by a model of open_clip: a small one, built, saved and loaded as real ones are."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from collectors.storage import open_store
from collectors.transport import SetupError
from flows.catalogue.catalogue import load_catalogue
from flows.exports.true_colour import true_colour
from flows.products.versions import MANIFESTS, REVOKED, read_version
from flows.samples.members import read_members
from flows.samples.opening import open_samples
from flows.search import embeddings
from flows.search.clip_models import ClipModel, ModelName
from flows.search.embeddings import embeddings_of, read_embeddings
from flows.search.indexing import drop_stale
from flows.search.nearest import search_by_model
from flows.search.scope import Scope
from flows.wording.reading import Regions
from tests.flows.runs import SHIPPED
from tests.flows.test_command_line import terrapair

if TYPE_CHECKING:
    from pathlib import Path

REGIONS = load_catalogue(SHIPPED).regions

SMALL = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def wanted(tmp_path_factory: pytest.TempPathFactory) -> ModelName:
    """A small model's configuration and a checkpoint of it."""
    import open_clip

    folder = tmp_path_factory.mktemp("model")
    config = folder / "terrapair-small.json"
    config.write_text(json.dumps(SMALL))
    open_clip.add_model_config(config)
    torch.manual_seed(0)
    torch.save(open_clip.create_model("terrapair-small").state_dict(), folder / "small.pt")
    return ModelName("terrapair-small", str(folder / "small.pt"), config)


@pytest.fixture(scope="module")
def model(wanted: ModelName) -> ClipModel:
    """The model, loaded."""
    return ClipModel(wanted)


def by_hand(wanted: ModelName, root: Path, text: str) -> dict[str, float]:
    """Returns each chip's likeness to a text, by open_clip alone."""
    import open_clip
    from PIL import Image

    model, prepare = open_clip.create_model_from_pretrained(
        wanted.name, pretrained=wanted.pretrained
    )
    samples = list(open_samples(str(root)))
    read = read_members(open_store(str(root)), [one.place for one in samples])
    pictures = [Image.fromarray(true_colour(data, one.chip.bands))
                for one, data in zip(samples, read, strict=True)]  # fmt: skip
    with torch.inference_mode():
        images = model.eval().encode_image(torch.stack([prepare(one) for one in pictures]))
        words = model.encode_text(open_clip.get_tokenizer(wanted.name)([text]))
        likeness = torch.nn.functional.cosine_similarity(images, words)
    return {one.chip.chip_id: value for one, value in
            zip(samples, likeness.tolist(), strict=True)}  # fmt: skip


def test_chips_come_in_the_order_of_their_likeness(
    built: Path, wanted: ModelName, model: ClipModel, tmp_path: Path
) -> None:
    """As open_clip has it by hand; the second search embeds no image."""
    expected = by_hand(wanted, built, "snow in winter")
    told = search_by_model(Scope(str(built), REGIONS, tmp_path), "snow in winter", model, limit=7)
    assert told["found"] == len(expected)
    scores = [one["score"] for one in told["results"]]
    assert scores == sorted(scores, reverse=True)
    for one in told["results"]:
        assert one["score"] == pytest.approx(expected[one["chip_id"]], abs=1e-3)
    assert scores[0] == pytest.approx(max(expected.values()), abs=1e-3)
    asked = search_by_model(
        Scope(str(built), REGIONS, tmp_path, sensor="naip"), "x", _Blind(model), limit=1000
    )
    assert {one["sensor"] for one in asked["results"]} == {"naip"}


class _Blind(ClipModel):
    """A model that must not be shown an image."""

    def __init__(self, model: ClipModel) -> None:
        self.fingerprint = model.fingerprint
        self.texts = model.texts  # type: ignore[method-assign]

    def images(self, _pictures: Any) -> Any:
        pytest.fail("it was embedded again")


def test_photos_and_texts_are_embedded_as_well(
    built: Path, model: ClipModel, tmp_path: Path
) -> None:
    """A row for each photo of a chip, or for each chip; of length 1, in files that others read."""
    store = open_store(str(built))
    version = read_version(store)
    assert version is not None
    samples = list(open_samples(str(built)))
    regions = Regions(REGIONS)
    for kind, ids in (
        ("photos", {one.photo.photo_id for sample in samples for one in sample.photos}),
        ("texts", {one.chip.chip_id for one in samples}),
    ):
        folder = embeddings_of(
            store, version, model, kind, tmp_path, regions, lambda *_: None  # type: ignore[arg-type]
        )  # fmt: skip
        found = list(read_embeddings(folder))
        assert {one for _, some, _ in found for one in some} == ids
        for _, _, values in found:
            assert values.shape[1] == SMALL["embed_dim"]
            assert np.allclose(np.linalg.norm(values, axis=1), 1, atol=1e-5)
    scope = Scope(str(built), REGIONS, tmp_path)
    told = search_by_model(scope, "a bridge", model, by="photos", limit=3)
    assert len({one["chip_id"] for one in told["results"]}) == 3
    assert pq.read_schema(next(folder.glob("*.parquet"))).names == ["chip_id", "id", "embedding"]


def test_a_stopped_run_goes_on_with_the_next_file(
    built: Path, model: ClipModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is whole is not made again, and half a file has no name."""
    monkeypatch.setattr(embeddings, "PORTION", 5)
    store = open_store(str(built))
    version = read_version(store)
    assert version is not None
    given = (store, version, model, "texts", tmp_path, Regions(REGIONS), lambda *_: None)
    whole = embeddings_of(*given)  # type: ignore[arg-type]
    files = {path.name: path.read_bytes() for path in whole.glob("*.parquet")}
    assert len(files) > 3
    (whole / "000002.parquet").unlink()
    calls = []
    texts = model.texts
    monkeypatch.setattr(model, "texts", lambda some: calls.append(len(some)) or texts(some))
    assert embeddings_of(*given) == whole  # type: ignore[arg-type]
    assert calls == [5]
    assert {path.name: path.read_bytes() for path in whole.glob("*")} == files


def test_embeddings_go_with_their_version(built: Path, model: ClipModel, tmp_path: Path) -> None:
    """Revoked: nothing of its photos stays in the cache."""
    import os
    import shutil

    root, cache = tmp_path / "d", tmp_path / "cache"
    shutil.copytree(built, root, copy_function=os.link)
    search_by_model(Scope(str(root), REGIONS, cache), "x", model, by="texts")
    assert list(cache.rglob("*.parquet"))
    (root / MANIFESTS / "v0001" / REVOKED).write_text("{}")
    drop_stale(open_store(str(root)), cache)
    assert [one for one in cache.rglob("*") if one.is_file()] == []


def test_other_weights_have_other_embeddings(wanted: ModelName, model: ClipModel) -> None:
    """By the weights themselves, not by the name of their file."""
    import open_clip

    torch.manual_seed(1)
    other = wanted.pretrained.replace("small", "other")  # type: ignore[union-attr]
    torch.save(open_clip.create_model(wanted.name).state_dict(), other)
    assert ClipModel(ModelName(wanted.name, other)).fingerprint != model.fingerprint
    assert ClipModel(wanted).fingerprint == model.fingerprint


def test_a_model_that_cannot_be_had_is_said(
    wanted: ModelName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without weights, with those of another, with no such name, or without open_clip."""
    torch.save({"x": torch.zeros(1)}, tmp_path / "wrong.pt")
    (tmp_path / "torn.pt").write_bytes(b"x")
    for name, pretrained, why in (
        (wanted.name, None, "without weights"), (wanted.name, "nosuch", "cannot be loaded"),
        (wanted.name, str(tmp_path / "wrong.pt"), "cannot be loaded"),
        (wanted.name, str(tmp_path / "torn.pt"), "cannot be loaded"),
        ("no-such-model", "nosuch", "cannot be loaded"),
    ):  # fmt: skip
        with pytest.raises(SetupError, match=why):
            ClipModel(ModelName(name, pretrained))
    with pytest.raises(SetupError, match="there is no file"):
        ClipModel(ModelName(wanted.name, wanted.pretrained, tmp_path / "none.json"))
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(SetupError, match=r"Install the extra"):
        ClipModel(wanted)


def test_the_command_takes_a_model_of_ones_own(
    built: Path, wanted: ModelName, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights without a model are wrong use."""
    monkeypatch.setenv("TERRAPAIR_SEARCH_CACHE", str(tmp_path))
    weights = ("--pretrained", str(wanted.pretrained))
    command = ("search", "green fields", "--root", str(built), "--by", "texts", *weights)
    done = terrapair(*command, "--model", wanted.name, "--model-config", str(wanted.config),
                     "--limit", "2", "--json")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.stdout)["results"]) == 2
    assert terrapair(*command).exit_code == 2
