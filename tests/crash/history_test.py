"""The judge of tools/crash/run finds each kind of broken promise, and nothing in a good history."""

import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools" / "crash"))

from history import Delete, Delivery, History, Put  # noqa: E402


def delivery(id, at, body=None, count=1, channel="jobs"):
    return Delivery(id, body or f"m{id}", channel, 0, count, at, at + 0.01)


class HistoryTest(unittest.TestCase):
    def setUp(self):
        self.history = History(visibility=2.0)
        for id in (1, 2):
            self.history.add(Put(f"m{id}", sent=0.1 * id, answered=0.1 * id + 0.05, id=id))

    def violations(self, *operations):
        for operation in operations:
            self.history.add(operation)
        return self.history.violations()

    def assert_one(self, violations, text):
        self.assertEqual(1, len(violations), violations)
        self.assertIn(text, violations[0])

    def good(self):
        return [delivery(1, 1.0), Delete(1, 1.1, 1.2, True), delivery(2, 1.3), Delete(2, 1.4, 1.5, True)]

    def test_a_good_history(self):
        self.assertEqual([], self.violations(*self.good()))

    def test_a_put_without_an_answer_may_have_happened_or_not(self):
        self.history.add(Put("perhaps", 0.5))
        self.history.add(Put("perhaps not", 0.6))
        self.assertEqual([], self.violations(*self.good(), delivery(3, 2.0, "perhaps")))

    def test_a_lost_message(self):
        self.assert_one(self.violations(*self.good()[:2]), "never came back")

    def test_a_message_that_was_lost_behind_its_taker(self):
        self.assert_one(self.violations(*self.good()[:3], Delete(2, 1.4, 1.5, False)), "did not find it")

    def test_a_second_delete_may_find_nothing(self):
        good = self.good()
        good[3:] = [Delete(2, 1.4), Delete(2, 4.0, 4.1, False)]
        self.assertEqual([], self.violations(*good))

    def test_a_deleted_message_that_returns(self):
        violations = self.violations(*self.good(), delivery(1, 4.0, count=2))
        self.assert_one(violations, "deleted and delivered again")

    def test_a_delivery_that_crossed_its_delete_on_the_way(self):
        good = self.good()
        good[0] = Delivery(1, "m1", "jobs", 0, 1, sent=1.0, answered=1.3)
        self.assertEqual([], self.violations(*good))

    def test_a_lease_that_is_broken(self):
        violations = self.violations(*self.good(), Put("m3", 0.3, 0.4, 3), delivery(3, 1.0), delivery(3, 2.0, count=2))
        self.assert_one(violations, "before its lease ended")

    def test_a_lease_that_ended(self):
        self.assertEqual([], self.violations(*self.good(), Put("m3", 0.3, 0.4, 3), delivery(3, 1.0), delivery(3, 3.5, count=2)))

    def test_a_forgotten_delivery(self):
        violations = self.violations(*self.good(), Put("m3", 0.3, 0.4, 3), delivery(3, 1.0), delivery(3, 3.5))
        self.assert_one(violations, "and later 1 times")

    def test_an_id_that_is_used_twice(self):
        self.assertTrue(any("given to 2" in line for line in self.violations(*self.good(), Put("other", 0.7, 0.8, 1))))

    def test_a_message_that_is_there_twice(self):
        self.assertTrue(any("put once" in line for line in self.violations(*self.good(), delivery(9, 2.0, "m1"))))

    def test_a_body_that_nobody_put(self):
        self.assertTrue(any("nobody put" in line for line in self.violations(*self.good(), delivery(9, 2.0, "ghost"))))

    def test_order(self):
        self.history = History(visibility=2.0)
        for id in (1, 2):
            self.history.add(Put(f"m{id}", 0.1, 0.2, id))
        operations = [delivery(2, 1.0, channel="ordered-log"), Delete(2, 1.1, 1.2, True),
                      delivery(1, 1.3, channel="ordered-log"), Delete(1, 1.4, 1.5, True)]
        self.assert_one(self.violations(*operations), "first after 2")

    def test_what_was_lost_on_its_way_to_the_taker_may_come_late(self):
        operations = [delivery(2, 1.0, channel="ordered-log"), Delete(2, 1.1, 1.2, True),
                      delivery(1, 3.3, count=2, channel="ordered-log"), Delete(1, 3.4, 3.5, True)]
        self.assertEqual([], self.violations(*operations))

    def test_power_cuts_may_forget_deliveries(self):
        self.history.power_cuts.append(1.5)
        self.assertEqual([], self.violations(*self.good(), Put("m3", 0.3, 0.4, 3), delivery(3, 1.0), delivery(3, 2.0)))

    def test_what_came_before_may_come_again_out_of_order(self):
        self.history = History(visibility=2.0)
        for id in (1, 2):
            self.history.add(Put(f"m{id}", 0.1, 0.2, id))
        operations = [delivery(1, 1.0, channel="ordered-log"), delivery(2, 1.5, channel="ordered-log"),
                      Delete(2, 1.6, 1.7, True), delivery(1, 4.0, count=2, channel="ordered-log"), Delete(1, 4.1, 4.2, True)]
        self.assertEqual([], self.violations(*operations))


if __name__ == "__main__":
    unittest.main()
