"""Vectors to measure with: embeddings of CIFAR-10 by a small network trained here, or drawn groups.

python -m benchmarks.vectors TARS OUT.npy      TARS: folder of CIFAR-10 as WebDataset tars (webp/png/jpg + cls)

Writes OUT.labels.npy, too.
"""

import argparse
import io
import tarfile
from itertools import pairwise
from pathlib import Path

import numpy as np


def groups(n: int, d: int, *, spread: float = 0.35, seed: int = 0) -> np.ndarray:
    """(n, d) float16 unit vectors in n / 50 loose groups, 5 % alone, 2 % near copies."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(max(1, n // 50), d)).astype(np.float32)
    x = centres[rng.integers(len(centres), size=n)] + spread * rng.normal(size=(n, d)).astype(np.float32)
    x[rng.integers(n, size=n // 20)] = rng.normal(size=(n // 20, d))
    x[rng.integers(n, size=n // 50)] = x[rng.integers(n, size=n // 50)] + 0.01 * rng.normal(size=(n // 50, d))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float16)


def cifar(tars: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 32, 32, 3) uint8 and labels (n,), in the order of the tars."""
    from PIL import Image

    images: dict[str, np.ndarray] = {}
    labels: dict[str, str] = {}
    for path in sorted(tars.rglob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                name, _, kind = member.name.partition(".")
                file = tar.extractfile(member)
                if file is None:
                    continue
                data = file.read()
                key = f"{path.name}/{name}"
                if kind == "cls":
                    labels[key] = data.decode()
                elif kind in ("png", "jpg", "jpeg", "webp"):
                    images[key] = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    return np.stack(list(images.values())), np.unique([labels[key] for key in images], return_inverse=True)[1]


def embed(images: np.ndarray, labels: np.ndarray, *, epochs: int = 4, seed: int = 0) -> np.ndarray:
    """(n, 512) float16 unit vectors: the last hidden layer of a network trained on these images."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    widths = (3, 32, 64, 128, 512)
    layers: list[nn.Module] = []
    for i, o in pairwise(widths):
        layers += [nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(), nn.MaxPool2d(2)]
    body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    head = nn.Linear(512, int(labels.max()) + 1)
    optimiser = torch.optim.AdamW([*body.parameters(), *head.parameters()], lr=2e-3, weight_decay=1e-2)
    x = torch.from_numpy(images).permute(0, 3, 1, 2)
    y = torch.from_numpy(labels)

    def scaled(part: torch.Tensor) -> torch.Tensor:
        return part.float() / 127.5 - 1

    for epoch in range(epochs):
        body.train()
        right = 0
        for batch in torch.randperm(len(x)).split(256):
            out = head(body(scaled(x[batch])))
            loss = nn.functional.cross_entropy(out, y[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            right += int((out.argmax(1) == y[batch]).sum())
        print(f"epoch {epoch}: accuracy {right / len(x):.3f}", flush=True)
    body.eval()
    with torch.inference_mode():
        z = torch.cat([body(scaled(part)) for part in x.split(1024)])
    return nn.functional.normalize(z, dim=1).numpy().astype(np.float16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tars", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    images, labels = cifar(options.tars)
    np.save(options.out, embed(images, labels))
    np.save(options.out.with_suffix(".labels.npy"), labels)


if __name__ == "__main__":
    main()
