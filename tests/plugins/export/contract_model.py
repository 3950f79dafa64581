#!/usr/bin/python3
"""contract_model.py FILE: writes the model on which the contract suite runs the libtorch plugin."""

import sys

import torch
from torch import Tensor, nn


class Language(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(100, 16)
        self.hidden = nn.Linear(16, 32)
        self.head = nn.Linear(32, 100)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.head(torch.relu(self.hidden(self.words(input_ids))))


torch.jit.script(Language()).save(sys.argv[1])
