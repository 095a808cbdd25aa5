"""Optimizers on flat parameters do what their plain forms do."""

import pytest
import torch
from torch import nn

from training.optimizers.adam import BETAS, EPSILON, Adam
from training.optimizers.flat import LINEAR_SHARE, FlatParameters
from training.optimizers.muon import MOMENTUM, PADDED, RMS, Muon, orthogonal
from training.optimizers.soap import LARGEST, Soap, _Side
from training.optimizers.together import Together, averaging_weight, learning_rate


class Net(nn.Module):
    """Two matrices of one shape, one of another, and what is none."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 8, 3)
        self.a = nn.Conv2d(8, 8, 3)
        self.b = nn.Conv2d(8, 8, 3)
        self.wide = nn.Conv2d(8, 16, 1)
        self.linear = nn.Sequential(nn.Conv2d(3, 8, 4))


def flat_net(seed: int = 0) -> tuple[Net, FlatParameters]:
    torch.manual_seed(seed)
    net = Net()
    return net, FlatParameters(net)


def test_parameters_become_views_and_keep_their_values_and_gradients() -> None:
    torch.manual_seed(0)
    want = {name: t.clone() for name, t in Net().state_dict().items()}
    net, flat = flat_net()
    torch.testing.assert_close(net.state_dict(), want)
    flat.values.mul_(2)
    torch.testing.assert_close(net.a.weight.detach(), 2 * want["a.weight"])
    x = torch.randn(1, 3, 9, 9)
    net.wide(net.b(net.a(net.first(x)))).square().sum().backward()
    gradient = flat.gradients.clone()
    other = Net()
    other.load_state_dict(net.state_dict())
    other.wide(other.b(other.a(other.first(x)))).square().sum().backward()
    torch.testing.assert_close(net.b.weight.grad, other.b.weight.grad, atol=1e-3, rtol=1e-3)
    assert gradient.norm() > 0
    flat.exchanged.zero_()
    assert float(net.b.weight.grad.abs().sum()) == 0


def test_matrices_of_one_shape_lie_beside_each_other() -> None:
    net, flat = flat_net()
    assert [batch.shape for batch in flat.batches] == [(2, 8, 72), (1, 16, 8)]
    rows = flat.batches[0].of(flat.values)
    last = lambda t: t.permute(0, 2, 3, 1).reshape(8, 72)
    torch.testing.assert_close(rows[0], last(net.a.weight.detach()))
    torch.testing.assert_close(rows[1], last(net.b.weight.detach()))
    linear = flat.names.index("linear.0.weight")
    start, stop = flat.places[linear]
    assert (flat.share[start - flat.rest : stop - flat.rest] == LINEAR_SHARE).all()
    assert float(flat.share.max()) == 1


def test_adam_is_torchs_adam() -> None:
    net, flat = flat_net()
    other = Net()
    other.load_state_dict(net.state_dict())
    groups = [
        {"params": [p for n, p in other.named_parameters() if "linear" not in n]},
        {"params": list(other.linear.parameters()), "lr": 0.01 * LINEAR_SHARE},
    ]
    theirs = torch.optim.Adam(groups, 0.01, BETAS, EPSILON)
    ours = Adam(flat)
    for seed in range(5):
        torch.manual_seed(seed)
        for p, q in zip(net.parameters(), other.parameters(), strict=True):
            q.grad = torch.randn_like(q)
            p.grad.copy_(q.grad)
        ours.step(flat.gradients, torch.tensor(0.01))
        theirs.step()
    torch.testing.assert_close(net.state_dict(), other.state_dict())


def test_orthogonal_matrices_have_the_singular_vectors_of_the_gradient() -> None:
    g = torch.randn(3, 12, 40, generator=torch.Generator().manual_seed(0))
    for matrices in (g, g.mT):
        u, _, v = torch.linalg.svd(matrices, full_matrices=False)
        made = orthogonal(matrices)
        values = u.mT @ made @ v.mT
        diagonal = values.diagonal(dim1=1, dim2=2)
        assert (diagonal > 0.6).all()
        assert (diagonal < 1.3).all()
        torch.testing.assert_close(values, torch.diag_embed(diagonal), atol=1e-3, rtol=0)


def test_muon_moves_every_matrix_of_a_batch_as_if_alone() -> None:
    _, flat = flat_net()
    before = flat.values.clone()
    flat.gradients.copy_(torch.randn(flat.gradients.shape))
    Muon(flat).step(flat.gradients, torch.tensor(0.1))
    for batch in flat.batches:
        g = batch.of(flat.gradients[: flat.rest])
        ahead = g.lerp(g * (1 - MOMENTUM), MOMENTUM)
        for i in range(batch.shape[0]):
            moved = batch.of(before)[i] - batch.of(flat.values)[i]
            scale = 0.1 * RMS * max(batch.shape[1:]) ** 0.5
            torch.testing.assert_close(moved, orthogonal(ahead[i][None])[0] * scale)
    assert torch.equal(before[flat.rest :], flat.values[flat.rest :])


def test_muon_takes_all_matrices_of_one_padded_side_at_once() -> None:
    torch.manual_seed(5)
    sizes = [(8, 12, 1), (12, 8, 3), (80, 16, 1), (PADDED + 6, 9, 3)]
    net = nn.Sequential(*(nn.Conv2d(a, b, k) for b, a, k in sizes))
    flat = FlatParameters(net)
    muon = Muon(flat)
    assert [len(group.places) for group in muon.groups] == [3, 1]
    before = flat.values.clone()
    flat.gradients.copy_(torch.randn(flat.gradients.shape))
    muon.step(flat.gradients, torch.tensor(0.1))
    for batch in flat.batches:
        moved = batch.of(before) - batch.of(flat.values)
        scale = 0.1 * RMS * max(batch.shape[1:]) ** 0.5
        torch.testing.assert_close(moved, orthogonal(batch.of(flat.gradients)) * scale)


def test_soaps_bases_become_the_eigenvectors() -> None:
    generator = torch.Generator().manual_seed(1)
    basis = torch.linalg.qr(torch.randn(5, 5, generator=generator))[0]
    values = torch.tensor([9.0, 4.0, 1.0, 0.3, 0.05])
    side = _Side(1, 5, torch.device("cpu"))
    side.moments.copy_(basis @ values.diag() @ basis.T)
    for _ in range(40):
        side.turn()
    rotated = side.basis.mT @ side.moments @ side.basis
    torch.testing.assert_close(rotated[0], values.diag(), atol=1e-4, rtol=0)


def test_cholesky_turns_a_basis_as_qr_does() -> None:
    generator = torch.Generator().manual_seed(4)
    sides = [_Side(3, 24, torch.device("cpu")) for _ in range(2)]
    for turns in range(12):
        g = torch.randn(3, 24, 40, generator=generator) * torch.logspace(0, -3, 24)[:, None]
        orders = []
        for by_cholesky, side in zip((False, True), sides, strict=True):
            side.moments.lerp_(g @ g.mT, 0.5)
            orders.append(side.turn(by_cholesky))
        assert torch.equal(*orders), turns
    a, b = (side.basis for side in sides)
    torch.testing.assert_close((a * b).sum(1).abs(), torch.ones(3, 24), atol=1e-3, rtol=0)


def test_cholesky_leaves_a_basis_whose_moments_are_singular() -> None:
    side = _Side(2, 6, torch.device("cpu"))
    side.moments.copy_(torch.ones(2, 6, 6))
    side.moments[1] = torch.eye(6) * torch.arange(1.0, 7.0)
    order = side.turn(by_cholesky=True)
    assert torch.equal(side.basis[0], torch.eye(6))
    assert order.tolist() == [[0, 1, 2, 3, 4, 5], [5, 4, 3, 2, 1, 0]]
    assert torch.equal(side.basis[1].abs(), torch.eye(6).flip(1))


def test_soap_goes_down_a_turned_valley_that_adam_crawls_along() -> None:
    generator = torch.Generator().manual_seed(2)
    turn = torch.linalg.qr(torch.randn(72, 72, generator=generator))[0]
    curvature = turn @ torch.logspace(0, -3, 72).diag() @ turn.T
    want = torch.randn(2, 8, 72, generator=generator)
    left = {}
    for name in ("adam", "soap"):
        _, flat = flat_net()
        optimizer = Together(name, flat)
        matrices = flat.batches[0]
        for step in range(1, 201):
            difference = matrices.of(flat.values) - want
            flat.gradients.zero_()
            matrices.of(flat.gradients).copy_(difference @ curvature)
            optimizer.step(flat.gradients, torch.tensor(0.1 * (1 - step / 201)))
            optimizer.refresh(step)
        difference = matrices.of(flat.values) - want
        left[name] = float((difference @ curvature * difference).sum())
    assert left["soap"] < 0.3 * left["adam"]


def test_a_fresh_soap_step_is_finite_where_there_is_no_gradient() -> None:
    _, flat = flat_net()
    before = flat.values.clone()
    optimizer = Together("soap", flat)
    for step in range(1, 12):
        optimizer.step(flat.gradients, torch.tensor(0.1))
        optimizer.refresh(step)
    assert torch.equal(before, flat.values)
    assert isinstance(optimizer.all[1], Soap)


def test_a_soap_that_goes_on_with_its_means_takes_no_leap() -> None:
    """Its deviations begin with one gradient, which is zero where a channel did not fire."""
    _, flat = flat_net()
    before = Together("soap", flat)
    for step in range(1, 31):
        flat.gradients.normal_(generator=torch.Generator().manual_seed(step))
        before.step(flat.gradients, torch.tensor(0.0))
        before.refresh(step)
    flat = flat_net()[1]
    optimizer = Together("soap", flat)
    for name, t in before.state.items():
        optimizer.state[name].copy_(t)
    flat.gradients.zero_()
    kept = flat.values.clone()
    optimizer.step(flat.gradients, torch.tensor(0.1))
    moved = (flat.values - kept)[: flat.rest].abs()
    assert 0 < moved.max() <= 0.1 * LARGEST + 1e-6


def test_an_unknown_optimizer_is_an_error() -> None:
    with pytest.raises(ValueError, match="'sgd' is not an optimizer: adam, muon, soap"):
        Together("sgd", flat_net()[1])


def test_the_learning_rate_warms_up_by_steps_and_ends_with_the_budget() -> None:
    assert learning_rate(0, 0.0, 100) == pytest.approx(0.01)
    assert learning_rate(9, 0.05, 100) == pytest.approx(0.5)  # slow steps: the time counts
    assert learning_rate(9, 0.1, 100) == 1
    assert learning_rate(99, 0.1, 100) == 1
    assert learning_rate(500, 0.6, 100) == pytest.approx(0.505)
    assert learning_rate(900, 1.0, 100) == pytest.approx(0.01)
    assert learning_rate(900, 1.2, 100) == pytest.approx(0.01)


def test_the_average_grows_its_window_with_the_run() -> None:
    average = 0.0
    for step in range(1, 2001):
        average += averaging_weight(step, 16.0) * (step - average)
    # Weights step^16: the mean step is 17 / 18 of the last.
    assert average == pytest.approx(2000 * 17 / 18, rel=1e-2)
    assert averaging_weight(1, 16.0) == 1
