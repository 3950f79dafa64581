"""Modules beyond torchvision, of many kinds: each entry of MODELS is name -> (builder, example arguments)."""

import torch
import torchvision
from torch import nn

from custom_networks import GqaBlock, Bert, Gpt, T5Attention, Mamba, UNet, Gan, Vae, Gcn, CnnLstm, Seq2Seq, Wave, Frozen
from custom_operators import (
    Sampling, Selection, Losses, Cells, Vectors, DictIn, Pools, Activations, Spectral, Containers, NoneOut, Literals, Fourier, Products,
    InPlace, Resizing,
)


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
