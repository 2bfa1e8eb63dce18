"""Every backbone: shape, masks, what is frozen, and the same arithmetic as transformers."""

import numpy as np
import pytest
import torch
from nets import LABELS, SIZES, SMALL, build_small, find_small

from training.nets.backbones import find_backbone, list_backbones
from training.nets.backbones.base import freeze
from training.nets.masking import RowLinear
from training.nets.pretrained import HubertConfig, HubertModel, Wav2Vec2Config, Wav2Vec2Model
from training.nets.speech_encoder import SpeechEncoder

NAMES = list_backbones()


def make_waveform(n_samples=20_000):
    return torch.randn(2, n_samples) * 0.1


def test_every_backbone_of_the_issue_is_registered():
    assert set(NAMES) == {"distilhubert", "wav2vec2-base", "light-sernet", "whisper-base"} == set(SIZES)


def test_an_unknown_backbone_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match="distilhubert"):
        find_backbone("hubert")


@pytest.mark.parametrize("name", NAMES)
def test_a_waveform_becomes_one_logit_a_label(name):
    with torch.inference_mode():
        logits = build_small(name)(make_waveform())
    assert logits.shape == (2, len(LABELS))
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", NAMES)
def test_trailing_exact_zeros_change_nothing(name):
    net, waveform = build_small(name), make_waveform()
    padded = torch.cat([waveform, torch.zeros(2, 12_345)], dim=1)
    with torch.inference_mode():
        assert torch.allclose(net(padded), net(waveform), atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_only_what_is_not_frozen_learns(name):
    backbone = find_small(name)
    net = backbone.build(len(LABELS), pretrained=None)
    assert freeze(net, backbone.facts.frozen) > 0
    before = {key: value.clone() for key, value in net.named_parameters()}
    net.train()
    torch.nn.functional.cross_entropy(net(make_waveform()), torch.tensor([0, 1])).backward()
    torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1).step()
    moved = {key for key, value in net.named_parameters() if not torch.equal(value, before[key])}
    assert moved
    assert not any(key.startswith(backbone.facts.frozen) for key in moved if backbone.facts.frozen)


def test_a_frozen_prefix_that_names_nothing_is_refused():
    with pytest.raises(ValueError, match="encodr"):
        freeze(build_small("light-sernet"), ("encodr",))


@pytest.mark.parametrize(
    ("kind", "model"),
    [
        ("hubert", lambda: HubertModel(HubertConfig(**SMALL, num_hidden_layers=2, apply_spec_augment=False))),
        ("wav2vec2", lambda: Wav2Vec2Model(Wav2Vec2Config(**SMALL, num_hidden_layers=2, apply_spec_augment=False))),
    ],
)
def test_a_whole_window_is_encoded_as_transformers_does(kind, model):
    theirs, waveform = model().eval(), make_waveform()
    with torch.inference_mode():
        expected = theirs(waveform, output_hidden_states=True).hidden_states
        states, mask = SpeechEncoder(theirs).eval()(waveform)
    assert bool(mask.all())
    assert len(states) == len(expected)
    for mine, other in zip(states, expected, strict=True):
        assert torch.allclose(mine, other, atol=2e-5)


def test_a_large_model_is_refused_rather_than_run_wrongly():
    model = HubertModel(HubertConfig(**SMALL, num_hidden_layers=1, do_stable_layer_norm=True))
    with pytest.raises(ValueError, match="do_stable_layer_norm"):
        SpeechEncoder(model)


def test_pretrained_weights_are_loaded_from_a_folder(tmp_path):
    backbone = find_small("distilhubert")
    saved = HubertModel(HubertConfig(**SMALL, num_hidden_layers=2, feat_proj_layer_norm=False))
    saved.save_pretrained(tmp_path)
    net = backbone.build(len(LABELS), pretrained=tmp_path)
    assert torch.equal(net.encoder.feature_projection.projection.weight, saved.feature_projection.projection.weight)


def test_light_sernet_takes_no_pretrained_weights(tmp_path):
    with pytest.raises(ValueError, match="from scratch"):
        find_small("light-sernet").build(4, pretrained=tmp_path)


def test_light_sernet_has_the_size_of_its_paper():
    n_values = sum(p.numel() for p in build_small("light-sernet").parameters())
    assert 0.38e6 < n_values < 0.48e6


def test_distilhubert_has_the_papers_size():
    net = find_backbone("distilhubert").build(len(LABELS), pretrained=None)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(23.5, abs=0.5)


def test_a_row_linear_layer_is_a_linear_layer():
    layer, x = RowLinear(7, 3), torch.randn(5, 7)
    assert np.allclose(layer(x).detach(), torch.nn.functional.linear(x, layer.weight, layer.bias).detach(), atol=1e-6)
