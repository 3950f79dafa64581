"""Whole networks beyond torchvision, small."""

import math
from typing import Dict, List, Optional, Tuple

import torch
import torch.nn.functional as F
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
