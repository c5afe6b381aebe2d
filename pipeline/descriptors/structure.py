"""Whether two small images show the same structure: what verifies a near pair.

Low frequencies see the layout of an image: all products on white, all pages of text are alike to them. Details differ.
The score is the mean over windows of the local correlation, the structure term of SSIM (Wang, Bovik, Sheikh and
Simoncelli, IEEE Trans. Image Processing 13(4), 2004, equation 10), of what is left of each window after its plane of
best fit. Only windows count in which either image has something to see: flat backgrounds and skies agree with
everything. Crops and small rotations are laid onto the other image first, by the affine map that maximises the
correlation (Evangelidis and Psarakis, IEEE PAMI 30(10), 2008). Images whose contrasts do not go together are not the
same whatever the correlation.
"""

from typing import NamedTuple

import cv2
import numpy as np

from pixsieve.images.luma import SIDE

WINDOW = 7
# Something to see: a deviation of this share of that of the whole image, within limits, in levels: rounding makes one.
CONTRAST, LEAST, MOST = 0.05, 1.0, 2.0
FEWEST = 34  # windows, a hundredth of all
# The map may move no corner by more pixels: a crop of a tenth moves one by 6.4, and an icon can be laid onto any other.
REACH, STILL = 7.0, 0.1
ITERATIONS, ENOUGH, SMOOTHED = 15, 1e-3, 3
CORNERS = np.array([[x, y, 1.0] for x in (0, SIDE - 1) for y in (0, SIDE - 1)])
# What lightens a copy does so everywhere alike: the logarithm of the gain deviates by no more from its median, in the
# median over the windows. A gamma of 1.6 makes 0.2; two mosaics with the same edges have any gain at each.
STEADY = 0.22
AGREE = 0.76  # the same structure; docs/duplicates.md has what lies above and below
CHANGED = 0.12  # of it, more than this is not what was done to a whole picture
EVEN = np.full(WINDOW, 1 / WINDOW, np.float32)
RISE = (np.arange(WINDOW, dtype=np.float32) - WINDOW // 2) / WINDOW
WHOLE = np.zeros((SIDE, SIDE), bool)  # windows that lie inside the image
WHOLE[WINDOW // 2 : -(WINDOW // 2), WINDOW // 2 : -(WINDOW // 2)] = True
SPREAD = (WINDOW**2 - 1) / 12  # the variance of a coordinate in a window


class Seen(NamedTuple):
    """An image and its windows: mean, covariance with x and with y, variance about the plane; (64, 64) float32."""

    luma: np.ndarray
    mean: np.ndarray
    x: np.ndarray
    y: np.ndarray
    variance: np.ndarray
    deviation: float


def see(luma: np.ndarray) -> Seen:
    """Of a (64, 64) luma image, uint8 or float32."""
    values = luma.astype(np.float32)
    mean, x, y = _filtered(values, EVEN, EVEN), _filtered(values, RISE, EVEN), _filtered(values, EVEN, RISE)
    variance = _filtered(values * values, EVEN, EVEN) - mean * mean - (x * x + y * y) / SPREAD
    return Seen(values, mean, x, y, np.maximum(variance, 0), float(values.std()))


def agreement(a: Seen, b: Seen) -> float:
    """Nearly 1 for equal images, about 0 for unlike ones; 0 if there is nothing to see in them. The order of the two
    does not matter."""
    least = float(np.clip(CONTRAST * min(a.deviation, b.deviation), LEAST, MOST))
    as_they_are = _structure(a, b, least, WHOLE)
    if as_they_are >= AGREE:
        return as_they_are
    laid = _laid_on(a, b)
    return as_they_are if laid is None else max(as_they_are, _structure(laid.a, laid.b, least, laid.inside))


def changed(a: Seen, b: Seen) -> float:
    """How much of the structure is another one: of the variance in all windows, the share that does not agree. At most
    0.1 for a copy, however it was reduced, cropped or lightened; 0.28 and more where a small thing has come or gone
    before a camera that stands still, which `agreement` as a mean over windows does not see."""
    least = float(np.clip(CONTRAST * min(a.deviation, b.deviation), LEAST, MOST))
    as_they_are = _share_changed(a, b, least, WHOLE)
    if as_they_are <= CHANGED:
        return as_they_are
    laid = _laid_on(a, b)
    return as_they_are if laid is None else min(as_they_are, _share_changed(laid.a, laid.b, least, laid.inside))


class _Laid(NamedTuple):
    a: Seen
    b: Seen
    inside: np.ndarray  # (64, 64) booleans: windows that both have whole


def _laid_on(a: Seen, b: Seen) -> _Laid | None:
    """One laid onto the other; None where no small map does so."""
    if b.variance.mean() < a.variance.mean():  # the smoother one, as a crop is that was enlarged, is all in the other
        a, b = b, a
    move = _aligned(a.luma, b.luma)
    if move is None:
        return None
    back = cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(b.luma, move, (SIDE, SIDE), flags=cv2.INTER_LINEAR | back, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones((SIDE, SIDE), np.uint8), move, (SIDE, SIDE), flags=cv2.INTER_NEAREST | back)
    whole = cv2.erode(inside, np.ones((WINDOW, WINDOW), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return _Laid(a, see(moved), whole > 0)


def _structure(a: Seen, b: Seen, least: float, inside: np.ndarray) -> float:
    use = (np.maximum(a.variance, b.variance) > least**2) & inside
    if np.count_nonzero(use) < FEWEST:
        return 0.0
    va, vb = a.variance[use], b.variance[use]
    score = float(_correlation(a, b, least, use).mean())
    if score < AGREE:
        return score
    gain = np.log((vb + least**2) / (va + least**2)) / 2
    return score if np.median(np.abs(gain - np.median(gain))) <= STEADY else 0.0


def _share_changed(a: Seen, b: Seen, least: float, inside: np.ndarray) -> float:
    use = (np.maximum(a.variance, b.variance) > least**2) & inside
    if np.count_nonzero(use) < FEWEST:
        return 1.0
    weight = np.maximum(a.variance, b.variance)[use]
    return float((np.clip(1 - _correlation(a, b, least, use), 0, 1) * weight).sum() / weight.sum())


def _correlation(a: Seen, b: Seen, least: float, use: np.ndarray) -> np.ndarray:
    """(m,) of the m windows to use."""
    both = _filtered(a.luma * b.luma, EVEN, EVEN) - a.mean * b.mean - (a.x * b.x + a.y * b.y) / SPREAD
    return np.asarray(both[use] / (np.sqrt(a.variance[use] * b.variance[use]) + least**2 / 4))


def _filtered(values: np.ndarray, across: np.ndarray, down: np.ndarray) -> np.ndarray:
    return cv2.sepFilter2D(values, cv2.CV_32F, across, down)


def _aligned(a: np.ndarray, b: np.ndarray) -> np.ndarray | None:
    """The (2, 3) affine map from a to b, if there is one that is small but not none."""
    stop = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, ITERATIONS, ENOUGH)
    try:
        _, move = cv2.findTransformECC(a, b, np.eye(2, 3, dtype=np.float32), cv2.MOTION_AFFINE, stop, None, SMOOTHED)
    except cv2.error:  # no map: one of them is flat, or they come apart while it looks
        return None
    moved = float(np.abs(CORNERS @ move.T - CORNERS[:, :2]).max())
    return move if STILL < moved <= REACH else None
