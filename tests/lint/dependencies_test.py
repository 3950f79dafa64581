#!/usr/bin/env python3
"""The checker finds what it is there for."""
import pathlib
import tempfile
import unittest

from dependencies import violations


class DependenciesTest(unittest.TestCase):
    def found(self, path: str, text: str):
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory, path)
            file.parent.mkdir(parents=True)
            file.write_text(text)
            return [include for _, include in violations(pathlib.Path(directory))]

    def test_left_never_includes_right(self):
        self.assertEqual(self.found("core/model/a.h", '#include "core/counting/counter.h"\n'), ["core/counting/counter.h"])
        self.assertEqual(self.found("core/counting/a.h", '#include "core/model/module.h"\n'), [])

    def test_core_knows_no_proto(self):
        self.assertEqual(self.found("core/planning/a.cc", "#include <grpcpp/server.h>\n"), ["grpcpp/server.h"])
        self.assertEqual(self.found("core/planning/a.cc", '#include "planner/v1/plan.pb.h"\n'), ["planner/v1/plan.pb.h"])

    def test_services_know_no_torch(self):
        self.assertEqual(self.found("services/app/a.cc", "#include <torch/script.h>\n"), ["torch/script.h"])

    def test_clients_use_services_only_through_the_composition_library(self):
        self.assertEqual(self.found("clients/plannerctl/a.cc", '#include "services/app/app.h"\n'), [])
        self.assertEqual(self.found("clients/plannerctl/a.cc", '#include "services/server/x.h"\n'), ["services/server/x.h"])


if __name__ == "__main__":
    unittest.main()
