"""Modules beyond torchvision, of many kinds: each entry of MODELS is name -> (builder, example arguments)."""

import math
from typing import Dict, List, Optional, Tuple

import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn


class GqaBlock(nn.Module):
    """A Llama block: grouped queries, rotary positions, gated feed-forward."""

    def __init__(self, width: int = 512, heads: int = 8, kv_heads: int = 2, ffn: int = 1376):
        super().__init__()
        self.heads = heads
        self.kv_heads = kv_heads
        self.size = width // heads
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, kv_heads * self.size, bias=False)
        self.v = nn.Linear(width, kv_heads * self.size, bias=False)
        self.o = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, ffn, bias=False)
        self.up = nn.Linear(width, ffn, bias=False)
        self.down = nn.Linear(ffn, width, bias=False)
        self.norm1 = nn.Parameter(torch.ones(width))
        self.norm2 = nn.Parameter(torch.ones(width))

    def rms(self, x: Tensor, weight: Tensor) -> Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * weight

    def rotate(self, x: Tensor) -> Tensor:
        half = x.size(-1) // 2
        angles = torch.arange(x.size(2), device=x.device).unsqueeze(1) * torch.pow(
            10000.0, -torch.arange(half, device=x.device).float() / half
        )
        angles = torch.cat((angles, angles), dim=-1)
        turned = torch.cat((-x[..., half:], x[..., :half]), dim=-1)
        return x * angles.cos() + turned * angles.sin()

    def forward(self, x: Tensor) -> Tensor:
        b, t, w = x.size(0), x.size(1), x.size(2)
        h = self.rms(x, self.norm1)
        q = self.rotate(self.q(h).view(b, t, self.heads, self.size).transpose(1, 2))
        k = self.rotate(self.k(h).view(b, t, self.kv_heads, self.size).transpose(1, 2))
        v = self.v(h).view(b, t, self.kv_heads, self.size).transpose(1, 2)
        k = k.repeat_interleave(self.heads // self.kv_heads, dim=1)
        v = v.repeat_interleave(self.heads // self.kv_heads, dim=1)
        scores = q @ k.transpose(-2, -1) / math.sqrt(self.size)
        mask = torch.full((t, t), float("-inf"), device=x.device).triu(1)
        out = (scores + mask).softmax(-1) @ v
        x = x + self.o(out.transpose(1, 2).reshape(b, t, w))
        h = self.rms(x, self.norm2)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Bert(nn.Module):
    def __init__(self, layers: int = 2, width: int = 128, heads: int = 4, vocabulary: int = 500):
        super().__init__()
        self.word = nn.Embedding(vocabulary, width, padding_idx=0)
        self.position = nn.Embedding(64, width)
        self.token_type = nn.Embedding(2, width)
        self.norm = nn.LayerNorm(width)
        self.drop = nn.Dropout(0.1)
        self.layers = nn.ModuleList([nn.TransformerEncoderLayer(width, heads, 4 * width, batch_first=True) for _ in range(layers)])
        self.pooler = nn.Linear(width, width)
        self.register_buffer("position_ids", torch.arange(64).unsqueeze(0))

    def forward(
        self, input_ids: Tensor, attention_mask: Optional[Tensor] = None, token_type_ids: Optional[Tensor] = None
    ) -> Dict[str, Tensor]:
        if token_type_ids is None:
            token_type_ids = torch.zeros_like(input_ids)
        x = self.word(input_ids) + self.position(self.position_ids[:, : input_ids.size(1)]) + self.token_type(token_type_ids)
        x = self.drop(self.norm(x))
        mask: Optional[Tensor] = None
        if attention_mask is not None:
            mask = attention_mask == 0
        for layer in self.layers:
            x = layer(x, src_key_padding_mask=mask)
        return {"last_hidden_state": x, "pooler_output": torch.tanh(self.pooler(x[:, 0]))}


class GptBlock(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.ln1 = nn.LayerNorm(width)
        self.ln2 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(0.1))
        self.register_buffer("mask", torch.tril(torch.ones(64, 64, dtype=torch.bool)).view(1, 1, 64, 64))

    def forward(self, x: Tensor) -> Tensor:
        b, t, w = x.size(0), x.size(1), x.size(2)
        q, k, v = self.qkv(self.ln1(x)).split(w, dim=2)
        q = q.view(b, t, self.heads, -1).transpose(1, 2)
        k = k.view(b, t, self.heads, -1).transpose(1, 2)
        v = v.view(b, t, self.heads, -1).transpose(1, 2)
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(float(q.size(-1)))
        scores = scores.masked_fill(~self.mask[:, :, :t, :t], -1e9)
        y = torch.matmul(F.softmax(scores, dim=-1), v).transpose(1, 2).contiguous().view(b, t, w)
        x = x + self.proj(y)
        return x + self.mlp(self.ln2(x))


class Gpt(nn.Module):
    """Tied head, cross-entropy within forward."""

    def __init__(self, width: int = 96, heads: int = 4, layers: int = 2, vocabulary: int = 300):
        super().__init__()
        self.tok = nn.Embedding(vocabulary, width)
        self.pos = nn.Embedding(64, width)
        self.blocks = nn.ModuleList([GptBlock(width, heads) for _ in range(layers)])
        self.ln = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.tok.weight

    def forward(self, idx: Tensor, targets: Optional[Tensor] = None) -> Tuple[Tensor, Optional[Tensor]]:
        x = self.tok(idx) + self.pos(torch.arange(idx.size(1), device=idx.device))
        for block in self.blocks:
            x = block(x)
        logits = self.head(self.ln(x))
        loss: Optional[Tensor] = None
        if targets is not None:
            loss = F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)
        return logits, loss


class T5Attention(nn.Module):
    """Relative position buckets."""

    def __init__(self, width: int = 64, heads: int = 4):
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width, bias=False)
        self.o = nn.Linear(width, width, bias=False)
        self.bias = nn.Embedding(32, heads)

    def forward(self, x: Tensor) -> Tensor:
        b, t, w = x.shape
        context = torch.arange(t, device=x.device)[:, None]
        memory = torch.arange(t, device=x.device)[None, :]
        distance = memory - context
        buckets = (distance > 0).long() * 16
        distance = distance.abs()
        large = 8 + (torch.log(distance.float() / 8) / math.log(16.0) * 8).long()
        large = torch.min(large, torch.full_like(large, 15))
        buckets = buckets + torch.where(distance < 8, distance, large)
        bias = self.bias(buckets).permute(2, 0, 1).unsqueeze(0)

        q = self.q(x).view(b, t, self.heads, -1).transpose(1, 2)
        k = self.k(x).view(b, t, self.heads, -1).transpose(1, 2)
        v = self.v(x).view(b, t, self.heads, -1).transpose(1, 2)
        weights = F.softmax(torch.einsum("bhqd,bhkd->bhqk", q, k) + bias, dim=-1)
        return self.o(torch.einsum("bhqk,bhkd->bhqd", weights, v).transpose(1, 2).reshape(b, t, w))


class Mamba(nn.Module):
    """Selective scan, step by step."""

    def __init__(self, width: int = 32, state: int = 8):
        super().__init__()
        self.inner = 2 * width
        self.state = state
        self.in_proj = nn.Linear(width, 2 * self.inner, bias=False)
        self.conv = nn.Conv1d(self.inner, self.inner, 4, padding=3, groups=self.inner)
        self.x_proj = nn.Linear(self.inner, 2 + 2 * state, bias=False)
        self.dt = nn.Linear(2, self.inner)
        self.a_log = nn.Parameter(torch.log(torch.arange(1, state + 1).float()).repeat(self.inner, 1))
        self.d = nn.Parameter(torch.ones(self.inner))
        self.out = nn.Linear(self.inner, width, bias=False)

    def forward(self, u: Tensor) -> Tensor:
        t = u.size(1)
        x, z = self.in_proj(u).chunk(2, dim=-1)
        x = F.silu(self.conv(x.transpose(1, 2))[..., :t]).transpose(1, 2)
        dt, b, c = torch.split(self.x_proj(x), [2, self.state, self.state], dim=-1)
        dt = F.softplus(self.dt(dt))
        a = -torch.exp(self.a_log)
        h = torch.zeros(u.size(0), self.inner, self.state, device=u.device)
        ys: List[Tensor] = []
        for i in range(t):
            h = torch.exp(dt[:, i].unsqueeze(-1) * a) * h + (dt[:, i] * x[:, i]).unsqueeze(-1) * b[:, i].unsqueeze(1)
            ys.append(torch.einsum("bds,bs->bd", h, c[:, i]) + self.d * x[:, i])
        return self.out(torch.stack(ys, dim=1) * F.silu(z))


class UNet(nn.Module):
    def __init__(self, c: int = 8):
        super().__init__()
        self.d1 = nn.Sequential(nn.Conv2d(3, c, 3, padding=1), nn.GroupNorm(4, c), nn.SiLU())
        self.d2 = nn.Sequential(nn.Conv2d(c, 2 * c, 3, stride=2, padding=1), nn.InstanceNorm2d(2 * c, affine=True), nn.LeakyReLU(0.2))
        self.u1 = nn.ConvTranspose2d(2 * c, c, 2, stride=2)
        self.up = nn.Upsample(scale_factor=2.0, mode="bilinear", align_corners=False)
        self.merge = nn.Conv2d(2 * c + 2 * c, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.d1(x)
        b = self.d2(a)
        return torch.sigmoid(self.merge(torch.cat([a, self.u1(b), self.up(b)], dim=1)))


class Gan(nn.Module):
    def __init__(self):
        super().__init__()
        self.g = nn.Sequential(
            nn.ConvTranspose2d(16, 32, 4, 1, 0, bias=False), nn.BatchNorm2d(32), nn.ReLU(True),
            nn.ConvTranspose2d(32, 16, 4, 2, 1, output_padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(True),
            nn.ConvTranspose2d(16, 3, 4, 2, 1, dilation=1), nn.Tanh(),
        )
        self.d = nn.Sequential(nn.utils.weight_norm(nn.Conv2d(3, 8, 4, 2, 1)), nn.LeakyReLU(0.2, True), nn.Conv2d(8, 1, 4))

    def forward(self, z: Tensor) -> List[Tensor]:
        fake = self.g(z)
        return [fake, self.d(fake)]


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ELU())
        self.mu = nn.Linear(64, 8)
        self.logvar = nn.Linear(64, 8)
        self.dec = nn.Sequential(nn.Linear(8, 64), nn.PReLU(), nn.Linear(64, 784), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        h = self.enc(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        y = self.dec(z)
        bce = F.binary_cross_entropy(y, torch.sigmoid(x.flatten(1)), reduction="sum")
        return bce - 0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())


class Gcn(nn.Module):
    def __init__(self):
        super().__init__()
        self.a = nn.Linear(16, 32)
        self.b = nn.Linear(32, 8)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        source, target = edge_index[0], edge_index[1]
        h = self.a(x)
        out = torch.zeros_like(h).index_add(0, target, h[source])
        degree = torch.zeros(x.size(0), device=x.device).scatter_add(0, target, torch.ones_like(target, dtype=x.dtype))
        out = out / degree.clamp(min=1).unsqueeze(-1)
        h = self.b(torch.relu(out))
        return torch.zeros_like(h).scatter_reduce(0, target.unsqueeze(-1).expand(-1, 8), h[source], "amax")


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


class CnnLstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(8, 16, 5, stride=2, padding=2)
        self.rnn = nn.LSTM(16, 32, num_layers=2, bidirectional=True, batch_first=True, dropout=0.2)
        self.attend = nn.MultiheadAttention(64, 4, batch_first=True)
        self.head = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.conv(x)).transpose(1, 2)
        x, _ = self.rnn(x)
        x, _ = self.attend(x, x, x)
        return F.log_softmax(self.head(x.mean(1)), dim=-1)


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


class Seq2Seq(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(100, 32)
        self.core = nn.Transformer(32, 4, 2, 2, 64, batch_first=True)
        self.head = nn.Linear(32, 100)

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        size = tgt.size(1)
        mask = torch.triu(torch.ones(size, size, device=tgt.device, dtype=torch.bool), diagonal=1)
        return self.head(self.core(self.embed(src), self.embed(tgt), tgt_mask=mask))


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


class Wave(nn.Module):
    """Dilated causal convolutions with skips, as WaveNet."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(1, 8, 1)
        self.filters = nn.ModuleList([nn.Conv1d(8, 8, 2, dilation=2**i) for i in range(4)])
        self.gates = nn.ModuleList([nn.Conv1d(8, 8, 2, dilation=2**i) for i in range(4)])
        self.up = nn.ConvTranspose1d(8, 8, 4, stride=2, groups=4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        skip = torch.zeros_like(x)
        for f, g in zip(self.filters, self.gates):
            padded = F.pad(x, [f.dilation[0], 0])
            y = torch.tanh(f(padded)) * torch.sigmoid(g(padded))
            skip = skip + y
            x = x + y
        return self.up(skip)


class Frozen(nn.Module):
    """A trunk that is not trained."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))
        self.head = nn.Linear(8, 5)
        for parameter in self.trunk.parameters():
            parameter.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.trunk(x).mean((2, 3)))


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


def seeds(*sizes):
    return torch.rand(*sizes)


def tokens(top, *sizes):
    return torch.randint(0, top, sizes)


MODELS = {
    "lstm_128_256": (lambda: nn.LSTM(128, 256, batch_first=True), (seeds(1, 50, 128),)),
    "lstm_128_256_2l_bi": (lambda: nn.LSTM(128, 256, num_layers=2, bidirectional=True, batch_first=True), (seeds(1, 50, 128),)),
    "lstm_128_256_proj64": (lambda: nn.LSTM(128, 256, proj_size=64, batch_first=True), (seeds(1, 50, 128),)),
    "gru_128_256": (lambda: nn.GRU(128, 256, batch_first=True), (seeds(1, 50, 128),)),
    "gru_bi_nobias": (lambda: nn.GRU(16, 8, bidirectional=True, bias=False), (seeds(5, 2, 16),)),
    "rnn_128_256": (lambda: nn.RNN(128, 256, batch_first=True), (seeds(1, 50, 128),)),
    "rnn_relu_2l": (lambda: nn.RNN(16, 8, num_layers=2, nonlinearity="relu"), (seeds(5, 2, 16),)),
    "lstm_with_state": (lambda: nn.LSTM(16, 8), (seeds(5, 2, 16), (seeds(1, 2, 8), seeds(1, 2, 8)))),
    "lstmcell_128_256": (lambda: nn.LSTMCell(128, 256), (seeds(4, 128),)),
    "cells": (Cells, (seeds(3, 2, 8),)),
    "mha_512_8": (lambda: nn.MultiheadAttention(512, 8, batch_first=True), (seeds(1, 128, 512),) * 3),
    "mha_cross": (lambda: nn.MultiheadAttention(32, 4, kdim=16, vdim=24), (seeds(5, 2, 32), seeds(7, 2, 16), seeds(7, 2, 24))),
    "tel_512_8_2048": (lambda: nn.TransformerEncoderLayer(512, 8, 2048, batch_first=True), (seeds(1, 128, 512),)),
    "tenc_6x512_8_2048": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(512, 8, 2048, batch_first=True), 6), (seeds(1, 128, 512),)),
    "tenc_norm_first": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4, 128, norm_first=True, activation="gelu"), 2), (seeds(6, 2, 64),)),
    "tdec": (lambda: nn.TransformerDecoder(nn.TransformerDecoderLayer(64, 4, 128), 2), (seeds(6, 2, 64), seeds(9, 2, 64))),
    "llama_block_gqa": (GqaBlock, (seeds(1, 128, 512),)),
    "convT2d": (lambda: nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1), (seeds(1, 64, 28, 28),)),
    "convT2d_groups4": (lambda: nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1, groups=4), (seeds(1, 64, 28, 28),)),
    "conv1d": (lambda: nn.Conv1d(64, 128, 5, padding=2), (seeds(1, 64, 256),)),
    "conv2d_3x3": (lambda: nn.Conv2d(64, 128, 3, padding=1), (seeds(1, 64, 56, 56),)),
    "conv2d_dw": (lambda: nn.Conv2d(64, 64, 3, padding=1, groups=64), (seeds(1, 64, 56, 56),)),
    "conv2d_same": (lambda: nn.Conv2d(4, 6, 4, padding="same", dilation=2), (seeds(1, 4, 17, 17),)),
    "conv3d": (lambda: nn.Conv3d(3, 32, 3, stride=(1, 2, 2), padding=1), (seeds(1, 3, 16, 56, 56),)),
    "convT3d": (lambda: nn.ConvTranspose3d(4, 6, 3, stride=2, groups=2), (seeds(2, 4, 4, 5, 6),)),
    "mlp_784_512_256_10": (
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10)),
        (seeds(1, 1, 28, 28),)),
    "bert": (Bert, (tokens(500, 2, 20),)),
    "bert_masked": (Bert, (tokens(500, 2, 20), torch.ones(2, 20, dtype=torch.long))),
    "gpt_tied": (Gpt, (tokens(300, 2, 16),)),
    "gpt_loss": (Gpt, (tokens(300, 2, 16), tokens(300, 2, 16))),
    "t5_attention": (T5Attention, (seeds(2, 20, 64),)),
    "mamba": (Mamba, (seeds(2, 12, 32),)),
    "unet": (UNet, (seeds(1, 3, 32, 32),)),
    "gan": (Gan, (seeds(2, 16, 1, 1),)),
    "vae": (Vae, (seeds(2, 1, 28, 28),)),
    "gcn": (Gcn, (seeds(10, 16), tokens(10, 2, 30))),
    "sampling": (Sampling, (seeds(2, 3, 16, 16),)),
    "selection": (Selection, (seeds(2, 6, 16),)),
    "losses": (Losses, (seeds(4, 10), tokens(5, 4))),
    "cnn_lstm": (CnnLstm, (seeds(2, 8, 30),)),
    "seq2seq": (Seq2Seq, (tokens(100, 2, 7), tokens(100, 2, 9))),
    "vectors": (Vectors, (seeds(6, 8),)),
    "dict_in": (DictIn, ({"image": seeds(2, 3, 8, 8), "text": tokens(50, 2, 5)},)),
    "pools": (Pools, (seeds(2, 2, 9, 9, 9),)),
    "activations": (Activations, (seeds(4, 8),)),
    "wave": (Wave, (seeds(1, 1, 64),)),
    "frozen_trunk": (Frozen, (seeds(1, 3, 16, 16),)),
    "resnet18": (lambda: torchvision.models.resnet18(weights=None), (seeds(2, 3, 64, 64),)),
    "mobilenet_v3_small": (lambda: torchvision.models.mobilenet_v3_small(weights=None), (seeds(2, 3, 64, 64),)),
    "shufflenet_v2_x0_5": (lambda: torchvision.models.shufflenet_v2_x0_5(weights=None), (seeds(2, 3, 64, 64),)),
    "vision_transformer": (
        lambda: torchvision.models.VisionTransformer(32, 8, 2, 4, 32, 64, num_classes=10), (seeds(2, 3, 32, 32),)),
    "swin": (
        lambda: torchvision.models.SwinTransformer([4, 4], 24, [2, 2], [3, 6], [4, 4], num_classes=10), (seeds(1, 3, 32, 32),)),
    "swin_v2": (
        lambda: torchvision.models.SwinTransformer(
            [4, 4], 24, [2, 2], [3, 6], [4, 4], num_classes=10,
            block=torchvision.models.swin_transformer.SwinTransformerBlockV2,
            downsample_layer=torchvision.models.swin_transformer.PatchMergingV2),
        (seeds(1, 3, 32, 32),)),
    "spectral": (Spectral, (seeds(2, 8, 16),)),
    "containers": (Containers, ((seeds(2, 4), seeds(3, 4)), [seeds(2, 4), seeds(2, 4)])),
    "none_out": (NoneOut, (seeds(2, 4),)),
    "literals": (Literals, (seeds(2, 4), tokens(4, 3))),
    "fourier": (Fourier, (seeds(2, 4, 8), seeds(2, 64))),
    "products": (Products, (seeds(3, 4),)),
    "in_place": (InPlace, (seeds(3, 6),)),
    "resizing": (Resizing, (seeds(1, 3, 18, 18),)),
    "conv1d_grouped": (lambda: nn.Conv1d(6, 9, 3, stride=2, padding=2, dilation=2, groups=3), (seeds(2, 6, 17),)),
    "conv3d_grouped": (
        lambda: nn.Conv3d(4, 8, 3, stride=(1, 2, 1), padding=(0, 1, 2), dilation=(1, 2, 1), groups=2), (seeds(2, 4, 6, 9, 7),)),
    "convT1d_grouped": (
        lambda: nn.ConvTranspose1d(4, 6, 5, stride=3, padding=1, output_padding=2, groups=2, dilation=2), (seeds(2, 4, 7),)),
    "conv_unbatched": (lambda: nn.Conv2d(3, 4, 3), (seeds(3, 8, 8),)),
    "lstm_unbatched": (lambda: nn.LSTM(4, 5), (seeds(6, 4),)),
    "mha_bias_kv": (
        lambda: nn.MultiheadAttention(16, 4, batch_first=True, add_bias_kv=True, add_zero_attn=True), (seeds(2, 5, 16),) * 3),
}

# What torch 1.13 itself cannot export: outputs that are None, hooks, an attention with separate projections, unpooling.
NOT_EXPORTABLE = {("gpt_tied", "traced"), ("none_out", "traced"), ("gan", "scripted"), ("mha_cross", "scripted"), ("resizing", "scripted")}
