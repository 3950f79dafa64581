"""Files that planner.export writes, read back by torch."""

import hashlib
import os
import tempfile
import unittest

import torch
import torchvision
from torch import nn

import models
import planner


class TwoInputs(nn.Module):
    def forward(self, image, tokens, scale: float = 1.0):
        return image.sum(dim=1) * scale, tokens + 1


class KeywordBranch(nn.Module):
    """Scripting does not know **kwargs; tracing does not mind."""

    def forward(self, x, y=None, **rest):
        return x if y is None else x + y


class Neither(nn.Module):
    def forward(self, x, **rest):
        raise RuntimeError("broken on purpose")


class ExportTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.path = os.path.join(folder.name, "net.pt")

    def assert_only_the_file_is_there(self):
        self.assertEqual(os.listdir(self.folder), ["net.pt"])

    def test_torchvision_models_load_again_and_give_the_same(self):
        for name in ("resnet18", "mobilenet_v2"):
            for method in ("script", "trace"):
                with self.subTest(name=name, method=method):
                    model = getattr(torchvision.models, name)().eval()
                    image = torch.randn(1, 3, 64, 64)
                    written = planner.export(model, image, self.path, method=method)
                    self.assertEqual(written.method, method)
                    self.assertEqual(written.inputs, ("1x3x64x64",))
                    self.assertEqual(written.command(), f"plannerctl count --model {self.path} --input 1x3x64x64")
                    with open(self.path, "rb") as file:
                        self.assertEqual(written.sha256, hashlib.sha256(file.read()).hexdigest())
                    loaded = torch.jit.load(self.path)
                    self.assertFalse(loaded.training)
                    with torch.no_grad():
                        self.assertTrue(torch.allclose(loaded(image), model(image), atol=1e-5))
                    self.assert_only_the_file_is_there()

    def test_states_are_kept(self):
        for method in ("script", "trace"):
            with self.subTest(method):
                model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)).train()
                model[2].eval()
                mean = model[1].running_mean.clone()
                planner.export(model, torch.randn(8, 4) + 3, self.path, method=method)
                self.assertEqual([module.training for module in model.modules()], [True, True, True, False])
                self.assertTrue(torch.equal(model[1].running_mean, mean), "tracing leaves statistics alone")
                self.assertEqual(int(model[1].num_batches_tracked), 0)
                loaded = torch.jit.load(self.path)
                self.assertEqual([loaded.training] + [child.training for child in loaded.children()], [True, True, True, False])

    def test_inputs_by_position_and_by_name(self):
        image, tokens = torch.randn(2, 3), torch.zeros(2, 5, dtype=torch.int64)
        for example in ((image, tokens), [image, tokens], {"tokens": tokens, "image": image}):
            for method in ("script", "trace"):
                with self.subTest(example=type(example).__name__, method=method):
                    written = planner.export(TwoInputs(), example, self.path, method=method)
                    self.assertEqual(set(written.inputs), {"2x3", "2x5:int64"})
                    loaded = torch.jit.load(self.path)
                    self.assertEqual([tuple(each.shape) for each in loaded(image, tokens)], [(2,), (2, 5)])

    def test_inputs_are_in_the_order_of_forward(self):
        written = planner.export(TwoInputs(), {"tokens": torch.zeros(2, 5, dtype=torch.int32), "image": torch.zeros(2, 3).half()},
                                 self.path, method="script")
        self.assertEqual(written.inputs, ("2x3:float16", "2x5:int32"))

    def test_auto_traces_what_cannot_be_scripted_and_says_so(self):
        written = planner.export(KeywordBranch(), (torch.randn(2), torch.randn(2)), self.path)
        self.assertEqual(written.method, "trace")
        self.assertTrue(written.warnings[0].startswith("scripting failed"), written.warnings)
        self.assertEqual(torch.jit.load(self.path)(torch.ones(2), torch.ones(2)).tolist(), [2.0, 2.0])

    def test_auto_scripts_first(self):
        self.assertEqual(planner.export(models.UNet(), torch.randn(1, 3, 32, 32), self.path).method, "script")

    def test_failures_say_what_failed_and_write_nothing(self):
        with self.assertRaisesRegex(planner.ExportError, "scripting Neither failed: .*; tracing Neither failed: .*on purpose") as raised:
            planner.export(Neither(), torch.randn(1), self.path)
        self.assertIsNotNone(raised.exception.scripting)
        self.assertIsNotNone(raised.exception.tracing)
        with self.assertRaises(planner.ExportError) as raised:
            planner.export(KeywordBranch(), torch.randn(1), self.path, method="script")
        self.assertIsNone(raised.exception.tracing)
        with self.assertRaisesRegex(planner.ExportError, "writing .* failed"):
            planner.export(models.Mlp(), torch.randn(1, 784), os.path.join(self.folder, "none", "net.pt"))
        with self.assertRaises(ValueError):
            planner.export(models.Mlp(), torch.randn(1, 784), self.path, method="onnx")
        with self.assertRaises(TypeError):
            planner.export(models.Mlp(), 3, self.path)
        self.assertEqual(os.listdir(self.folder), [])


if __name__ == "__main__":
    unittest.main()
