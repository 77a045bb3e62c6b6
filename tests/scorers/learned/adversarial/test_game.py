"""Game: its energy score against closed forms, what it says of a bad generator, and that its critic learns."""

from math import pi, sqrt

import pytest
import torch
from torch import nn

from lynkeus.networks.critic import critic
from lynkeus.networks.generator import generator
from lynkeus.scorers.learned.adversarial.game import Game, variance_ratio


class Affine(nn.Module):
    """A generator whose distribution is known: normal with this spread and centre."""

    def __init__(self, spread: float, centre: float = 0.0) -> None:
        super().__init__()
        self.spread, self.centre = spread, centre

    def forward(self, code: torch.Tensor) -> torch.Tensor:
        return self.spread * code + self.centre


def energy_score(spread: float, centre: float = 0.0, columns: int = 1) -> float:
    x = torch.randn(4000, columns, generator=torch.Generator().manual_seed(5))
    return Game(Affine(spread, centre), critic((columns,), 8), columns, 5).loss(x).mean().item()


def test_the_energy_score_of_the_right_generator_is_the_closed_form() -> None:
    """E|X - X'| of two standard normal numbers is 2 / sqrt(pi); the score is half of it."""
    assert energy_score(1.0) == pytest.approx(1 / sqrt(pi), abs=0.03)


@pytest.mark.parametrize(("spread", "centre"), [(0.0, 0.0), (0.3, 0.0), (2.5, 0.0), (1.0, 1.0)])
def test_any_other_generator_scores_worse(spread: float, centre: float) -> None:
    for columns in (1, 20):
        assert energy_score(spread, centre, columns) > energy_score(1.0, 0.0, columns) + 0.03


def test_a_generator_that_makes_one_thing_has_no_spread() -> None:
    x = torch.randn(500, 6)
    for spread, expected in ((0.0, 0.0), (0.5, 0.25), (1.0, 1.0)):
        found = Game(Affine(spread), critic((6,), 8), 6, 5).spread(x)
        assert found.item() == pytest.approx(expected, rel=0.15)
    assert variance_ratio(x, x).item() == pytest.approx(1.0)


def test_a_step_trains_the_critic_on_every_part_and_the_generator_once() -> None:
    torch.manual_seed(0)
    game = Game(generator((6,), 3, 16), critic((6,), 16), 3, critic_steps=4)
    updated = []
    losses = game.step(torch.randn(20, 6), torch.zeros(20), lambda name, loss: updated.append((name, loss.item())))
    assert [name for name, _ in updated] == ["critic"] * 4 + ["generator"]
    assert losses.keys() == {"wasserstein"}


def test_a_critic_on_its_own_finds_the_distance_between_two_distributions() -> None:
    """Samples lie 3 away from what the generator makes: the Wasserstein distance is 3, and the slope 1."""
    torch.manual_seed(0)
    game = Game(Affine(0.0), critic((9,), 32), 9, critic_steps=1)
    optimiser = torch.optim.Adam(game.networks["critic"].parameters(), 3e-3, game.betas)

    def update(name: str, loss: torch.Tensor) -> None:
        if name == "critic":
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()

    found = [game.step(torch.ones(32, 9), torch.zeros(32), update)["wasserstein"] for _ in range(200)]
    assert torch.stack(found[-20:]).mean().item() == pytest.approx(3.0, rel=0.15)


def test_known_anomalies_are_not_played_with() -> None:
    game = Game(generator((6,), 3, 16), critic((6,), 16), 3, critic_steps=4)
    assert game.step(torch.randn(8, 6), torch.ones(8), lambda name, loss: pytest.fail(name)) == {}
