"""Video core of Dynamic-VFM: tokens of some frames and pixels, behavior in every block, windows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from src.models.cores import Core
from src.models.layers import convolution3d, dense
from src.models.shifted_windows import WindowAttention, WindowLayout
from src.parts import VideoCoreConfig


class VideoCore(Core):
    """Shifted-window transformer over a clip (specification sensorium2023, 5.1 to 5.3).

    Output k, of frames 2k and 2k + 1 with a patch of two, is read as the response in frame
    t - t' + k: early outputs lag most. One clip size, for the windows.
    """

    def __init__(
        self,
        config: VideoCoreConfig,
        image_shape: tuple[int, int, int, int],
        side: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        c, *size = image_shape
        self.config, self.side, self.channels = config, side, config.width
        self.image_size = tuple(size)
        self.grid = tuple(-(-s // p) for s, p in zip(size, config.patch, strict=True))
        self.embedding = convolution3d(
            c, config.width, config.patch, generator, stride=config.patch
        )
        self.norm = nn.LayerNorm(config.width)
        self.blocks = nn.ModuleList(
            VideoBlock(config, self.grid, side, config.shift == "always" or b % 2 == 1, generator)
            for b in range(config.blocks)
        )

    def forward(
        self,
        images: Tensor,
        side: Tensor | None = None,
        _generator: torch.Generator | None = None,
    ) -> Tensor:
        x = self.tokens(images)
        told = self._side(images, side)
        for block in self.blocks:
            x = block(x, told)
        return x.permute(0, 4, 1, 2, 3)  # (n, f, t', h', w')

    def tokens(self, images: Tensor) -> Tensor:
        """Patches of the clip, filled up with zeros: (n, c, t, h, w) -> (n, t', h', w', f)."""
        sizes = zip(self.image_size, self.config.patch, strict=True)
        more = [-size % patch for size, patch in sizes]
        images = F.pad(images, [v for m in reversed(more) for v in (0, m)])
        return self.norm(self.embedding(images).permute(0, 2, 3, 4, 1))

    def _side(self, images: Tensor, side: Tensor | None) -> Tensor | None:
        """Side scalars of each frame, those of filled up frames 0: (n, t, s) -> (n, t, s)."""
        expected = (len(images), self.image_size[0], self.side)
        if self.side and expected != (found := None if side is None else tuple(side.shape)):
            raise ValueError(f"side scalars are {found}, the core was built for {expected}")
        if not self.side:
            return None
        return F.pad(side, (0, 0, 0, -self.image_size[0] % self.config.patch[0]))

    def penalty(self) -> Tensor:
        return torch.zeros(())

    def output_shape(self, *size: int) -> tuple[int, ...]:
        if size != self.image_size:
            raise ValueError(
                f"clips are {size}, but the windows of this video core were built for "
                f"{self.image_size}: bring all sessions to one clip size"
            )
        return self.grid


class VideoBlock(nn.Module):
    """Behavior to all tokens of its frames, window attention, gated feed-forward with convolution.

    (n, t', h', w', f), (n, t, s) -> (n, t', h', w', f).
    """

    def __init__(
        self,
        config: VideoCoreConfig,
        grid: tuple[int, ...],
        side: int,
        shifted: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        width, frames = config.width, config.patch[0]
        if side:
            if width % (2 * frames):
                raise ValueError(f"width={width} must be a multiple of {2 * frames}: change it")
            self.side = nn.Sequential(
                *(dense(side, width // 2, generator), nn.Tanh()),
                *(dense(width // 2, width // frames, generator), nn.Tanh()),
            )
        layout = WindowLayout.of(grid, config.window, shifted)
        self.attention = WindowAttention(config, layout, generator)
        self.feed_forward = FeedForward(config, generator)
        norms = (nn.LayerNorm(width) if config.norm == "pre" else nn.Identity() for _ in range(2))
        self.attention_norm, self.feed_forward_norm = norms

    def forward(self, x: Tensor, side: Tensor | None = None) -> Tensor:
        if side is not None:
            told = self.side(side).reshape(len(x), x.shape[1], 1, 1, -1)  # a token's frames in turn
            x = x + told
        x = x + self.attention(self.attention_norm(x))
        y = self.feed_forward_norm(x)
        if torch.is_grad_enabled():  # what it keeps is much, what it costs again is little
            return x + checkpoint(
                self.feed_forward, y, use_reentrant=False, preserve_rng_state=False
            )
        return x + self.feed_forward(y)


class FeedForward(nn.Module):
    """a * silu(g), a depth-wise convolution over neighboring tokens, GELU: (n, t, h, w, f) same.

    Causal: the convolution sees a token and two earlier ones in time.
    """

    def __init__(self, config: VideoCoreConfig, generator: torch.Generator) -> None:
        super().__init__()
        width, hidden = config.width, config.hidden
        self.causal = config.causal
        self.inner = dense(width, 2 * hidden, generator)
        padding = (0 if config.causal else 1, 1, 1)
        size = {"groups": hidden, "padding": padding}
        self.convolution = convolution3d(hidden, hidden, (3, 3, 3), generator, **size)
        self.outer = dense(hidden, width, generator)

    def forward(self, x: Tensor) -> Tensor:
        a, g = self.inner(x).chunk(2, -1)
        y = a * F.silu(g)
        y = self._by_frames(y) if y.is_cuda else self._convolved(y)
        return self.outer(F.gelu(y))

    def _convolved(self, x: Tensor) -> Tensor:
        """Each channel over its neighbors in time and space: (n, t, h, w, f) -> the same."""
        x = x.permute(0, 4, 1, 2, 3)
        x = self.convolution(F.pad(x, (0, 0, 0, 0, 2, 0)) if self.causal else x)
        return x.permute(0, 2, 3, 4, 1)

    def _by_frames(self, x: Tensor) -> Tensor:
        """The same as a sum of three convolutions of frames, for which GPUs have fast kernels."""
        n, t = x.shape[:2]
        images = x.flatten(0, 1).permute(0, 3, 1, 2)  # channels last
        kernels = self.convolution.weight.unbind(2)
        past, y = (2 if self.causal else 1), 0
        for kernel, delay in zip(kernels, range(past, past - 3, -1), strict=True):
            seen = F.conv2d(images, kernel, padding=1, groups=len(kernel)).unflatten(0, (n, t))
            y = y + F.pad(seen, (0, 0, 0, 0, 0, 0, delay, -delay))
        y = y + self.convolution.bias[:, None, None]
        return y.permute(0, 1, 3, 4, 2)
