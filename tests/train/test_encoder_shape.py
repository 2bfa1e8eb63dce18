"""The encoder's graph: what it computes quicker is the same, and half the frame rate keeps every promise of the full one."""

import librosa
import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file
from torch.nn.functional import gelu

from training.bundle.encoder import export_encoder, fold_values
from training.bundle.graph import open_session
from training.bundle.int8 import check_promise
from training.nets.log_mel import LogMel
from training.nets.masking import halve_frames, make_mask
from training.nets.shape import EncoderShape
from training.nets.whisper import EncoderLayer, PooledEncoder, load_encoder

HALVINGS = ("never", "first_output", "first_queries")
# Around a hop, an even and an odd number of frames of the layers, and pairs with and without a partner.
SIZES = (1, 159, 160, 161, 1_280, 3_199, 3_841, 30_000)


def make_window(n_samples, *, seed=0):
    return (np.random.default_rng([seed, n_samples]).standard_normal(n_samples) * 0.1).astype(np.float32)


def make_encoder(halving, **shape):
    torch.manual_seed(0)
    return PooledEncoder(EncoderShape(halving, **shape)).eval().requires_grad_(requires_grad=False)


def pool(encoder, windows):
    with torch.inference_mode():
        return encoder(torch.from_numpy(np.atleast_2d(windows))).numpy()


def compute_log_mel(window):
    """Whisper's definition, in float64: frames every 10 ms about their middle, Hann, power, mel, 80 dB below the loudest."""
    n_frames = -(-window.size // 160)
    padded = np.pad(window.astype(np.float64), (200, 160 * n_frames + 400 - window.size))
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    power = np.abs(np.fft.rfft([padded[160 * t : 160 * t + 400] * hann for t in range(n_frames)])) ** 2
    log_mel = np.log10(np.maximum(power @ librosa.filters.mel(sr=16_000, n_fft=400, n_mels=80).T, 1e-10))
    return (np.maximum(log_mel, log_mel.max() - 8.0) + 4.0) / 4.0


@pytest.mark.parametrize("size", SIZES)
def test_log_mel_is_whispers(size):
    window = make_window(size)
    computed = LogMel()(torch.from_numpy(window[None]), torch.ones(1, -(-size // 160)))[0].numpy()
    assert np.abs(computed - compute_log_mel(window)).max() < 1e-4


@pytest.mark.parametrize("n_frames", [1, 2, 5, 8])
def test_convolutions_as_products_are_the_convolutions(n_frames):
    encoder = make_encoder("never")
    frames, mask = torch.randn(2, n_frames, 80), make_mask(torch.tensor([[n_frames], [max(1, n_frames - 3)]]), n_frames)
    frames = frames * mask[:, :, None]
    with torch.inference_mode():
        first = gelu(encoder.conv1(frames.transpose(1, 2))) * mask[:, None, :]
        expected = gelu(encoder.conv2(first)).transpose(1, 2)
        assert torch.allclose(encoder._convolve(frames, mask), expected, atol=1e-5)


def test_a_mean_of_pairs_leaves_out_what_is_masked():
    frames = torch.tensor([[1.0, 3.0, 5.0, 9.0, 7.0], [1.0, 3.0, 5.0, 9.0, 7.0]])[:, :, None]
    mask = make_mask(torch.tensor([[5.0], [3.0]]), 5)
    assert halve_frames(frames, mask)[:, :, 0].tolist() == [[2.0, 7.0, 7.0], [2.0, 5.0, 0.0]]


@pytest.mark.parametrize("halving", ["first_output", "first_queries"])
def test_halving_changes_nothing_where_both_frames_of_each_pair_are_the_same(halving):
    torch.manual_seed(0)
    whole = EncoderLayer().eval()
    halving_layer = EncoderLayer(halving=halving).eval()
    halving_layer.load_state_dict(whole.state_dict())
    frames = torch.randn(1, 7, 512).repeat_interleave(2, dim=1)[:, :13]
    mask = torch.ones(1, 13)
    with torch.inference_mode():
        full, half = whole(frames, mask), halving_layer(frames, mask)
    assert half.shape == (1, 7, 512)
    assert torch.allclose(half, full[:, ::2], atol=1e-5)


@pytest.mark.parametrize("halving", HALVINGS)
def test_trailing_zeros_change_nothing_for_any_number_of_frames(halving):
    encoder = make_encoder(halving)
    longest = max(SIZES)
    together = pool(encoder, [np.pad(make_window(size), (0, longest - size)) for size in SIZES])
    for size, padded in zip(SIZES, together, strict=True):
        natural = pool(encoder, make_window(size))[0]
        assert np.abs(natural - padded).max() < 1e-4, size


@pytest.fixture(scope="module", params=HALVINGS)
def small_graph(request, tmp_path_factory):
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp(request.param)
    calibration = [make_window(size, seed=1) for size in (9_000, 14_321)]
    encoder = make_encoder(request.param, n_positions=400)
    save_file(encoder.state_dict(), folder / "weights.safetensors")
    shape = EncoderShape(request.param, n_positions=400)
    exact, small = export_encoder(folder / "weights.safetensors", calibration, folder, shape=shape)
    return exact, small, encoder


def run(path, windows):
    return open_session(path).run(None, {"waveform": np.atleast_2d(windows)})[0]


def test_the_graph_computes_what_torch_does(small_graph):
    exact, _, encoder = small_graph
    for size in SIZES:
        window = make_window(size)
        assert np.abs(run(exact, window) - pool(encoder, window)).max() < 1e-4, size


def test_every_product_of_encoder_and_convolutions_is_static_int8_with_7_bits(small_graph):
    model = onnx.load(small_graph[1])
    check_promise(model)
    weights = [one for one in model.graph.initializer if one.data_type == onnx.TensorProto.INT8 and len(one.dims) == 2]
    assert len(weights) == 2 + 3 * 6
    assert not {node.op_type for node in model.graph.node} & {"Conv"}


def test_int8_scores_of_a_window_are_the_same_to_the_bit_whatever_shares_its_batch(small_graph):
    longest = max(SIZES)
    batch = np.stack([np.pad(make_window(size), (0, longest - size)) for size in SIZES])
    together = run(small_graph[1], batch)
    for row, statistics in zip(batch, together, strict=True):
        assert np.array_equal(run(small_graph[1], row)[0], statistics)


def test_trailing_zeros_change_nothing_in_int8(small_graph):
    for size in SIZES:
        window = make_window(size)
        natural, padded = (run(small_graph[1], one) for one in (window, np.pad(window, (0, 40_001))))
        assert np.abs(natural - padded).max() < 1e-3, size


def test_int8_stays_near_float32(small_graph):
    exact, small, _ = small_graph
    windows = [make_window(size, seed=2) for size in (12_000, 16_000, 20_000)]
    precise, rounded = (np.concatenate([run(path, window) for window in windows]) for path in (exact, small))
    assert 0 < np.abs(rounded - precise).mean() < 0.05 * np.abs(precise).mean()


def test_values_without_a_bias_make_the_same_encoder():
    encoder, windows = make_encoder("first_queries"), [make_window(size) for size in SIZES]
    for layer in encoder.layers:
        layer.self_attn["v_proj"].bias.uniform_(-1.0, 1.0)
    before = [pool(encoder, window) for window in windows]
    fold_values(encoder)
    assert all(layer.self_attn["v_proj"].bias is None for layer in encoder.layers)
    for window, expected in zip(windows, before, strict=True):
        assert np.abs(pool(encoder, window) - expected).max() < 1e-4


def test_a_window_of_more_frames_than_positions_is_refused(small_graph):
    assert run(small_graph[1], make_window(128_000)).shape == (1, 1024)
    with pytest.raises(Exception, match=r"401 by 400|400 by 401"):
        run(small_graph[1], make_window(128_001))


def test_a_shape_takes_the_weights_of_any_other(tmp_path):
    net = PooledEncoder()
    save_file(net.state_dict(), tmp_path / "net.safetensors")
    loaded = load_encoder(tmp_path / "net.safetensors", EncoderShape("first_queries", n_positions=400))
    assert [layer.halving for layer in loaded.layers] == ["first_queries", "never", "never"]
    assert torch.equal(loaded.embed_positions.weight, net.embed_positions.weight[:400])


@pytest.mark.parametrize(
    ("shape", "message"), [({"halving": "twice"}, "'twice', allowed are"), ({"n_positions": 1501}, "1501, allowed")]
)
def test_a_shape_that_no_encoder_has_is_refused(shape, message):
    with pytest.raises(ValueError, match=message):
        EncoderShape(**shape)
