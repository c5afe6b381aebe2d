"""The configuration is strict, and each of its values makes just the stages run again that depend on it."""

from pathlib import Path

import numpy as np
import pytest

from pixsieve import Config, ConfigError, backend
from pixsieve.config.cluster import Hdbscan, Kmeans
from pixsieve.config.load import parsed as load_yaml
from tests.pipeline.helpers import audit, pattern, ran, save

AFTER = {"findings", "report"}
FINDINGS = {"match", "outliers", *AFTER}
# In these images every cluster is too small to have its own standard for outliers, and all duplicates are very near.
SAME = {"findings"}


def load(tmp_path: Path, text: str, *settings: str) -> Config:
    (tmp_path / "config.yaml").write_text(text)
    return Config.load(tmp_path / "config.yaml", settings=list(settings))


def test_defaults_and_overrides(tmp_path: Path):
    config = load(tmp_path, "source: {path: photos}\ncluster: {similarity: 0.8}\n", "cluster.min_samples=3")
    assert config.source.path == str(Path("photos").absolute())
    assert config.run.path == str(Path("runs/photos").absolute())
    assert (config.cluster.similarity, config.cluster.min_samples, config.run.batch_rows) == (0.8, 3, 8192)
    assert load(tmp_path, config.dump()) == config


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("source: {path: a}\ncluster: {similarty: 0.9}", "cluster.similarty: unknown key; nearest known: similarity"),
        ("source: {path: a}\nclusters: {}", "clusters: unknown key; nearest known: cluster"),
        ("source: {path: a}\ncluster: {similarity: 90}", "cluster.similarity: input should be less than or equal to 1"),
        ("source: {path: a}\ncluster: {similarity: high}", "cluster.similarity"),
        ("source: {path: a}\nrun: {batch_rows: 0}", "run.batch_rows"),
        ("source: {path: a}\nrun: {batch_rows: true}", "run.batch_rows"),
        ("source: {path: a}\nworkers: {kind: many}", "'inline', 'local' or 'attach' (given: 'many')"),
        ("source: {pth: a}", "source.path: missing\nsource.pth: unknown key; nearest known: path"),
        ("cluster: {}", "source: missing"),
        ("- a\n- b", "must hold sections"),
        ("source: {path: a, path: b}", 'found duplicate key "path"'),
        ("source: {path: a", "is not valid YAML"),
        ("source: {path: a}\ncluster: {method: kmeans}", "'kmeans' needs cluster.n_clusters"),
        (
            "source: {path: a}\ncluster: {method: optics}",
            "there is no 'optics'; known: auto, dbscan, hdbscan",
        ),
        (
            "source: {path: a}\ncluster: {method: kmeans, n_clusters: 3}\nmatch: {mode: exact}",
            "is for dbscan, hdbscan, leiden, not for kmeans; use 'representatives'",
        ),
        (
            "source: {path: a}\ncluster: {method: hdbscan, min_samples: 300}",
            "cluster.min_samples: input should be less",
        ),
        ("source: {path: a}\ncluster: {search: {}}", "cluster.search has no list"),
        (
            "source: {path: a}\ncluster: {search: {similarty: [1]}}",
            "cluster.search.similarty: unknown key; nearest known",
        ),
        (
            "source: {path: a}\ncluster: {search: {similarity: 0.9}}",
            "cluster.search.similarity: input should be a valid list",
        ),
        (
            "source: {path: a}\ncluster: {search: {similarity: []}}",
            "cluster.search.similarity: list should have at least 1",
        ),
        (
            "source: {path: a}\ncluster: {search: {min_samples: [3], per: batch}}\nmatch: {mode: exact}",
            "no match is exact",
        ),
        (
            "source: {path: a}\ncluster: {search: {method: [dbscan, kmeans], n_clusters: [3]}}",
            "holds methods that are matched exactly and others; set match.mode",
        ),
        ("source: {path: a}\nembed: {weights: b}", "embed.weights is given but embed.model is not"),
        ("source: {path: a}\nembed: {model: null, image_size: 64}", "embed.image_size is given but embed.model is not"),
        ("source: {path: a}\nembed: {image_size: 8}", "embed.image_size: input should be greater than or equal to 16"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str):
    with pytest.raises(ConfigError) as error:
        load(tmp_path, text)
    assert said in str(error.value)


@pytest.mark.parametrize("setting", ["cluster.similarity", "cluster=0.9", "=3", "similarity=0.9", "a.b.c=1"])
def test_settings_have_a_section_a_key_and_a_value(tmp_path: Path, setting: str):
    with pytest.raises(ConfigError):
        load(tmp_path, "source: {path: a}", setting)


def test_off_is_a_word(tmp_path: Path):
    assert load(tmp_path, "source: {path: a}\nmatch: {mode: off}").match.mode == "off"


@pytest.mark.parametrize("pattern", ["*.jpg", "**/*.{jpg,png}", "!**/thumbs/**", "a*"])
def test_a_pattern_is_a_value_as_it_is(tmp_path: Path, pattern: str):
    assert Config.load(tmp_path, settings=[f"source.pattern={pattern}"]).source.pattern == pattern


@pytest.mark.parametrize(
    ("text", "value"),
    [("yes", "yes"), ("no", "no"), ("on", "on"), ("true", True), ("0o17", 15), ("017", 17), ("1e3", 1000.0)],
)
def test_values_are_those_of_yaml_1_2(text: str, value: object):
    assert load_yaml(text) == value and type(load_yaml(text)) is type(value)


def test_a_configuration_is_dumped_as_it_is_read(tmp_path: Path):
    odd = load(tmp_path, "source: {path: 'a: b # \u00e9', pattern: ['**/*', '!off']}\nmatch: {mode: off}")
    (tmp_path / "again.yaml").write_text(odd.dump(), "utf-8")
    assert Config.load(tmp_path / "again.yaml") == odd


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    families = [pattern(rng) for _ in range(3)]
    for number in range(30):
        noisy = families[number % 3] + rng.normal(size=families[0].shape) * 4 * (number % 7)
        save(folder / f"{number:02}.png", np.clip(noisy, 0, 255).astype(np.uint8))
    return folder


@pytest.mark.parametrize(
    ("setting", "again"),
    [
        ("embed.max_pixels=1000", {"embed", "labels", "cluster", "pairs", "verify", "duplicates", *FINDINGS}),
        ("cluster.similarity=0.99", {"cluster", "pairs", *FINDINGS} - SAME),
        ("cluster.min_samples=25", {"cluster", "pairs", *FINDINGS} - SAME),
        ("duplicates.similarity=0.99", {"duplicates", *AFTER} - SAME),
        ("duplicates.keep=[key]", {"duplicates", "outliers", *AFTER}),
        ("outliers.sensitivity=1.5", {"outliers", *AFTER}),
        ("outliers.neighbours=4", {"pairs", "outliers", *AFTER}),
        ("mislabels.find=always", {"mislabels"}),  # of which there are none without labels
        ("embed.batch_size=7", set()),
        ("embed.read_ahead_mb=1", set()),
        ("workers.retries=3", set()),
        pytest.param("workers.kind=local", set(), marks=pytest.mark.slow),
        ("run.block_rows=10", set()),
    ],
)
def test_a_changed_value_reruns_what_depends_on_it(images: Path, tmp_path: Path, setting: str, again: set[str]):
    base = ("run.batch_rows=12",)
    audit(images, tmp_path / "run", *base)
    assert set(ran(audit(images, tmp_path / "run", *base, setting))) == again
    assert ran(audit(images, tmp_path / "run", *base, setting)) == {}


def test_batch_rows_cannot_change(images: Path, tmp_path: Path):
    audit(images, tmp_path / "run", "run.batch_rows=12")
    with pytest.raises(ConfigError, match="was begun with 12"):
        audit(images, tmp_path / "run", "run.batch_rows=13")
    assert Config.load(tmp_path / "run/config.yaml").run.batch_rows == 12


def test_another_backend_is_refused(images: Path, tmp_path: Path):
    import zarr

    audit(images, tmp_path / "run")
    zarr.open_group(tmp_path / "run/embeddings.zarr")["dct"].update_attributes({"backend": "gpu"})
    with pytest.raises(ConfigError, match=r"workers\.device=gpu"):
        audit(images, tmp_path / "run")


def test_a_gpu_that_is_not_there_is_an_error(images: Path, tmp_path: Path):
    if backend.choose("auto") == "gpu":
        pytest.skip("there is one")
    with pytest.raises(ConfigError, match=r"workers\.device is gpu, but .*(GPU packages|no CUDA device)"):
        audit(images, tmp_path / "run", "workers.device=gpu")


def test_an_empty_section_has_its_defaults(tmp_path: Path):
    config = load(tmp_path, "source: {path: a}\nrun:\ncluster:\n")
    assert config.cluster.method == "auto" and config.run.batch_rows == 8192


def test_a_key_of_another_method_is_said_to_be_that(tmp_path: Path):
    with pytest.raises(
        ConfigError, match=r"^cluster.similarity: hdbscan has no such key; it is of dbscan, agglomerative$"
    ):
        load(tmp_path, "source: {path: a}\ncluster: {method: hdbscan, similarity: 0.8}")
    with pytest.raises(ConfigError, match=r"^cluster.similarty: unknown key; nearest known: similarity$"):
        load(tmp_path, "source: {path: a}\ncluster: {similarty: 0.8}")
    with pytest.raises(ConfigError, match=r"^cluster.search.similarty: unknown key; nearest known: similarity$"):
        load(tmp_path, "source: {path: a}\ncluster: {search: {similarty: [0.8]}}")
    with pytest.raises(ConfigError, match=r"^cluster.method 'kmeans' needs cluster.n_clusters$"):
        load(tmp_path, "source: {path: a}\ncluster: {method: kmeans}")
    with pytest.raises(ConfigError, match=r"cluster.max_cluster_size is less than cluster.min_cluster_size"):
        load(tmp_path, "source: {path: a}\ncluster: {method: hdbscan, max_cluster_size: 4}")
    for limit in ("max_cluster_size: 9", "allow_single_cluster: true"):
        with pytest.raises(ConfigError, match=r"are for selection 'eom'"):
            load(tmp_path, f"source: {{path: a}}\ncluster: {{method: hdbscan, selection: leaf, {limit}}}")
    with pytest.raises(ConfigError, match=r"cluster.min_samples: .* 256 \(hdbscan\)"):
        load(tmp_path, "source: {path: a}\ncluster: {search: {method: [dbscan, hdbscan], min_samples: [5, 300]}}")


def test_another_method_takes_the_place_of_the_files(tmp_path: Path):
    text = "source: {path: a}\ncluster: {similarity: 0.8, min_samples: 7}"
    found = load(tmp_path, text, "cluster.min_cluster_size=9", "cluster.method=hdbscan").cluster
    assert found == Hdbscan(min_samples=7, min_cluster_size=9)
    again = Config.load(tmp_path / "config.yaml", settings=["cluster.method=kmeans", "cluster.n_clusters=4"])
    assert again.cluster == Kmeans(n_clusters=4)
    with pytest.raises(ConfigError, match="hdbscan has no such key"):
        load(tmp_path, text, "cluster.method=hdbscan", "cluster.similarity=0.9")


def test_another_method_does_not_hide_a_wrong_key(tmp_path: Path):
    (tmp_path / "config.yaml").write_text("source: {path: x}\ncluster: {method: hdbscan, min_cluster_sise: 9}\n")
    for method in ("dbscan", '"dbscan"', " dbscan"):
        with pytest.raises(ConfigError, match="min_cluster_sise"):
            Config.load(tmp_path / "config.yaml", settings=[f"cluster.method={method}"])


@pytest.mark.parametrize("section", ["dbscan", "{method: null}"])
def test_a_cluster_section_without_a_method_says_what_there_is(tmp_path: Path, section: str):
    with pytest.raises(ConfigError, match="known: auto, dbscan"):
        load(tmp_path, f"source: {{path: a}}\ncluster: {section}")
