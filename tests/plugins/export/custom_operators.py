"""Modules of operators that networks seldom have, and of the ways in which modules take and give values."""

from typing import Dict, List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Sampling(nn.Module):
    """Spatial transformer, pixel shuffle, unfold and fold, padding modes."""

    def __init__(self):
        super().__init__()
        self.loc = nn.Linear(3 * 16 * 16, 6)
        self.conv = nn.Conv2d(3, 12, 3, padding=1, padding_mode="reflect")
        self.shuffle = nn.PixelShuffle(2)
        self.circular = nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular")
        self.replicate = nn.ReplicationPad2d(1)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        theta = self.loc(x.flatten(1)).view(-1, 2, 3)
        x = F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False), align_corners=False)
        y = self.shuffle(self.conv(x))
        y = F.interpolate(y, size=[16, 16], mode="bicubic", align_corners=True)
        patches = F.unfold(y, kernel_size=[4, 4], stride=[4, 4])
        y = F.fold(patches * 2, output_size=[16, 16], kernel_size=[4, 4], stride=[4, 4])
        return self.circular(self.replicate(y)), F.avg_pool2d(y, 2)


class Selection(nn.Module):
    """Sorting, masking and cumulative operators round a mixture of experts."""

    def __init__(self, experts: int = 4):
        super().__init__()
        self.gate = nn.Linear(16, experts)
        self.w1 = nn.Parameter(torch.randn(experts, 16, 32))
        self.w2 = nn.Parameter(torch.randn(experts, 32, 16))

    def forward(self, x: Tensor) -> Tensor:
        scores = self.gate(x)
        values, indices = torch.topk(scores.softmax(-1), 2, dim=-1)
        kept = torch.zeros_like(scores).scatter(-1, indices, values)
        hidden = F.gelu(torch.einsum("btd,edf->btef", x, self.w1), approximate="tanh")
        out = torch.einsum("btef,efd,bte->btd", hidden, self.w2, kept)
        ordered, _ = torch.sort(out, dim=1, descending=True)
        summed = torch.cumsum(ordered, dim=1)
        return torch.where(summed > 0, summed, summed.masked_fill(summed < -1, 0.0)).clamp(-10, 10)


class Losses(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(10, 5)

    def forward(self, x: Tensor, labels: Tensor) -> Dict[str, Tensor]:
        y = self.net(x)
        soft = torch.softmax(x[:, :5], -1)
        return {
            "ce": F.cross_entropy(y, labels, label_smoothing=0.1),
            "nll": F.nll_loss(F.log_softmax(y, -1), labels),
            "mse": F.mse_loss(y, soft),
            "l1": F.l1_loss(y, soft),
            "smooth": F.smooth_l1_loss(y, soft),
            "huber": F.huber_loss(y, soft),
            "kl": F.kl_div(F.log_softmax(y, -1), soft, reduction="batchmean"),
            "bce": F.binary_cross_entropy_with_logits(y, soft),
            "margin": F.multi_margin_loss(y, labels),
            "cosine": 1 - F.cosine_similarity(y, soft).mean(),
            "triplet": F.triplet_margin_loss(y, soft, soft.flip(0)),
        }


class Cells(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTMCell(8, 16)
        self.gru = nn.GRUCell(16, 16)
        self.rnn = nn.RNNCell(16, 8)

    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros(x.size(1), 16, device=x.device)
        c = torch.zeros(x.size(1), 16, device=x.device)
        g = torch.zeros(x.size(1), 16, device=x.device)
        out: List[Tensor] = []
        for i in range(x.size(0)):
            h, c = self.lstm(x[i], (h, c))
            g = self.gru(h, g)
            out.append(self.rnn(g))
        return torch.stack(out)


class Vectors(nn.Module):
    """mv, dot, outer products, bilinear forms, distances, matrix norms."""

    def __init__(self):
        super().__init__()
        self.m = nn.Parameter(torch.randn(8, 8))
        self.v = nn.Parameter(torch.randn(8))
        self.bilinear = nn.Bilinear(8, 8, 4)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
        y = x @ self.m @ self.v
        z = torch.dot(self.v, self.m.mv(self.v)) * torch.outer(y, self.v)
        w = torch.cdist(x, self.m) + torch.addmm(x @ self.m.t(), x, self.m, beta=0.5)
        return y, z, w, self.bilinear(x, torch.baddbmm(x.unsqueeze(0), x.unsqueeze(0), self.m.unsqueeze(0)).squeeze(0))


class DictIn(nn.Module):
    def __init__(self):
        super().__init__()
        self.image = nn.Conv2d(3, 4, 3)
        self.text = nn.EmbeddingBag(50, 4, mode="mean")

    def forward(self, batch: Dict[str, Tensor]) -> Tensor:
        return self.image(batch["image"]).mean((2, 3)) + self.text(batch["text"])


class Pools(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(2, 4, 3, padding=1, groups=2, dilation=1)
        self.pool = nn.MaxPool3d(2, ceil_mode=True)
        self.avg = nn.AdaptiveAvgPool3d((2, 2, 2))
        self.max = nn.AdaptiveMaxPool2d(2)
        self.norm = nn.BatchNorm3d(4)
        self.lp = nn.LPPool1d(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.hardswish(self.norm(self.pool(self.conv(x))))
        return self.lp(self.max(self.avg(x).flatten(1, 2)).flatten(1).unsqueeze(1)) + F.local_response_norm(x, 3).mean()


class Activations(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(8, 8)
        self.acts = nn.ModuleList([
            nn.ReLU(), nn.ReLU6(), nn.ELU(), nn.SELU(), nn.CELU(), nn.GELU(), nn.SiLU(), nn.Mish(), nn.Softplus(), nn.Softsign(),
            nn.Tanhshrink(), nn.Hardshrink(), nn.Softshrink(), nn.Hardtanh(), nn.Hardsigmoid(), nn.Hardswish(), nn.LogSigmoid(),
            nn.Sigmoid(), nn.Tanh(), nn.LeakyReLU(), nn.PReLU(), nn.Threshold(0.1, 0.0), nn.Softmin(-1), nn.LogSoftmax(-1),
            nn.Dropout(0.5), nn.AlphaDropout(0.1), nn.RReLU(),
        ])

    def forward(self, x: Tensor) -> Tensor:
        for act in self.acts:
            x = act(self.net(x))
        return F.glu(x)


class Spectral(nn.Module):
    """Fourier mixing."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.net(torch.fft.fft2(x).real + torch.fft.irfft(torch.fft.rfft(x, dim=1), n=x.size(1), dim=1))


class Containers(nn.Module):
    """Tuples and lists in; tuples of tuples, lists, None out; a loop and a branch on shapes."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(4, 4)
        self.b = nn.Linear(4, 8)

    def forward(self, pair: Tuple[Tensor, Tensor], more: List[Tensor]) -> Tuple[Tensor, Tuple[Tensor, List[Tensor]]]:
        x = self.a(pair[0])
        for one in more:
            x = x + self.a(one)
        for _ in range(pair[1].size(0)):
            x = self.a(x)
        if x.size(0) > 1:
            x = self.b(x)
        return x, (self.b(pair[1]), [x, pair[0]])


class NoneOut(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 4)

    def forward(self, x: Tensor, y: Optional[Tensor] = None) -> Tuple[Optional[Tensor], Dict[str, Tensor]]:
        return y, {"hidden": self.net(x), "input": x}


class Literals(nn.Module):
    """Tensors that the code writes down, classes as vectors."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 4)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        scale = torch.tensor([[1.0, 2.0, 3.0, 4.0], [0.5, 0.5, 0.5, 0.5]])
        mean = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=x.dtype, device=x.device)
        kept = torch.index_select(self.net(x), 1, torch.tensor([3, 2, 1, 0]))
        return (kept * scale + mean - torch.as_tensor([1, 2, 3, 4])) @ F.one_hot(labels, 4).float().t()


class Fourier(nn.Module):
    """A Fourier layer with complex weights, and a spectrogram."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(4, 6, 5, dtype=torch.cfloat))
        self.net = nn.Linear(9, 4)
        self.register_buffer("window", torch.hann_window(16))

    def forward(self, x: Tensor, wave: Tensor) -> Tuple[Tensor, Tensor]:
        mixed = torch.fft.irfft(torch.einsum("bix,iox->box", torch.fft.rfft(x), self.weight), n=8)
        spectrum = torch.stft(wave, 16, 8, 16, self.window, return_complex=True)
        return mixed, self.net(spectrum.abs().transpose(1, 2))


class Products(nn.Module):
    """Products by other names, with batches that are broadcast."""

    def __init__(self):
        super().__init__()
        self.a = nn.Parameter(torch.rand(4, 5, 6))
        self.b = nn.Parameter(torch.rand(2, 1, 6, 3))
        self.c = nn.Parameter(torch.rand(3, 3))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.einsum("bi,ijk->bjk", x, self.a)
        z = torch.matmul(y, self.b)
        w = torch.linalg.multi_dot([self.c, self.c, self.c]) + torch.inner(self.c, self.c)
        return torch.tensordot(z, w, dims=([3], [0])) + torch.kron(self.c[:1, :1], self.c[:1])


class InPlace(nn.Module):
    """Parts of a tensor are overwritten; a codebook with a straight-through gradient."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(6, 6)
        self.book = nn.Embedding(10, 6)

    def forward(self, x: Tensor) -> Tensor:
        z = self.net(x).clone()
        z[:, 0] = 0
        z[0].mul_(2.0)
        z[:, 1:3] += x[:, :2]
        distance = (z**2).sum(-1, keepdim=True) - 2 * z @ self.book.weight.t() + (self.book.weight**2).sum(-1)
        code = self.book(distance.argmin(-1))
        return z + (code - z).detach() + ((code - z.detach()) ** 2).mean()


class Resizing(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.unpool = nn.MaxUnpool2d(2)
        self.fractional = nn.FractionalMaxPool2d(2, output_size=(4, 4))

    def forward(self, x: Tensor) -> Tensor:
        y, places = self.pool(self.conv(x))
        y = self.fractional(self.unpool(y, places))
        a = F.interpolate(y, scale_factor=2.0, mode="nearest")
        b = F.interpolate(y, size=[8, 8], mode="bilinear", antialias=True)
        return a + b + F.interpolate(F.pad(y, [1, 1, 1, 1], mode="circular"), size=[8, 8], mode="area")
