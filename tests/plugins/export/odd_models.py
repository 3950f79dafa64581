"""Modules that use PyTorch in less usual ways: each entry of ODD_MODELS is name -> (builder, example arguments)."""

import math
from typing import Dict, List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations


class AttentionBothWays(nn.Module):
    """Keys and values of other widths; with and without weights, per head and averaged."""

    def __init__(self):
        super().__init__()
        self.a = nn.MultiheadAttention(24, 3, kdim=10, vdim=14, batch_first=True)
        self.b = nn.MultiheadAttention(24, 4, batch_first=True, bias=False)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tuple[Tensor, Tensor]:
        x, weights = self.a(q, k, v, need_weights=True, average_attn_weights=False)
        y, _ = self.b(x, x, x, need_weights=False)
        return y, weights


class Ellipses(nn.Module):
    """einsum with an ellipsis, repeated and summed letters."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.rand(6, 5))
        self.core = nn.Parameter(torch.rand(3, 4, 5))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.einsum("...i,ij->...j", x, self.w)
        z = torch.einsum("...j,abj->...ab", y, self.core)
        trace = torch.einsum("...aa->...", z[..., :3, :3])
        return z.sum((-1, -2)) + trace + torch.einsum("bti,bsi->bt", x, x)


class AddedProducts(nn.Module):
    """baddbmm, addbmm, addmv, addr, chain_matmul, matrix powers, tensordot over two dimensions."""

    def __init__(self):
        super().__init__()
        self.m = nn.Parameter(torch.rand(5, 5))
        self.v = nn.Parameter(torch.rand(5))

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
        a = torch.baddbmm(x, x, x, beta=0.5, alpha=2.0)
        b = torch.addbmm(self.m, x, a)
        c = torch.addmv(self.v, b, self.v, beta=0.1)
        d = torch.addr(self.m, c, self.v)
        e = torch.chain_matmul(d, self.m, b) + torch.matrix_power(self.m, 3)
        return a, c, e, torch.tensordot(x, a, dims=([0, 1], [0, 1]))


class LongConvolution(nn.Module):
    """A convolution as long as the sequence, by Fourier transforms, with complex weights beside it."""

    def __init__(self):
        super().__init__()
        self.kernel = nn.Parameter(torch.rand(4, 16))
        self.mix = nn.Parameter(torch.rand(4, 4, dtype=torch.cfloat))
        self.out = nn.Conv1d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        n = x.size(-1)
        spectrum = torch.fft.rfft(x, n=2 * n) * torch.fft.rfft(self.kernel, n=2 * n)
        mixed = torch.einsum("bcf,cd->bdf", spectrum, self.mix)
        y = torch.fft.irfft(mixed, n=2 * n)[..., :n]
        return self.out(y) + torch.fft.ifft(torch.fft.fft(x)).real


class Parametrized(nn.Module):
    """Weights that are computed: spectral and orthogonal norms, weight norm."""

    def __init__(self):
        super().__init__()
        self.a = nn.utils.weight_norm(nn.Linear(6, 8), dim=None)
        self.b = parametrizations.spectral_norm(nn.Conv2d(2, 3, 3))
        self.c = nn.utils.weight_norm(nn.ConvTranspose2d(3, 2, 3), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.c(torch.tanh(self.b(self.a(x))))


class Checkpointed(nn.Module):
    """A loop whose activations are computed twice."""

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8)) for _ in range(3)])

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = x + block(x)
        return x


class Speech(nn.Module):
    """Bidirectional recurrent layers with projection under a CTC loss."""

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(6, 8, num_layers=2, bidirectional=True, proj_size=3, bias=False)
        self.gru = nn.GRU(6, 5, num_layers=2, bidirectional=True, batch_first=False, dropout=0.1)
        self.head = nn.Linear(10, 7)

    def forward(self, x: Tensor, targets: Tensor) -> Tuple[Tensor, Tensor]:
        y, _ = self.rnn(x)
        z, last = self.gru(y)
        logits = F.log_softmax(self.head(z), -1)
        lengths = torch.full((x.size(1),), x.size(0), dtype=torch.long)
        sizes = torch.full((x.size(1),), targets.size(1), dtype=torch.long)
        return F.ctc_loss(logits, targets, lengths, sizes), last


class LargeVocabulary(nn.Module):
    """Bags of words with weights and offsets, tables by frequency."""

    def __init__(self):
        super().__init__()
        self.bag = nn.EmbeddingBag(40, 6, mode="sum", include_last_offset=False)
        self.max = nn.EmbeddingBag(40, 6, mode="max")
        self.table = nn.Embedding(40, 6, max_norm=None, scale_grad_by_freq=False, sparse=False)
        self.head = nn.Bilinear(6, 6, 5)

    def forward(self, words: Tensor, offsets: Tensor, weights: Tensor) -> Tensor:
        a = self.bag(words, offsets, per_sample_weights=weights)
        b = self.max(words.view(offsets.size(0), -1))
        return self.head(a + b, self.table(words).view(offsets.size(0), -1, 6).mean(1))


class Norms(nn.Module):
    """Each kind of norm, with and without parameters and statistics."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([
            nn.GroupNorm(2, 4, affine=False), nn.InstanceNorm2d(4), nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
            nn.LayerNorm([4, 6, 6]), nn.LayerNorm(6, elementwise_affine=False), nn.BatchNorm2d(4, affine=False),
            nn.BatchNorm2d(4, track_running_stats=False), nn.BatchNorm2d(4, momentum=None), nn.LocalResponseNorm(2),
            nn.Dropout2d(0.2), nn.FeatureAlphaDropout(0.1), nn.Softmax2d(),
        ])
        self.conv = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(self.conv(x))
        return F.normalize(x, p=2.0, dim=1)


class Volumes(nn.Module):
    """Three dimensions: grouped transposed convolutions, sampling, every way to interpolate."""

    def __init__(self):
        super().__init__()
        self.up = nn.ConvTranspose3d(4, 6, (3, 2, 3), stride=(2, 1, 2), padding=(1, 0, 1), output_padding=(1, 0, 1), groups=2, dilation=(1, 2, 1))
        self.depthwise = nn.Conv3d(6, 12, 3, padding=1, groups=6, padding_mode="replicate")
        self.pool = nn.FractionalMaxPool3d((2, 2, 2), output_size=(4, 4, 4))

    def forward(self, x: Tensor, grid: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
        y = self.depthwise(self.up(x))
        a = F.interpolate(y, scale_factor=[0.5, 0.5, 0.5], mode="trilinear", align_corners=True)
        b = F.interpolate(y, size=[6, 6, 6], mode="nearest-exact")
        c = F.grid_sample(y, grid, mode="bilinear", padding_mode="border", align_corners=True)
        d = F.interpolate(y.flatten(2), size=9, mode="linear", align_corners=False)
        return a.mean() + self.pool(b), c, d


class Shuffles(nn.Module):
    """Pixels to channels and back, channels among groups, windows of a sequence."""

    def __init__(self):
        super().__init__()
        self.down = nn.PixelUnshuffle(2)
        self.up = nn.PixelShuffle(2)
        self.conv = nn.Conv2d(12, 16, 3, padding=1, groups=4)
        self.local = nn.Linear(4, 4)
        self.unflatten = nn.Unflatten(1, (2, 2))

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(self.down(x))
        y = self.up(y.view(y.size(0), 4, 4, y.size(2), y.size(3)).transpose(1, 2).flatten(1, 2))
        windows = self.local(y.unfold(2, 4, 2).unfold(3, 4, 4))
        rolled = torch.roll(torch.flip(windows, [2]), [1, 2], [2, 3])
        return self.unflatten(rolled).movedim(1, -1).swapaxes(0, 1) * torch.rot90(y, 1, [2, 3]).mean()


class Adaptive(nn.Module):
    """A softmax in clusters, by the loss of all classes."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(8, 16)
        self.head = nn.AdaptiveLogSoftmaxWithLoss(16, 20, [4, 10], div_value=2.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.head.log_prob(self.net(x))


class Masks(nn.Module):
    """A whole encoder and decoder, causal and padding masks, given and not."""

    def __init__(self):
        super().__init__()
        self.core = nn.Transformer(16, 2, 1, 2, 24, dropout=0.1, activation="gelu", batch_first=True, norm_first=True)

    def forward(self, src: Tensor, tgt: Tensor, padding: Optional[Tensor] = None) -> Tensor:
        size = tgt.size(1)
        causal = torch.full((size, size), float("-inf"), device=tgt.device).triu(1)
        return self.core(src, tgt, tgt_mask=causal, src_key_padding_mask=padding, memory_key_padding_mask=padding)


class Nested(nn.Module):
    """Dictionaries of tensors in, of lists out; a table of modules; what needs no gradient."""

    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleDict({"a": nn.Linear(4, 2), "b": nn.Sequential(nn.Linear(4, 3), nn.Tanh())})
        self.scale = nn.Parameter(torch.ones(4))
        self.teacher = nn.Linear(4, 4)

    def forward(self, batch: Dict[str, Tensor]) -> Dict[str, List[Tensor]]:
        out: Dict[str, List[Tensor]] = {}
        x = batch["x"] * self.scale
        with torch.no_grad():
            goal = self.teacher(x)
        for name, head in self.heads.items():
            out[name] = [head(x + goal), head(batch["y"] * self.scale)]
        return out


class Hyper(nn.Module):
    """Weights that another layer makes: dynamic convolutions through groups, linear layers a sample."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(5, 2 * 3 * 3 * 3)
        self.linear = nn.Linear(5, 2 * 4)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        b, c, h, w = x.size(0), x.size(1), x.size(2), x.size(3)
        weight = self.net(context).view(b * 2, c, 3, 3)
        y = F.conv2d(x.reshape(1, b * c, h, w), weight, padding=1, groups=b).view(b, 2, h, w)
        z = torch.bmm(self.linear(context).view(b, 4, 2), y.flatten(2))
        return F.conv_transpose2d(z.view(1, b * 4, h, w), torch.ones(b * 4, 1, 2, 2, device=x.device), groups=b * 4)


class Crf(nn.Module):
    """The forward algorithm of a conditional random field, with its best path."""

    def __init__(self, tags: int = 5):
        super().__init__()
        self.emit = nn.Linear(8, tags)
        self.move = nn.Parameter(torch.rand(tags, tags))

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        emissions = self.emit(x)
        score = emissions[:, 0]
        best = emissions[:, 0]
        for i in range(1, x.size(1)):
            score = torch.logsumexp(score.unsqueeze(2) + self.move, dim=1) + emissions[:, i]
            best = (best.unsqueeze(2) + self.move).max(dim=1)[0] + emissions[:, i]
        return torch.logsumexp(score, 1), best.argmax(1)


class Flow(nn.Module):
    """An invertible layer: determinants, triangular solves, factorizations, inverses."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.eye(4) + 0.1 * torch.rand(4, 4))
        self.net = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 4))

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        z = x @ self.w
        a, b = z.chunk(2, -1)
        shift, scale = self.net(a).chunk(2, -1)
        z = torch.cat([a, b * torch.exp(torch.tanh(scale)) + shift], -1)
        lower = torch.linalg.cholesky(self.w @ self.w.t() + torch.eye(4, device=x.device))
        solved = torch.linalg.solve_triangular(lower, z.t(), upper=False)
        return z, torch.linalg.slogdet(self.w)[1] + solved.sum() + torch.inverse(self.w).sum()


class Points(nn.Module):
    """A network over points: learned transforms, neighbours, maxima."""

    def __init__(self):
        super().__init__()
        self.t = nn.Sequential(nn.Conv1d(3, 8, 1), nn.BatchNorm1d(8), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(8, 9))
        self.edge = nn.Conv2d(6, 10, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        transform = self.t(x).view(-1, 3, 3) + torch.eye(3, device=x.device)
        p = torch.bmm(transform, x)
        inner = -2 * torch.matmul(p.transpose(2, 1), p)
        squares = torch.sum(p**2, dim=1, keepdim=True)
        near = (-squares - inner - squares.transpose(2, 1)).topk(k=4, dim=-1)[1]
        picked = torch.gather(p.unsqueeze(2).expand(-1, -1, p.size(2), -1), 3, near.unsqueeze(1).expand(-1, 3, -1, -1))
        centre = p.unsqueeze(3).expand_as(picked)
        return self.edge(torch.cat([picked - centre, centre], 1)).max(-1)[0]


class Ode(nn.Module):
    """Runge-Kutta steps through a small network, in a while loop."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 12), nn.Softplus(), nn.Linear(12, 4))

    def slope(self, t: float, x: Tensor) -> Tensor:
        return self.net(torch.cat([x, torch.full_like(x[:, :1], t)], 1))

    def forward(self, x: Tensor) -> Tensor:
        t = 0.0
        h = 0.25
        while t < 1.0:
            a = self.slope(t, x)
            b = self.slope(t + h / 2, x + h / 2 * a)
            c = self.slope(t + h / 2, x + h / 2 * b)
            x = x + h / 6 * (a + 2 * b + 2 * c + self.slope(t + h, x + h * c))
            t += h
        return x


class Picking(nn.Module):
    """Values taken along dimensions by computed and by written indices; tables that are searched."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 6)
        self.register_buffer("edges", torch.linspace(-1, 1, 5))
        self.register_buffer("order", torch.tensor([[2, 0, 1]]))

    def forward(self, x: Tensor) -> Tensor:
        y = self.net(x)
        a = torch.take_along_dim(y, y.argsort(1), 1)
        b = torch.take_along_dim(y, self.order, 1).sum(1, keepdim=True)
        c = y[:, torch.tensor([5, 1, 0])].cumprod(1)[:, -1:]
        bins = torch.bucketize(y.detach(), self.edges)
        d = torch.searchsorted(self.edges, y.detach()).float() + bins
        return a + b + c + d * y.diff(dim=1, prepend=y[:, :1]) + y.index_select(0, torch.arange(x.size(0) - 1, -1, -1))


class MoreLosses(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 4)
        self.register_buffer("weight", torch.rand(4))

    def forward(self, x: Tensor, labels: Tensor) -> List[Tensor]:
        y = self.net(x)
        soft = y.softmax(1).detach()
        sign = torch.where(labels > 1, 1.0, -1.0)
        losses = [
            F.cross_entropy(y, labels, weight=self.weight, reduction="sum"),
            F.poisson_nll_loss(y, soft),
            F.cosine_embedding_loss(y, soft, sign),
            F.hinge_embedding_loss(y[:, 0], sign),
            F.margin_ranking_loss(y[:, 0], y[:, 1], sign),
            F.soft_margin_loss(y, sign.unsqueeze(1).expand_as(y)),
            F.multilabel_soft_margin_loss(y, (soft > 0.2).float()),
            F.multilabel_margin_loss(y, labels.unsqueeze(1).expand(-1, 4)),
            F.pairwise_distance(y, soft).mean(),
            F.kl_div(F.log_softmax(y, 1), F.log_softmax(x[:, :4], 1), log_target=True, reduction="sum"),
            torch.linalg.norm(y) + torch.linalg.vector_norm(y, 3.0) + y.norm(p=2, dim=1).var(),
        ]
        return losses


class Mixer(nn.Module):
    """Linear layers across tokens and channels, a gate in space, a talking head: what later vision models do."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 4, 4)
        self.tokens = nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))
        self.across = nn.Linear(16, 16)
        self.gate = nn.Conv1d(16, 16, 1)
        self.talk = nn.Conv2d(2, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).mT
        x = x + self.tokens(x)
        x = x + self.across(x.transpose(1, 2)).transpose(1, 2)
        u, v = x.chunk(2, dim=-1)
        x = torch.cat([u * self.gate(v), v], -1)
        q = x.unflatten(-1, (2, 8)).transpose(1, 2)
        scores = self.talk(q @ q.mT * 8**-0.5).softmax(-1)
        return (scores @ q).transpose(1, 2).flatten(2)


def seeds(*sizes):
    return torch.rand(*sizes)


def tokens(top, *sizes):
    return torch.randint(0, top, sizes)


ODD_MODELS = {
    "attention_both_ways": (AttentionBothWays, (seeds(2, 5, 24), seeds(2, 7, 10), seeds(2, 7, 14))),
    "ellipsis": (Ellipses, (seeds(2, 7, 6),)),
    "added_products": (AddedProducts, (seeds(3, 5, 5),)),
    "long_convolution": (LongConvolution, (seeds(2, 4, 16),)),
    "parametrized": (Parametrized, (seeds(2, 2, 7, 6),)),
    "checkpointed": (Checkpointed, (seeds(2, 8),)),
    "speech": (Speech, (seeds(12, 2, 6), tokens(6, 2, 4) + 1)),
    "large_vocabulary": (LargeVocabulary, (tokens(40, 12), torch.tensor([0, 4, 8]), seeds(12))),
    "norms": (Norms, (seeds(2, 4, 6, 6),)),
    "volumes": (Volumes, (seeds(1, 4, 4, 4, 4), seeds(1, 3, 3, 3, 3))),
    "shuffles": (Shuffles, (seeds(1, 3, 16, 16),)),
    "adaptive": (Adaptive, (seeds(4, 8),)),
    "masks": (Masks, (seeds(2, 5, 16), seeds(2, 6, 16))),
    "masks_padding": (Masks, (seeds(2, 5, 16), seeds(2, 6, 16), torch.zeros(2, 5, dtype=torch.bool))),
    "nested": (Nested, ({"x": seeds(2, 4), "y": seeds(3, 4)},)),
    "hyper": (Hyper, (seeds(2, 3, 8, 8), seeds(2, 5))),
    "crf": (Crf, (seeds(2, 6, 8),)),
    "flow": (Flow, (seeds(3, 4),)),
    "points": (Points, (seeds(2, 3, 20),)),
    "ode": (Ode, (seeds(3, 4),)),
    "picking": (Picking, (seeds(3, 6),)),
    "more_losses": (MoreLosses, (seeds(5, 6), tokens(4, 5))),
    "mixer": (Mixer, (seeds(1, 3, 16, 16),)),
}

# What torch 1.13 itself cannot export, or not run once it is exported: separate projections, weight norm, clusters, dictionaries of lists; the
# power iteration of a spectral norm, which a trace has outside of its no_grad.
ODD_NOT_EXPORTABLE = {
    ("attention_both_ways", "scripted"), ("parametrized", "scripted"), ("parametrized", "traced"), ("adaptive", "scripted"),
    ("nested", "traced"),
}
