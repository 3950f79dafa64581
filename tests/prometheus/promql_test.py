#!/usr/bin/env python3
"""Which series an expression asks for, on expressions whose selectors are plain to see."""
import unittest

import promql


class SelectorsTest(unittest.TestCase):
    def test_selectors(self):
        for expr, expected in [
            ("up", [("up", "")]),
            ('up{job="plannerd"} == 0', [("up", '{job="plannerd"}')]),
            ("sum by (instance, code) (rate(a_total[5m]))", [("a_total", "")]),
            ("sum(rate(a_total[$__rate_interval])) by (code)", [("a_total", "")]),
            ("max by (run) (a) * on (run) group_left (cluster) max by (run, cluster) (b_info)", [("a", ""), ("b_info", "")]),
            ('count (ALERTS{alertname=~"P.+(x)"}) or vector(0)', [("ALERTS", '{alertname=~"P.+(x)"}')]),
            ("level:metric:rate5m{a=\"}\"} and on (run) b == bool 1", [("level:metric:rate5m", '{a="}"}'), ("b", "")]),
            ("time() - 1000 * a offset 5m", [("a", "")]),
            ("histogram_quantile(0.99, sum by (le) (rate(a_bucket{x=~\"$x\"}[1m])))", [("a_bucket", '{x=~"$x"}')]),
            ("1e3 * a > 0x10", [("a", "")]),
        ]:
            with self.subTest(expr):
                self.assertEqual(promql.selectors(expr), expected)


if __name__ == "__main__":
    unittest.main()
