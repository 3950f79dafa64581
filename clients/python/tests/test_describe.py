"""Descriptions, counted by the real plannerctl, against what torch runs. Every equality is of integers."""

import os
import resource
import tempfile
import time
import unittest

import torch
import torchvision
from torch import nn

import models
import planner
import plannerctl
from torch_counts import parameters_and_macs


class DescribedCounts(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "described.json")

    def counted(self, *flags):
        answer = plannerctl.count(self.path, *flags)
        return int(answer["parameterCount"]), int(answer["forward"]["macs"])

    def check(self, model, example, *, every_batch=True, warned=False):
        """The description counts what torch runs, with the examples' batch and, where the graph holds for all, another."""
        args, kwargs = ((), example) if isinstance(example, dict) else (example if isinstance(example, tuple) else (example,), {})
        expected = parameters_and_macs(model, *args, **kwargs)
        description = planner.describe(model, example, self.path)
        self.assertEqual(description.parameter_count, expected[0])
        self.assertEqual(self.counted(), expected)
        self.assertGreater(expected[1], 0)
        if not warned:
            self.assertEqual(description.warnings, ())
        fixed = any("batch only" in warning for warning in description.warnings)
        self.assertEqual(fixed, not every_batch, description.warnings)
        if every_batch:
            grown = [torch.cat([each] * 3) if isinstance(each, torch.Tensor) else each for each in args]
            batch = grown[0].shape[0] if grown else None
            if batch is not None:
                self.assertEqual(self.counted("--batch", str(batch)), parameters_and_macs(model, *grown))
        return description

    # torchvision

    def test_resnet18(self):
        self.check(torchvision.models.resnet18(), torch.randn(2, 3, 64, 64))

    def test_densenet121(self):
        self.check(torchvision.models.densenet121().eval(), torch.randn(1, 3, 64, 64))

    def test_mobilenet_v2(self):
        self.check(torchvision.models.mobilenet_v2().eval(), torch.randn(1, 3, 64, 64))

    def test_published_counts_without_weights(self):
        """Of models too large to run here; ResNet-50 as in the README of every counter."""
        published = {
            "resnet50": (25557032, 4089184256),
            "vgg16": (138357544, 15470264320),
        }
        for name, expected in published.items():
            with self.subTest(name), planner.meta():
                model = getattr(torchvision.models, name)(weights=None)
            self.assertTrue(all(parameter.is_meta for parameter in model.parameters()))
            description = planner.describe(model.eval(), torch.empty(1, 3, 224, 224, device="meta"), self.path)
            self.assertEqual(description.warnings, ())
            self.assertEqual(self.counted(), expected)

    def test_vision_transformer(self):
        model = torchvision.models.vision_transformer._vision_transformer(16, 3, 4, 64, 256, None, False, image_size=64)
        self.check(model.eval(), torch.randn(1, 3, 64, 64))
        # ViT-B/16 by its formula: 12 blocks of 4 w^2 + 8 w^2 a token and 2 n^2 w of attention, the patches and the head.
        with planner.meta():
            model = torchvision.models.vit_b_16(weights=None)
        planner.describe(model, torch.empty(1, 3, 224, 224, device="meta"), self.path)
        tokens, width = 197, 768
        macs = 12 * (12 * width * width * tokens + 2 * tokens * tokens * width) + 196 * width * 768 + width * 1000
        self.assertEqual(self.counted(), (86567656, macs))

    # torch.nn

    def test_mlp(self):
        self.check(models.Mlp(), torch.randn(4, 1, 28, 28))

    def test_convolutions(self):
        self.check(models.Convolutions(), torch.randn(1, 8, 64))

    def test_recurrent_networks(self):
        """By their formula (a kernel of torch hides the products): steps x layers x gates x hidden x (input + hidden)."""
        for cell, gates, options in ((nn.LSTM, 4, {}), (nn.GRU, 3, {}), (nn.RNN, 1, {}), (nn.LSTM, 4, {"num_layers": 2})):
            with self.subTest(cell=cell.__name__, options=options):
                model = models.Classifier(cell, **options)
                description = planner.describe(model, torch.zeros(3, 50, dtype=torch.int64), self.path)
                self.assertEqual(description.warnings, ())
                macs = 50 * gates * 32 * ((24 + 32) + (options.get("num_layers", 1) - 1) * (32 + 32)) + 32 * 5
                parameters = sum(parameter.numel() for parameter in model.parameters())
                self.assertEqual(self.counted(), (parameters, 3 * macs))
                self.assertEqual(self.counted("--batch", "7"), (parameters, 7 * macs))

    def test_lstm_of_the_counting_rules(self):
        planner.describe(nn.LSTM(128, 256), torch.zeros(50, 1, 128), self.path, batch_dimension=1)
        self.assertEqual(self.counted(), (395264, 19660800))

    def test_transformer_encoder_layer(self):
        self.check(nn.TransformerEncoderLayer(32, 4, 96, batch_first=True).eval(), torch.randn(2, 10, 32))

    def test_transformer(self):
        model = nn.Transformer(32, 4, 2, 2, 64, batch_first=True)
        self.check(model, (torch.randn(2, 10, 32), torch.randn(2, 7, 32)))

    def test_multi_head_attention(self):
        self.check(nn.MultiheadAttention(24, 3, batch_first=True), (torch.randn(2, 5, 24),) * 3)
        cross = nn.MultiheadAttention(24, 3, kdim=10, vdim=12, batch_first=True)
        self.check(cross, (torch.randn(2, 5, 24), torch.randn(2, 8, 10), torch.randn(2, 8, 12)))

    # Written by hand

    def test_gpt(self):
        self.check(models.Gpt(), torch.zeros(2, 20, dtype=torch.int64))

    def test_llama(self):
        description = self.check(models.Llama(), torch.zeros(2, 20, dtype=torch.int64))
        blocks = [layer for layer in description.graph["layers"] if layer.get("repeat") == 4]
        self.assertEqual(len(blocks), 1, "four equal blocks are written once")

    def test_unet(self):
        self.check(models.UNet(), torch.randn(2, 3, 32, 32))

    def test_shared_modules_run_more_often_than_they_are_counted(self):
        self.check(models.Shared(), torch.randn(2, 12))

    def test_odd_uses_of_parameters(self):
        example = {"batch": {"x": torch.randn(2, 4, 6), "more": [torch.randn(2, 4, 6)]}}
        description = self.check(models.Odd(), example, warned=True)
        self.assertEqual(len(description.warnings), 1)
        self.assertIn("unused", description.warnings[0])

    # Sizes

    def test_seventy_billion_parameters_in_seconds_and_no_memory(self):
        start = time.process_time()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with planner.meta():
            model = models.Llama(vocabulary=32000, width=8192, heads=64, kv_heads=8, ffn=28672, layers=80, tied=False)
        description = planner.describe(model, torch.zeros(1, 4096, dtype=torch.int64), self.path)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        self.assertLess(time.process_time() - start, 30, "seconds of processor time")
        self.assertLess(grown, 1 << 20, "KiB")
        self.assertEqual(description.parameter_count, 68976648192)
        # Of Llama-2-70B: projections and feed-forward layers of 80 blocks, their attention, the head.
        width, tokens = 8192, 4096
        block = 2 * width * width + 2 * width * 1024 + 3 * width * 28672
        macs = tokens * (80 * block + width * 32000) + 80 * 2 * tokens * tokens * width
        self.assertEqual(self.counted(), (68976648192, macs))

    # Behaviour

    def test_all_spellings_count_alike(self):
        model = models.UNet()
        counts = set()
        for ending in ("json", "yaml", "textproto"):
            path = os.path.join(os.path.dirname(self.path), f"net.{ending}")
            planner.describe(model, torch.randn(1, 3, 32, 32), path)
            answer = plannerctl.count(path)
            counts.add((answer["parameterCount"], answer["forward"]["macs"], answer["forward"]["otherFlops"]))
        self.assertEqual(len(counts), 1)

    def test_the_model_is_left_as_it_was(self):
        model = models.Odd().train()
        model.norm.eval()
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        planner.describe(model, {"batch": {"x": torch.randn(2, 4, 6), "more": [torch.randn(2, 4, 6)]}})
        self.assertTrue(model.training and not model.norm.training)
        for name, tensor in model.state_dict().items():
            self.assertTrue(torch.equal(tensor, before[name]), name)
        model({"x": torch.randn(2, 4, 6), "more": [torch.randn(2, 4, 6)]})

    def test_a_fixed_batch_is_said(self):
        class Fixed(nn.Module):
            def __init__(self):
                super().__init__()
                self.fc = nn.Linear(6, 2)

            def forward(self, x):
                return self.fc(x).reshape(4, 1)

        self.check(Fixed(), torch.randn(2, 6), every_batch=False, warned=True)

    def test_what_depends_on_data_is_an_error_with_the_module(self):
        class Branch(nn.Module):
            def forward(self, x):
                return x if x.sum() > 0 else -x

        with self.assertRaisesRegex(planner.DescribeError, 'module "1" reads the value') as raised:
            planner.describe(nn.Sequential(nn.ReLU(), Branch()), torch.randn(2, 3))
        self.assertEqual(raised.exception.module, "1")

    def test_shapes_that_do_not_fit_are_an_error_with_the_module(self):
        with self.assertRaises(planner.DescribeError) as raised:
            planner.describe(nn.Sequential(nn.ReLU(), nn.Linear(5, 2)), torch.randn(2, 3))
        self.assertEqual(raised.exception.module, "1")

    def test_products_without_a_layer_are_named(self):
        class Spectrum(nn.Module):
            def forward(self, x):
                return torch.fft.rfft(x).abs()

        with self.assertRaisesRegex(planner.UnsupportedOperatorError, 'operator _fft_r2c in module "0"'):
            planner.describe(nn.Sequential(Spectrum()), torch.randn(30, 3))

    def test_wrong_endings_and_inputs(self):
        with self.assertRaises(ValueError):
            planner.describe(models.Mlp(), torch.randn(1, 1, 28, 28), "net.onnx")
        with self.assertRaises(TypeError):
            planner.describe(models.Mlp(), "image")


if __name__ == "__main__":
    unittest.main()
