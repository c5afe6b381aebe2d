"""Small networks, and factories of them as a user would write them."""

import numpy as np
import torch
from torch import Tensor, nn

WIDTH = 8


class Tiny(nn.Module):
    """(n, 3, h, w) to (n, 8)."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, WIDTH, 5, 4), nn.BatchNorm2d(WIDTH)
        random = torch.Generator().manual_seed(seed)
        for value in self.parameters():
            value.data = torch.randn(value.shape, generator=random)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.norm(self.convolution(x))).mean(dim=(2, 3))


class Means:
    """Of the colours of an image, and of their squares; with no torch."""

    image_size = 48

    def embed(self, batch: np.ndarray) -> np.ndarray:
        assert batch.dtype == np.float32 and batch.shape[1] == 3
        return np.concatenate([batch.mean((2, 3)), (batch**2).mean((2, 3))], axis=1)


class Odd(Means):
    """NaN for dark images, zeros for bright ones, infinity for red ones."""

    def embed(self, batch: np.ndarray) -> np.ndarray:
        rows, colours = super().embed(batch), batch.mean((2, 3))
        level, red = colours.mean(1), colours[:, 0] - colours[:, 1:].mean(1)
        rows[level < -1], rows[level > 1], rows[red > 1] = np.nan, 0, np.inf
        return rows


class Wider(Means):
    """More features where there is a bright image."""

    def embed(self, batch: np.ndarray) -> np.ndarray:
        rows = super().embed(batch)
        return np.concatenate([rows, rows], axis=1) if batch.mean((1, 2, 3)).max() > 1 else rows


class Fewer(Means):
    """No row for a bright image."""

    def embed(self, batch: np.ndarray) -> np.ndarray:
        return super().embed(batch)[batch.mean((1, 2, 3)) <= 1]


class Failing(Means):
    def embed(self, batch: np.ndarray) -> np.ndarray:
        raise RuntimeError("only images of 7 x 7")


class Words(Means):
    def embed(self, batch: np.ndarray) -> np.ndarray:
        return np.array([["a cat"]] * len(batch))


class Pair(Tiny):
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        return super().forward(x), x


def random() -> Tiny:
    torch.seed()
    return Tiny(torch.initial_seed() % 2**31)


def broken() -> Tiny:
    raise OSError("the licence server does not answer")


def number() -> int:
    return 3
