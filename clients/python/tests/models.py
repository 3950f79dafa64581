"""Models written by hand, as users write theirs."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Mlp(nn.Module):
    def __init__(self, width: int = 64):
        super().__init__()
        self.fc1 = nn.Linear(784, width)
        self.fc2 = nn.Linear(width, width, bias=False)
        self.fc3 = nn.Linear(width, 10)

    def forward(self, x):
        x = torch.flatten(x, 1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class Convolutions(nn.Module):
    """Transposed, grouped, dilated, in 1 and 3 dimensions."""

    def __init__(self):
        super().__init__()
        self.down1 = nn.Conv1d(8, 16, 5, stride=2, padding=2, groups=4)
        self.up1 = nn.ConvTranspose1d(16, 8, 4, stride=2, padding=1)
        self.down3 = nn.Conv3d(1, 4, 3, padding=2, dilation=2, bias=False)
        self.up3 = nn.ConvTranspose3d(4, 2, 3, stride=2, output_padding=1, groups=2)
        self.pool = nn.MaxPool3d(2)

    def forward(self, x):
        x = self.up1(self.down1(x))
        return self.up3(self.pool(self.down3(x.view(x.shape[0], 1, 8, 8, 8))))


class Classifier(nn.Module):
    """A recurrent network that reads its last state."""

    def __init__(self, cell, **options):
        super().__init__()
        self.embedding = nn.Embedding(100, 24)
        self.recurrent = cell(24, 32, batch_first=True, **options)
        self.head = nn.Linear(32, 5)

    def forward(self, tokens):
        _, state = self.recurrent(self.embedding(tokens))
        state = state[0] if isinstance(state, tuple) else state
        return self.head(state[-1])


class GptBlock(nn.Module):
    """nanoGPT's: fused projections, a causal mask from a buffer, written out attention."""

    def __init__(self, width: int, heads: int, positions: int):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.c_attn = nn.Linear(width, 3 * width)
        self.c_proj = nn.Linear(width, width)
        self.ln_2 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(0.1))
        self.heads = heads
        self.register_buffer("mask", torch.tril(torch.ones(positions, positions)).view(1, 1, positions, positions))

    def forward(self, x):
        b, t, c = x.size()
        q, k, v = self.c_attn(self.ln_1(x)).split(c, dim=2)
        q, k, v = (part.view(b, t, self.heads, c // self.heads).transpose(1, 2) for part in (q, k, v))
        att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
        att = F.softmax(att.masked_fill(self.mask[:, :, :t, :t] == 0, float("-inf")), dim=-1)
        x = x + self.c_proj((att @ v).transpose(1, 2).contiguous().view(b, t, c))
        return x + self.mlp(self.ln_2(x))


class Gpt(nn.Module):
    def __init__(self, vocabulary: int = 211, width: int = 48, heads: int = 4, layers: int = 3, positions: int = 32):
        super().__init__()
        self.wte = nn.Embedding(vocabulary, width)
        self.wpe = nn.Embedding(positions, width)
        self.h = nn.ModuleList(GptBlock(width, heads, positions) for _ in range(layers))
        self.ln_f = nn.LayerNorm(width)
        self.lm_head = nn.Linear(width, vocabulary, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe(torch.arange(tokens.size(1), device=tokens.device))
        for block in self.h:
            x = block(x)
        return self.lm_head(self.ln_f(x))


class RmsNorm(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * self.weight


class LlamaBlock(nn.Module):
    def __init__(self, width: int, heads: int, kv_heads: int, ffn: int):
        super().__init__()
        self.heads, self.kv_heads, self.head = heads, kv_heads, width // heads
        self.attention_norm = RmsNorm(width)
        self.wq = nn.Linear(width, heads * self.head, bias=False)
        self.wk = nn.Linear(width, kv_heads * self.head, bias=False)
        self.wv = nn.Linear(width, kv_heads * self.head, bias=False)
        self.wo = nn.Linear(heads * self.head, width, bias=False)
        self.ffn_norm = RmsNorm(width)
        self.w1 = nn.Linear(width, ffn, bias=False)
        self.w2 = nn.Linear(ffn, width, bias=False)
        self.w3 = nn.Linear(width, ffn, bias=False)

    def rotate(self, x, cos, sin):
        first, second = x.chunk(2, dim=-1)
        return x * cos + torch.cat((-second, first), dim=-1) * sin

    def forward(self, x, cos, sin, mask):
        b, t, c = x.shape
        y = self.attention_norm(x)
        q = self.wq(y).view(b, t, self.heads, self.head).transpose(1, 2)
        k = self.wk(y).view(b, t, self.kv_heads, self.head).transpose(1, 2)
        v = self.wv(y).view(b, t, self.kv_heads, self.head).transpose(1, 2)
        q, k = self.rotate(q, cos, sin), self.rotate(k, cos, sin)
        groups = self.heads // self.kv_heads
        k = k[:, :, None].expand(b, self.kv_heads, groups, t, self.head).reshape(b, self.heads, t, self.head)
        v = v[:, :, None].expand(b, self.kv_heads, groups, t, self.head).reshape(b, self.heads, t, self.head)
        scores = torch.matmul(q, k.transpose(2, 3)) / math.sqrt(self.head) + mask
        x = x + self.wo(torch.matmul(scores.softmax(-1), v).transpose(1, 2).reshape(b, t, c))
        y = self.ffn_norm(x)
        return x + self.w2(F.silu(self.w1(y)) * self.w3(y))


class Llama(nn.Module):
    """Grouped queries, rotary positions, RMS norms, SwiGLU."""

    def __init__(self, vocabulary: int = 300, width: int = 64, heads: int = 8, kv_heads: int = 2, ffn: int = 160, layers: int = 4,
                 tied: bool = True):
        super().__init__()
        self.tok_embeddings = nn.Embedding(vocabulary, width)
        self.layers = nn.ModuleList(LlamaBlock(width, heads, kv_heads, ffn) for _ in range(layers))
        self.norm = RmsNorm(width)
        self.output = nn.Linear(width, vocabulary, bias=False)
        if tied:
            self.output.weight = self.tok_embeddings.weight
        self.head = width // heads

    def forward(self, tokens):
        t = tokens.shape[1]
        frequencies = 1.0 / (10000 ** (torch.arange(0, self.head, 2, device=tokens.device).float() / self.head))
        angles = torch.outer(torch.arange(t, device=tokens.device).float(), frequencies)
        angles = torch.cat((angles, angles), dim=-1)
        cos, sin = angles.cos(), angles.sin()
        mask = torch.full((t, t), float("-inf"), device=tokens.device).triu(1)
        x = self.tok_embeddings(tokens)
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return self.output(self.norm(x))


def double(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(inplace=True),
                         nn.Conv2d(out, out, 3, padding=1), nn.GroupNorm(4, out), nn.SiLU())


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter, self.down1, self.down2 = double(3, 8), double(8, 16), double(16, 32)
        self.pool = nn.MaxPool2d(2)
        self.up1 = nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.join1, self.join2 = double(32, 16), double(24, 8)
        self.leave = nn.Conv2d(8, 2, 1)

    def forward(self, x):
        a = self.enter(x)
        b = self.down1(self.pool(a))
        c = self.down2(self.pool(b))
        y = self.join1(torch.cat([self.up1(c), b], dim=1))
        y = self.join2(torch.cat([F.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False), a], dim=1))
        return self.leave(y)


class Shared(nn.Module):
    """One layer and one block that run several times."""

    def __init__(self):
        super().__init__()
        self.enter = nn.Linear(12, 20)
        self.block = nn.Sequential(nn.Linear(20, 20), nn.Tanh(), nn.LayerNorm(20))
        self.conv = nn.Conv1d(1, 1, 3, padding=1)

    def forward(self, x):
        x = self.enter(x)
        for _ in range(3):
            x = self.block(x)
        x = self.conv(self.conv(x[:, None]))[:, 0]
        return x @ self.enter.weight


class Odd(nn.Module):
    """Parameters used in ways that no layer of torch.nn uses them, one that is not used at all, and containers in and out."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(6))
        self.left = nn.Parameter(torch.randn(6, 9))
        self.tensor = nn.Parameter(torch.randn(4, 9, 3))
        self.normed = nn.utils.weight_norm(nn.Linear(3, 7))
        self.unused = nn.Parameter(torch.randn(11))
        self.prelu = nn.PReLU(4)
        self.norm = nn.InstanceNorm1d(4, affine=True)

    def forward(self, batch):
        x = batch["x"] * self.scale + batch["more"][0]
        x = torch.einsum("bcd,dk->bck", x, self.left)
        x = torch.einsum("bck,ckm->bcm", x, self.tensor)
        return {"y": self.norm(self.prelu(self.normed(x))), "list": [x]}
