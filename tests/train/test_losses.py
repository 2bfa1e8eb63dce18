"""The focal loss against values worked by hand, and the class weights."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from training.nets.losses import balance_classes, compute_focal_loss

EVEN = torch.ones(4)


def test_the_focal_loss_is_the_papers_formula_worked_by_hand():
    logits = torch.log(torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.2, 0.5, 0.2, 0.1]]))
    weight = torch.tensor([2.0, 0.5, 1.0, 1.0])
    by_hand = (-2.0 * 0.3**2 * math.log(0.7) - 0.5 * 0.5**2 * math.log(0.5)) / 2
    found = compute_focal_loss(logits, torch.tensor([0, 1]), weight, gamma=2.0, label_smoothing=0.0)
    assert float(found) == pytest.approx(by_hand, rel=1e-5)


def test_label_smoothing_spreads_its_share_over_all_labels():
    p = [0.7, 0.1, 0.1, 0.1]
    smoothed = -(0.9 * math.log(0.7) + 0.1 * sum(map(math.log, p)) / 4)
    found = compute_focal_loss(torch.log(torch.tensor([p])), torch.tensor([0]), EVEN, gamma=2.0, label_smoothing=0.1)
    assert float(found) == pytest.approx(0.3**2 * smoothed, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_at_gamma_zero_and_equal_weights_it_is_cross_entropy(smoothing):
    logits, target = torch.randn(16, 4), torch.randint(0, 4, (16,))
    found = compute_focal_loss(logits, target, EVEN, gamma=0.0, label_smoothing=smoothing)
    assert float(found) == pytest.approx(float(cross_entropy(logits, target, label_smoothing=smoothing)), rel=1e-5)


def test_a_window_that_is_right_counts_less_at_a_higher_gamma():
    logits, target = torch.tensor([[3.0, 0.0, 0.0, 0.0]]), torch.tensor([0])
    losses = [float(compute_focal_loss(logits, target, EVEN, gamma=gamma)) for gamma in (0.0, 1.0, 2.0)]
    assert losses == sorted(losses, reverse=True)


def test_balanced_weights_give_every_label_the_same_sum():
    target = torch.tensor([0] * 8 + [1] * 4 + [2] * 2 + [3] * 2)
    weight = balance_classes(target, 4)
    assert torch.allclose(weight * torch.bincount(target), torch.full((4,), 4.0))


def test_a_label_without_windows_is_refused():
    with pytest.raises(ValueError, match="label 2"):
        balance_classes(torch.tensor([0, 1, 1]), 4)
